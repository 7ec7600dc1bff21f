"""Types of the JSON that frcnn writes, for the tables of the reference and its schemas.json.

    python docs/generate.py

A key's text is its row in the table. Tests validate what the commands write.
"""

from __future__ import annotations

from typing import Any, NotRequired, get_args, get_origin

import msgspec
from msgspec import Meta

from schemas.data import DATA
from schemas.deploy import BENCH, COMPRESS, EXPORT, VARIANT
from schemas.detection import DETECT, DETECTION, DETECTIONS, DOUBTFUL, IMAGE, NEXT
from schemas.evaluation import ANALYSIS, CLASS, COMPARISON, EVALUATION, EXPLANATION
from schemas.proposals import PROPOSAL_BOXES, PROPOSAL_IMPORT, PROPOSAL_REPORT, PROPOSALS
from schemas.training import (
    EVALUATED,
    FINDING,
    FINISHED,
    PREFLIGHT,
    REPLAY,
    RUN_CONFIG,
    RUNS,
    STEP,
    TRAINING,
    TRAINING_RUN,
)
from schemas.upkeep import CACHE, DOCTOR, GC, VERIFY

ALL = (
    *(PROPOSALS, TRAINING, PREFLIGHT, EVALUATION, ANALYSIS, COMPARISON, DETECT, DETECTIONS),
    *(REPLAY, STEP, EVALUATED, FINISHED, RUN_CONFIG, PROPOSAL_BOXES),
    *(BENCH, COMPRESS, DATA, NEXT, EXPORT, RUNS, CACHE, VERIFY, GC, DOCTOR),
    *(PROPOSAL_REPORT, PROPOSAL_IMPORT),
)

INNER = {
    "finding": FINDING,
    "metrics_step": STEP,
    "run_config": RUN_CONFIG,
    "doubtful_image": DOUBTFUL,
    "class": CLASS,
    "explanation": EXPLANATION,
    "variant": VARIANT,
    "training_run": TRAINING_RUN,
    "image": IMAGE,
    "detection": DETECTION,
}
"""Types that have tables of their own."""


def rows(name: str) -> list[tuple[str, str]]:
    """Returns key and text of each row of a table: of a schema, or of one of `INNER`."""
    kind = INNER.get(name) or next(each for each in ALL if each.__name__ == name)
    schema = {"schema": f'`"{name}"`'} if name not in INNER else {}
    texts = {key: _text(hint) for key, hint in kind.__annotations__.items() if key != "schema"}
    return [(f"`{key}`", text) for key, text in {**schema, **texts}.items()]


def _text(hint: Any) -> str:
    inner = get_args(hint)[0] if get_origin(hint) is NotRequired else hint
    metas = [each for each in get_args(inner)[1:] if isinstance(each, Meta)]
    text = next((each.description for each in metas if each.description), "")
    is_optional = type(None) in get_args(next(iter(get_args(inner)), None))
    return f"{text}; may be `null`" if is_optional and "`null`" not in text else text


def json_schemas() -> dict[str, Any]:
    """Returns one JSON Schema document with the schemas by name under "$defs"."""
    (_, components) = msgspec.json.schema_components(ALL, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "JSON that frcnn writes",
        "$defs": components,
    }
