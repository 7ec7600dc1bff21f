"""Runs the command line with `python -m frcnn_cli`."""

from frcnn_cli.cli.app import main

if __name__ == "__main__":
    main()
