"""`frcnn doctor`."""
