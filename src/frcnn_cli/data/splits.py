"""Makes `trainval` and `test` for data that has no splits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

TEST_SHARE = 0.2
"""Share of the photographs in `test`."""


def make_splits(
    photographs: Iterable[tuple[str, frozenset[str]]], *, seed: int
) -> dict[str, tuple[str, ...]]:
    """Returns `trainval` (80 % of the ids) and `test` (the others), each sorted.

    The choice follows from the ids, their classes and the seed, not from their order. Where a swap
    can do it without taking another class away, a class in two or more photographs is on both
    sides, and a class in only one is in `trainval`.

    Args:
        photographs: (id, its classes), as `Dataset.class_sets` gives them.
        seed: another seed, another choice.
    """
    classes = dict(photographs)
    shuffled = sorted(classes, key=lambda image_id: (_digest(image_id, seed), image_id))
    count = round(TEST_SHARE * len(shuffled))
    if len(shuffled) > 1:
        count = max(count, 1)
    test, trainval = _Side(shuffled[:count], classes), _Side(shuffled[count:], classes)
    totals = test.counts + trainval.counts
    for name in sorted(totals, key=lambda name: (totals[name], name)):  # the rarest first
        if not trainval.counts[name]:
            _swap(name, test, trainval)
        elif not test.counts[name] and totals[name] > 1:
            _swap(name, trainval, test)
    return {"trainval": tuple(sorted(trainval.ids)), "test": tuple(sorted(test.ids))}


class _Side:
    """The photographs of one split, and how many of them show each class."""

    def __init__(self, ids: list[str], classes: Mapping[str, frozenset[str]]) -> None:
        self.ids = ids
        self.classes = classes
        self.counts = Counter(name for image_id in ids for name in classes[image_id])

    def spare(self, *, showing: str | None = None) -> int | None:
        """Returns the place of the first photograph whose leaving costs no class but `showing`."""
        for i, image_id in enumerate(self.ids):
            names = self.classes[image_id]
            if (showing is None or showing in names) and all(
                self.counts[name] > 1 for name in names if name != showing
            ):
                return i
        return None

    def replace(self, place: int, image_id: str) -> None:
        self.counts.subtract(self.classes[self.ids[place]])
        self.counts.update(self.classes[image_id])
        self.ids[place] = image_id


def _swap(name: str, giver: _Side, taker: _Side) -> None:
    """Swaps a photograph that shows `name` against one that can be spared, if there are such."""
    given, returned = giver.spare(showing=name), taker.spare()
    if given is not None and returned is not None:
        leaving, coming = giver.ids[given], taker.ids[returned]
        giver.replace(given, coming)
        taker.replace(returned, leaving)


def _digest(image_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{image_id}".encode("utf-8", "surrogateescape")).digest()
