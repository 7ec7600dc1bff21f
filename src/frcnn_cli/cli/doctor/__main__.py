"""Runs the probe that the command line names."""

import sys

from frcnn_cli.cli.doctor.probe_process import answer

answer(sys.argv[1])
