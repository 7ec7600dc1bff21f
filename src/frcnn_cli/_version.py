"""The version of the package; a module of its own, so that no layer imports the API for it."""

__version__ = "0.1.0"
