"""`frcnn proposals`."""
