"""Runs a probe in a process of its own: `python -m frcnn_cli.cli.doctor NAME`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from signal import Signals
from typing import Any

from frcnn_cli.cli.doctor.check import Outcome
from frcnn_cli.cli.doctor.probes import PROBES
from frcnn_cli.errors import FrcnnError

_ANSWER = "frcnn-probe "
"""Prefix of the line of stdout that holds the answer: packages print at import."""
_TIMEOUT_SECONDS = 120.0


def run_probe(name: str) -> Outcome:
    """Returns the result of the probe `name`, however its process ends."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "frcnn_cli.cli.doctor", name],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
    except subprocess.TimeoutExpired:
        return Outcome(problem=f"no answer within {_TIMEOUT_SECONDS:.0f} s")
    answers = [line for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
    if answers:
        from frcnn_cli.decoding import decode_json

        return decode_json(answers[-1].removeprefix(_ANSWER), Outcome)
    if -done.returncode in set(Signals):
        return Outcome(problem=f"it crashed at import ({Signals(-done.returncode).name})")
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return Outcome(problem=f"exit code {done.returncode}: {last}")


def answer(name: str) -> None:
    """Runs the probe `name` in this process and prints its outcome for `run_probe`."""
    outcome: dict[str, Any]
    try:
        outcome = {"facts": PROBES[name]()}
    except FrcnnError as error:
        problem = f"{error.file}: {error.problem}" if error.file else error.problem
        outcome = {"problem": problem, "remedy": error.remedy}
    except BaseException as error:  # whatever a broken package raises, SystemExit too
        outcome = {"problem": " ".join(f"{type(error).__name__}: {error}".split())}
    sys.stdout.write(f"\n{_ANSWER}{json.dumps(outcome)}\n")
