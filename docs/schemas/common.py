"""Types that several schemas share, and how an object's type is written."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

Fraction = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
PositiveCount = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0)]
Interval = tuple[float, float] | None
Box = tuple[float, float, float, float]


def object_type(name: str, /, **keys: Any) -> Any:
    """Returns the type of an object: key → its type, or (type, text for the table)."""
    fields = {}
    for key, given in keys.items():
        kind, text = given if isinstance(given, tuple) else (given, "")
        needed = not key.endswith("_if_any")
        hint = Annotated[kind, Meta(description=text)] if text else kind
        fields[key.removesuffix("_if_any")] = hint if needed else NotRequired[hint]
    return TypedDict(name, fields)  # type: ignore[operator]


def schema_type(schema: str, /, **keys: Any) -> Any:
    """Returns the type of a document, whose first key is the schema's name."""
    return object_type(schema, schema=Literal[schema], **keys)


FAILED_FILES = (
    list[object_type("FailedFile", file=str, problem=str)],
    "`file` and `problem` of each",
)
LINES = (list[str], "lines, one per image that failed")
POINT = object_type("Threshold", score=float, precision=Fraction, recall=Fraction)
OPERATING_POINT = object_type(
    "OperatingPoint", score=float, precision=Fraction, recall=Fraction, f1=Fraction
)
