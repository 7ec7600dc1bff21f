"""The VOC devkit's `VOCevaldet.m` and `VOCap.m`, line by line and slow: what ours is held against.

Boxes are the devkit's 1-based inclusive pixels, areas have its `+ 1`.
"""

from __future__ import annotations

import numpy as np


def inclusive(box):
    """Our 0-based edges as the devkit's (xmin, ymin, xmax, ymax)."""
    x1, y1, x2, y2 = (float(edge) for edge in box)
    return x1 + 1, y1 + 1, x2, y2


def overlap(bb, bbgt):
    bi = max(bb[0], bbgt[0]), max(bb[1], bbgt[1]), min(bb[2], bbgt[2]), min(bb[3], bbgt[3])
    iw, ih = bi[2] - bi[0] + 1, bi[3] - bi[1] + 1
    if iw <= 0 or ih <= 0:
        return -np.inf
    ua = (bb[2] - bb[0] + 1) * (bb[3] - bb[1] + 1)
    ua += (bbgt[2] - bbgt[0] + 1) * (bbgt[3] - bbgt[1] + 1)
    return iw * ih / (ua - iw * ih)


def curve(samples, detections, label, min_overlap):
    """Precision and recall after every detection of `label`, or (None, None) without objects."""
    truth, npos = {}, 0
    for sample in samples:
        mine = np.flatnonzero(sample.labels == label)
        truth[sample.image_id] = [
            {
                "box": inclusive(sample.boxes[i]),
                "difficult": bool(sample.difficult[i]),
                "found": False,
            }
            for i in mine
        ]
        npos += sum(not each["difficult"] for each in truth[sample.image_id])
    found = [
        (float(score), sample.image_id, inclusive(box))
        for sample in samples
        if sample.image_id in detections
        for box, score, kind in zip(
            detections[sample.image_id].boxes,
            detections[sample.image_id].scores,
            detections[sample.image_id].labels,
            strict=True,
        )
        if kind == label
    ]
    found.sort(key=lambda each: -each[0])  # Python's sort is stable
    tp, fp = np.zeros(len(found)), np.zeros(len(found))
    for d, (_, image_id, bb) in enumerate(found):
        ovmax, best = -np.inf, None
        for each in truth[image_id]:
            ov = overlap(bb, each["box"])
            if ov > ovmax:
                ovmax, best = ov, each
        if ovmax >= min_overlap:
            if not best["difficult"]:
                if not best["found"]:
                    tp[d], best["found"] = 1, True
                else:
                    fp[d] = 1
        else:
            fp[d] = 1
    if npos == 0:
        return None, None
    tp, fp = np.cumsum(tp), np.cumsum(fp)
    with np.errstate(invalid="ignore"):
        precision = tp / (tp + fp)  # NaN before the first that counts, as in MATLAB
    return precision, tp / npos


def voc07(precision, recall):
    total = 0.0
    for tenth in range(11):
        at_least = [
            p for p, r in zip(precision, recall, strict=True) if r >= tenth / 10 and not np.isnan(p)
        ]
        total += max(at_least, default=0.0) / 11
    return total


def voc10(precision, recall):
    mrec = [0.0, *recall, 1.0]
    mpre = [0.0, *np.nan_to_num(precision), 0.0]
    for i in range(len(mpre) - 2, -1, -1):
        mpre[i] = max(mpre[i], mpre[i + 1])
    return sum((mrec[i] - mrec[i - 1]) * mpre[i] for i in range(1, len(mrec)))


def coco_matches(samples, detections, label, min_overlap):
    """COCO's matching of one class: (score, found) by decreasing score, and objects."""
    rows, objects = [], 0
    for sample in samples:
        truth = [inclusive(box) for box in sample.boxes[sample.labels == label]]
        objects += len(truth)
        found = detections.get(sample.image_id)
        mine = [] if found is None else np.flatnonzero(found.labels == label)
        mine = sorted(mine, key=lambda i: -found.scores[i])  # Python's sort is stable
        taken = set()
        for i in mine[:100]:
            best, at_least = None, min(min_overlap, 1 - 1e-10)
            for g, box in enumerate(truth):
                ov = overlap(inclusive(found.boxes[i]), box)
                if g not in taken and ov >= at_least:
                    best, at_least = g, ov
            if best is not None:
                taken.add(best)
            rows.append((float(found.scores[i]), best is not None))
    rows.sort(key=lambda row: -row[0])
    return rows, objects


def coco_ap(rows, objects):
    """COCO's 101-point AP of one class at one IoU."""
    curve = []
    hits = 0
    for number, (_, found) in enumerate(rows, start=1):
        hits += found
        curve.append((hits / number, hits / objects))
    total = 0.0
    for level in np.linspace(0, 1, 101):
        total += max((p for p, r in curve if r >= level), default=0.0) / 101
    return total
