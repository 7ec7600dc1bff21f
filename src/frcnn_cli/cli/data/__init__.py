"""`frcnn data`."""
