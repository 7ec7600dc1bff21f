"""Decoders of JSON and NumPy files, which may be damaged or hostile: a value, or a `ValueError`.

Every reader of such files decodes with these functions (ruff bans the others), so that what json,
msgspec and NumPy raise on damaged bytes is known in one place.
"""

from __future__ import annotations

import errno
import io
import json
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar, overload

import msgspec
import numpy as np
import numpy.typing as npt

ValueT = TypeVar("ValueT")
_LONGEST_NUMBER = 20
"""Characters of whole numbers that stay whole, which nanoseconds do; longer ones become floats."""


@overload
def decode_json(text: str | bytes) -> Any: ...
@overload
def decode_json(text: str | bytes, kind: type[ValueT]) -> ValueT: ...
def decode_json(text: str | bytes, kind: Any = Any) -> Any:
    """Returns the value in a JSON document, of the type `kind` as msgspec understands it.

    Unlike msgspec's own decoder it takes NaN and lone surrogates (file names that are not UTF-8).

    Raises:
        ValueError: it is not JSON, is nested too deep, or holds a value of another type.
    """
    try:
        return msgspec.convert(json.loads(text, parse_int=_whole), kind)  # noqa: TID251
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def load_array(payload: bytes) -> npt.NDArray[Any]:
    """Returns the array in the bytes of an `.npy` file.

    Raises:
        ValueError: it is not such a file, or holds objects.
    """
    loaded = _load(io.BytesIO(payload), lambda array: array)
    if not isinstance(loaded, np.ndarray):
        raise ValueError("it is an archive")
    return loaded


def load_archive(file: Path | bytes) -> dict[str, npt.NDArray[Any]]:
    """Returns the arrays in an `.npz` file, or in its bytes, by name.

    Raises:
        ValueError: it is not such a file, or holds objects.
        MemoryError: an array is larger than the memory.
        OSError: the file cannot be opened.
    """
    with io.BytesIO(file) if isinstance(file, bytes) else file.open("rb") as stream:
        return _load(stream, lambda archive: {name: archive[name] for name in archive.files})


def _load(stream: IO[bytes], take: Callable[[Any], ValueT]) -> ValueT:
    try:
        return take(np.load(stream, allow_pickle=False))  # noqa: TID251
    except MemoryError:
        raise
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ValueError("a member begins before the file does") from error
    # An archive's header is a Python literal that NumPy tokenizes; its members are deflated.
    except (
        *(ValueError, TypeError, KeyError, AttributeError, EOFError, OverflowError, SyntaxError),
        *(RecursionError, NotImplementedError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
    ) as error:
        raise ValueError(f"{error}" or type(error).__name__) from error


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)
