"""Text and JSON of the data check and the estimate before a run's first step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from frcnn_cli.cli.text import count, duration, facts, size
from frcnn_cli.training.preflight.checks import Coverage, DataCheck, RunEstimate


def render_data_check(check: DataCheck) -> RenderableType:
    """Returns what was found in the annotations, and every problem."""
    objects = sum(check.objects.values())
    hidden = f", {check.difficult:,} difficult ones left out" if check.difficult else ""
    used = [problem for problem in check.problems if not problem.dropped]
    rows = {
        "objects": f"{objects:,} in {count(len(check.objects), 'class')}{hidden}",
        "background": f"{count(check.background, 'image')} without objects"
        if check.background
        else "",
        "fixed": count(len(used), "box") if used else "",
        "left out": count(len(check.failures), "image") if check.failures else "",
    }
    headline = f"Read {count(check.images, 'image')} of {check.split}"
    problems = [
        Text(str(error), "dim", overflow="fold")
        for problem in check.problems
        for error in problem.errors
    ]
    shown = facts(headline, rows, complete=not check.problems)
    listed = [Padding(line, (0, 0, 0, 4), expand=False) for line in problems]
    return Group(shown, *listed, *_warnings(check.warnings()))


def render_estimate(estimate: RunEstimate) -> RenderableType:
    """Returns what to expect of the run."""
    cost = estimate.cost
    rows = {
        "proposals": _coverage(estimate.coverage),
        "time": f"about {duration(cost.seconds)}: {count(cost.steps, 'step')} of "
        f"{cost.seconds_per_step:.2f} s and {count(cost.checkpoints, 'checkpoint')} of "
        f"{cost.seconds_per_checkpoint:.2f} s, measured on the first step; without evaluations",
        "memory": f"about {size(cost.memory)}"
        + ("" if cost.memory_free is None else f", {size(cost.memory_free)} free"),
        "disk": f"{size(cost.disk)}, {size(cost.disk_free)} free",
    }
    warnings = estimate.warnings()
    return Group(facts("What to expect", rows, complete=not warnings), *_warnings(warnings))


def preflight_json(check: DataCheck, estimate: RunEstimate) -> dict[str, Any]:
    """Returns both as one JSON object."""
    cost, coverage = estimate.cost, estimate.coverage
    return {
        "schema": "frcnn.preflight/1",
        "split": check.split,
        "photographs": check.images,
        "background": check.background,
        "objects": dict(check.objects),
        "difficult": check.difficult,
        "problems": [
            {"photograph": each.image_id, "left_out": each.dropped, "problem": str(error)}
            for each in check.problems
            for error in each.errors
        ],
        "regions": {
            "photographs": coverage.images,
            "objects": coverage.objects,
            "recall": coverage.recall,
        },
        "seconds_a_step": round(cost.seconds_per_step, 4),
        "steps": cost.steps,
        "memory": cost.memory,
        "memory_free": cost.memory_free,
        "disk": cost.disk,
        "disk_free": cost.disk_free,
        "checkpoints": cost.checkpoints,
        "seconds_a_checkpoint": round(cost.seconds_per_checkpoint, 4),
        "seconds": round(cost.seconds, 1),
        "warnings": [*check.warnings(), *estimate.warnings()],
    }


def _coverage(coverage: Coverage) -> str:
    if coverage.recall is None:
        return "not searched yet"
    return (
        f"cover {coverage.recall:.1%} of {count(coverage.objects, 'object')} at IoU 0.5, in "
        f"{count(coverage.images, 'image')} searched so far"
    )


def _warnings(warnings: Iterable[str]) -> list[RenderableType]:
    lines = (Text.assemble(("! ", "bold magenta"), each) for each in warnings)
    return [Padding(line, (0, 0, 0, 2), expand=False) for line in lines]
