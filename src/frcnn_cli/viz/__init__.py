"""Annotated photographs and plots."""
