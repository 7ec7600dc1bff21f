"""The command line: a file a command, each of which parses, calls one pipeline and prints."""
