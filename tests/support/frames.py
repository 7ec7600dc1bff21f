"""The functions of the package that stand between a command and its work."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

_COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>")
"""Frames of their own before Python 3.12 only; generator expressions always are, and count."""


def frames_since(command: Callable[..., None]) -> list[str]:
    """Returns the package's frames on the stack, the command's first, the innermost last.

    A generator that is asked for its next item is a frame.
    """
    names: list[str] = []
    frame, code = sys._getframe(1), inspect.unwrap(command).__code__
    while True:
        module = frame.f_globals["__name__"]
        if module.startswith("frcnn_cli.") and frame.f_code.co_name not in _COMPREHENSIONS:
            names.append(f"{module}.{frame.f_code.co_qualname}")
        if frame.f_code is code:
            return names[::-1]
        assert frame.f_back is not None, "not below the command"
        frame = frame.f_back
