"""Summary, preview and conversion of a data set (`frcnn data`)."""
