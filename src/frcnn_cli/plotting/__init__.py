"""Annotated images and plots."""
