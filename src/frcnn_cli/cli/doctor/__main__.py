"""Runs one probe: `python -m frcnn_cli.cli.doctor NAME`."""

from __future__ import annotations

import json
import sys
from typing import Any

from frcnn_cli.cli.doctor.probe_process import ANSWER
from frcnn_cli.cli.doctor.probes import PROBES
from frcnn_cli.errors import FrcnnError


def main() -> None:
    """Runs the probe that the command line names, and answers on stdout."""
    answer: dict[str, Any]
    try:
        answer = {"facts": PROBES[sys.argv[1]]()}
    except FrcnnError as error:
        problem = f"{error.file}: {error.problem}" if error.file else error.problem
        answer = {"problem": problem, "remedy": error.remedy}
    except BaseException as error:  # whatever a broken package raises, SystemExit too
        answer = {"problem": " ".join(f"{type(error).__name__}: {error}".split())}
    sys.stdout.write(f"\n{ANSWER}{json.dumps(answer)}\n")


main()
