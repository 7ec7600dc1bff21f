"""Validates JSON that frcnn wrote against the published schemas, strictly."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema

from support.pages import ROOT


@cache
def _published() -> dict[str, Any]:
    schemas: dict[str, Any] = json.loads((ROOT / "docs/reference/schemas.json").read_text("utf-8"))
    for each in schemas["$defs"].values():
        each["additionalProperties"] = False  # no key without a row in the reference
    return schemas


def require_valid(data: dict[str, Any], name: str = "") -> dict[str, Any]:
    """Returns `data`, which has the schema that it names, or that of a part by its `name`."""
    place = (name or data["schema"]).replace("/", "_")
    schema = {"$ref": f"#/$defs/{place}", "$defs": _published()["$defs"]}
    jsonschema.Draft202012Validator(schema).validate(data)
    return data
