"""Image → boxes that may hold an object: selective search."""
