"""Makes a split for data that lacks it: seeded, and by class."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

TEST_SHARE = 0.2
"""Share of the images in `test`."""


def make_splits(
    images: Iterable[tuple[str, frozenset[str]]], *, seed: int, share: float = TEST_SHARE
) -> dict[str, tuple[str, ...]]:
    """Returns `test` (the share of the ids) and `trainval` (the others), each sorted.

    Every class has about its share of images in `test`. Where a swap can do it without taking
    another class away, a class in two or more images is on both sides, and a class in only
    one is in `trainval`. The choice follows from the ids, their classes and the seed, not from
    their order.

    Args:
        images: (id, its classes), as `Dataset.class_sets` gives them.
        seed: another seed, another choice.
        share: of the images, 0..1.
    """
    classes = dict(images)
    shuffled = shuffle(classes, seed)
    count = round(share * len(shuffled))
    if len(shuffled) > 1:
        count = min(max(count, 1), len(shuffled) - 1)
    chosen = _by_class(shuffled, classes, count)
    test = _Side([each for each in shuffled if each in chosen], classes)
    trainval = _Side([each for each in shuffled if each not in chosen], classes)
    totals = test.counts + trainval.counts
    for name in sorted(totals, key=lambda name: (totals[name], name)):  # the rarest first
        if not trainval.counts[name]:
            _swap(name, test, trainval)
        elif not test.counts[name] and totals[name] > 1:
            _swap(name, trainval, test)
    return {"trainval": tuple(sorted(trainval.ids)), "test": tuple(sorted(test.ids))}


def _by_class(
    order: Sequence[str], classes: Mapping[str, frozenset[str]], count: int
) -> frozenset[str]:
    """Returns `count` ids such that every class has about the same share of its images there.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011): the class with the
    fewest images left is dealt first, each image to the side that still lacks more of
    the class.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for image_id in order:
        for name in classes[image_id]:
            members[name].append(image_id)
    share = count / max(len(order), 1)
    left = Counter({name: len(ids) for name, ids in members.items()})
    lacking = {name: [total * share, total * (1 - share)] for name, total in left.items()}
    room = [count, len(order) - count]
    side: dict[str, int] = {}

    def deal(image_id: str, to: int) -> None:
        to = to if room[to] else 1 - to
        side[image_id] = to
        room[to] -= 1
        for name in classes[image_id]:
            left[name] -= 1
            lacking[name][to] -= 1

    while members:
        rarest = min(members, key=lambda name: (left[name], name))
        for image_id in members.pop(rarest):
            if image_id not in side:
                test, trainval = lacking[rarest]
                deal(image_id, int(trainval > test))
    for image_id in order:
        if image_id not in side:
            deal(image_id, 0)
    return frozenset(image_id for image_id, to in side.items() if to == 0)


class _Side:
    """The images of one split, and how many of them show each class."""

    def __init__(self, ids: list[str], classes: Mapping[str, frozenset[str]]) -> None:
        self.ids = ids
        self.classes = classes
        self.counts = Counter(name for image_id in ids for name in classes[image_id])

    def spare(self, *, showing: str | None = None) -> int | None:
        """Returns the place of the first image whose leaving costs no class but `showing`."""
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
    """Swaps an image that shows `name` against one that can be spared, if there are such."""
    given, returned = giver.spare(showing=name), taker.spare()
    if given is not None and returned is not None:
        leaving, coming = giver.ids[given], taker.ids[returned]
        giver.replace(given, coming)
        taker.replace(returned, leaving)


def shuffle(ids: Iterable[str], seed: int) -> list[str]:
    """Returns the ids in an order that follows from the seed and their text alone."""

    def digest(image_id: str) -> bytes:
        return hashlib.sha256(f"{seed}:{image_id}".encode("utf-8", "surrogateescape")).digest()

    return sorted(sorted(ids), key=digest)
