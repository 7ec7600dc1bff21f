"""The process that reads a file of another tool: `python -m … FILE MEMORY SECONDS`.

It may be crashed by the file, or ended by its limits. On stdout it prints a line of JSON, with an
error or with the names and numbers of rows, and then all boxes as float64.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from frcnn_cli.errors import LONGEST_LINE, DataError
from frcnn_cli.proposals.interchange.formats import READERS
from frcnn_cli.proposals.interchange.record import Name

if sys.platform != "win32":
    import resource

_LARGEST = 2**63


def main(file: Path, memory: int, seconds: int) -> None:
    """Reads `file` within limits, and prints what it holds or what is wrong with it.

    Args:
        file: its ending decides the format.
        memory: bytes that may be taken beyond what the started process has.
        seconds: of computing.
    """
    limit(memory, seconds)
    out = sys.stdout.buffer
    try:
        found = READERS[file.suffix.lower()](file)
        about: dict[str, Any] = {
            "format": found.format,
            "convention": found.documented,
            "names": found.names and [_plain(name) for name in found.names],
            "rows": [len(boxes) for boxes in found.boxes],
        }
        out.write(json.dumps(about).encode() + b"\n")
        for boxes in found.boxes:
            out.write(boxes.astype("<f8").tobytes())
    except DataError as error:
        fail(error.problem, error.remedy)
    except MemoryError:
        fail(f"needs more than {memory >> 20:,} MB of memory, too much for its size", "check it")
    except OSError as error:
        fail(f"cannot be read ({error.strerror or error})", "check the file")
    except Exception as error:  # a parser may stumble over anything
        fail(f"cannot be read ({type(error).__name__}: {error})", "check the file")


def _plain(name: Any) -> Name:
    is_number = isinstance(name, int) and not isinstance(name, bool) and abs(name) < _LARGEST
    return name if is_number or isinstance(name, str) else str(name)


def fail(problem: str, remedy: str) -> None:
    """Prints an error in place of boxes."""
    error = {"problem": problem[:LONGEST_LINE], "remedy": remedy}
    sys.stdout.buffer.write(json.dumps(error).encode() + b"\n")


def limit(memory: int, seconds: int) -> None:
    """Bounds this process where the system can do so: Linux does, Windows does not."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * os.sysconf("SC_PAGESIZE") + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
