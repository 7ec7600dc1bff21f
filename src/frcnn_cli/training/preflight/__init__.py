"""Checks and estimates before the first training step."""
