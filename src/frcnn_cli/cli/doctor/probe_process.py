"""Runs a probe in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from frcnn_cli.cli.doctor.check import Outcome

ANSWER = "frcnn-probe "
"""What the line of stdout that holds the answer begins with: packages print at import."""

_PATIENCE = 120.0


def try_out(probe: str) -> Outcome:
    """Returns what the probe of that name found, however its process ended."""
    command = [sys.executable, "-m", "frcnn_cli.cli.doctor", probe]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
    except subprocess.TimeoutExpired:
        return Outcome(problem=f"no answer within {_PATIENCE:.0f} s")
    except OSError as error:
        return Outcome(problem=f"{sys.executable} cannot be started ({error.strerror})")
    answers = [line for line in done.stdout.splitlines() if line.startswith(ANSWER)]
    if answers:
        return Outcome(**json.loads(answers[-1].removeprefix(ANSWER)))
    if done.returncode < 0:
        return Outcome(problem=f"it crashed at import ({_signal_name(-done.returncode)})")
    said = done.stderr.strip().splitlines() or ["no message"]
    return Outcome(problem=f"exit code {done.returncode}: {said[-1]}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
