"""`frcnn eval`."""
