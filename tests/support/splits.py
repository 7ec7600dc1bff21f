"""Small random splits, as hypothesis draws them, with objects and detections of two classes."""

from __future__ import annotations

from hypothesis import strategies as st

from support.samples import detected, sample

# Sides on both sides of COCO's borders between small, medium and large.
BOXES = st.builds(
    lambda x, y, w, h: (x, y, x + w, y + h),
    *[st.integers(0, 3).map(lambda i: 5 * i)] * 2,
    *[st.sampled_from([8, 10, 32, 40, 100])] * 2,
)
SCORES = st.sampled_from([0.125, 0.25, 0.5, 0.75, 1.0])
FOUND = st.lists(st.tuples(st.integers(1, 2), SCORES, BOXES), max_size=8)


def split_of(flag):
    """Splits of one to three images; `flag` draws whether an object is difficult."""
    objects = st.lists(st.tuples(st.integers(1, 2), BOXES, flag), max_size=4)
    return st.lists(st.tuples(objects, FOUND), min_size=1, max_size=3)


def tabled(split):
    """Samples and detections by image, with one object that is certainly there."""
    samples = [sample(str(i), *objects) for i, (objects, _) in enumerate(split)]
    samples.append(sample("certain", (1, (0, 0, 10, 10))))
    return samples, {str(i): detected(*found) for i, (_, found) in enumerate(split)}
