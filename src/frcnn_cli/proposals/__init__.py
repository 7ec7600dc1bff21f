"""Photograph → boxes that may hold an object: selective search."""
