"""The experiments of the paper's Tables 4 to 8 and Figure 3, on the data and network named.

    python benchmarks/paper_tables.py path/to/VOC2007 --steps 6000

Trains seven detectors, detects with each and compares pairs of them on the same images, with a
bootstrap interval. What is done is kept in --state: run it again to resume. --only "Table 5" makes
what the claims of this table need, and files of their own. The SVMs of Table 8 need `pip install
'frcnn-cli[svm]'`. Results go to `tables.md`, `tables.json`, `tables.png` and `figure3.png` there.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from paper.commands import RATIOS, Budget, Workplace, frcnn
from paper.pictures import draw_claims, draw_figure3
from processor import processor

from frcnn_cli.cache.checkpoints import load_checkpoint, save_checkpoint
from frcnn_cli.cache.store import Cache
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.detection.detector import LoadedDetector

FIGURE = "Figure 3"
COUNTS = (50, 100, 200, 500, 1000, 2000)
"""Proposals per image of Figure 3."""
MARGIN = 0.02
"""Difference in mAP up to which the kinds "little" and "as good" hold."""
Kind = Literal["better", "little", "as good"]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper about two rows.

    Attributes:
        source: table and experiment.
        a: a row.
        b: another row.
        text: the claim.
        paper: mAP of `a` and of `b` in the paper, with the network and data in words.
        kind: "better": b is better than a; "little": b is better by `MARGIN` at most; "as good": b
            is worse by `MARGIN` at most.
    """

    source: str
    a: str
    b: str
    text: str
    paper: tuple[float, float, str]
    kind: Kind = "better"


CLAIMS = (
    Claim("Table 4", "svd", "full", "truncated SVD costs little mAP", (66.6, 66.9, "L"), "little"),
    Claim("Table 5", "fc", "full", "training through RoI pooling helps", (61.4, 66.9, "L")),
    Claim(
        "Table 5",
        "full",
        "all",
        "training the first layers too adds little",
        (66.9, 67.2, "L"),
        "little",
    ),
    Claim("Table 6", "classes", "unmoved", "box training helps classification", (62.6, 63.4, "L")),
    Claim("Table 6", "classes", "stagewise", "boxes trained afterwards help", (62.6, 64.0, "L")),
    Claim("Table 6", "stagewise", "full", "training both at once is better", (64.0, 66.9, "L")),
    Claim("Table 7", "full", "five", "five scales are better than one", (57.1, 58.4, "S")),
    Claim("Section 5.3", "third", "full", "more data helps", (66.9, 70.0, "L, 07 and 07+12")),
    Claim("Table 8", "svm", "full", "softmax is as good as SVMs", (66.8, 66.9, "L"), "as good"),
)


def make(place: Workplace, row: str) -> None:
    """Makes the detections of a row, if there are none yet."""
    sides = tuple(round(ratio * place.budget.side) for ratio in RATIOS)
    stagewise = ["--stage-wise", "--iterations", str(2 * place.budget.steps)]  # of two stages
    match row:
        case "full":
            place.detect(row, place.train("full"))
        case "svd":
            place.detect(row, compressed(place.train("full")))
        case "unmoved":
            place.detect(row, without_boxes(place.train("full")))
        case "fc":
            place.detect(row, place.train(row, "--finetune-from", "fc6"))
        case "all":
            place.detect(row, place.train(row, "--finetune-from", "all"))
        case "classes":
            place.detect(row, place.train(row, "--no-box-regression"))
        case "stagewise":
            place.detect(row, place.train(row, *stagewise))
        case "five":
            place.detect(row, place.train(row, sides=sides), sides)
        case "third":
            place.detect(row, place.train(row, split="third"))
        case "svm":
            if not place.detections(row).exists():
                with_svms(place, place.train("full"))
        case _:
            raise ValueError(row)


def compressed(checkpoint: Path) -> Path:
    """Returns the detector with the paper's shares of ranks: 1/4 of fc6, 1/16 of fc7."""
    out = checkpoint.with_name("svd.safetensors")
    if not out.exists():
        tensors, _ = load_checkpoint(checkpoint)
        fc6, fc7 = (len(tensors[f"backbone.head.{name}.weight"]) for name in ("fc6", "fc7"))
        ranks = ["--fc6", str(fc6 // 4), "--fc7", str(fc7 // 16)]
        frcnn("compress", str(checkpoint), *ranks, "--out", str(out))
    return out


def without_boxes(checkpoint: Path) -> Path:
    """Returns the detector that leaves proposals where they are (Table 6, second column)."""
    out = checkpoint.with_name("unmoved.safetensors")
    tensors, info = load_checkpoint(checkpoint)
    still = ("box_delta.weight", "box_delta.bias", "delta_mean")
    save_checkpoint(out, {name: t * 0 if name in still else t for name, t in tensors.items()}, info)
    return out


def with_svms(place: Workplace, checkpoint: Path) -> None:
    """Detects with SVMs on the features of `checkpoint`."""
    from paper import svm  # noqa: PLC0415  scikit-learn, which no other table needs

    cache = Cache(place.cache)
    dataset = open_dataset(place.data, cache)
    detector = LoadedDetector.load(checkpoint, torch.device("cpu"))
    dataset = dataset.with_classes(detector.info.classes)
    features = svm.Features(place.folder / "fc7", detector, cache)
    trained, tested = (read_split(dataset, split)[0] for split in ("train", "test"))
    svms = svm.train(features, trained, len(dataset.classes))
    svm.detect(features, dataset, tested, svms, place.detections("svm"))


def compared(place: Workplace, claim: Claim) -> dict[str, Any]:
    """Returns both mAPs of a claim, the difference and its interval, and the verdict."""
    files = [str(place.detections(each)) for each in (claim.a, claim.b)]
    result = frcnn("eval", str(place.data), "--compare", *files, "--cache-dir", str(place.cache))
    found = {key: result[key] for key in ("map_a", "map_b", "difference", "interval")}
    low, high = result["interval"] or (-1.0, 1.0)
    return {
        **asdict(claim),
        **found,
        "verdict": verdict(claim.kind, result["difference"], low, high),
    }


def verdict(kind: Kind, difference: float, low: float, high: float) -> str:
    """Returns whether a claim holds, in words.

    Args:
        kind: of the claim.
        difference: mAP of `b` minus mAP of `a`.
        low: where its 95 % interval begins.
        high: where it ends.
    """
    limit = {"better": 0.0, "little": MARGIN, "as good": -MARGIN}[kind]
    if low > limit:
        return "does not hold" if kind == "little" else "holds"
    if high < limit:
        return "holds" if kind == "little" else "does not hold"
    if kind == "better":
        return f"{'same' if difference > 0 else 'other'} sign, not significant"
    return "not decided: the interval is too wide"


def seconds(place: Workplace, checkpoint: Path) -> float:
    """Returns the mean seconds of the network per image, on 20 of the images that are scored."""
    names = (place.data / "ImageSets/Main/test.txt").read_text(encoding="utf-8").split()[:20]
    images = [str(place.data / "JPEGImages" / f"{name}.jpg") for name in names]
    words = ["--checkpoint", str(checkpoint), "--out", str(place.folder / "timed.json")]
    result = frcnn("detect", *images, *words, *place.settings("full"), "--gpus", "0")
    return float(result["seconds"]["network"])


def figure3(place: Workplace) -> dict[str, list[float]]:
    """Returns recall at IoU 0.5 and mAP by number of proposals, and draws them."""
    for count in COUNTS:
        place.detect(f"proposals{count}", place.train("full"), proposals=count)
    words = [str(place.data), "--split", "test", "--report", str(place.folder / "recall")]
    report = frcnn("proposals", *words, *place.settings("full"))
    maps = []
    for count in COUNTS:
        file = str(place.detections(f"proposals{count}"))
        scored = ["--detections", file, "--cache-dir", str(place.cache)]
        maps.append(frcnn("eval", str(place.data), *scored)["map_voc07"])
    known = report["recall_by_count"]  # the last one is of all proposals
    recalls = [known.get(str(count), list(known.values())[-1]) for count in COUNTS]
    draw_figure3(place.folder / "figure3.png", COUNTS, recalls, maps)
    return {"recall": recalls, "map": maps}


def describe_figure3(recalls: list[float], maps: list[float]) -> str:
    """Returns what Figure 3 shows: where mAP is highest, and how much it is lower at the end."""
    best = max(range(len(maps)), key=maps.__getitem__)
    rises = "rises" if recalls == sorted(recalls) else "does not always rise"
    falls = f"{100 * (maps[best] - maps[-1]):.1f} points lower at {COUNTS[-1]:,}"
    end = "the largest number tried" if best == len(maps) - 1 else falls
    return f"Figure 3: recall {rises}; mAP is highest at {COUNTS[best]:,} proposals, {end}."


def table(result: dict[str, Any]) -> str:
    """Returns the results in Markdown."""
    budget = ", ".join(f"{name} {value}" for name, value in result["budget"].items())
    lines = [f"Budget: {budget}. Machine: {result['machine']}."]
    if result["claims"]:
        lines += [
            "",
            "| | claim | paper | ours | difference, 95 % interval | verdict |",
            "|---|---|---|---|---|---|",
        ]
    for each in result["claims"]:
        before, after, where = each["paper"]
        low, high = (100 * end for end in each["interval"] or (float("nan"),) * 2)
        ours = f"{100 * each['map_a']:.1f} → {100 * each['map_b']:.1f}"
        lines.append(
            f"| {each['source']} | {each['text']} (`{each['a']}` → `{each['b']}`) "
            f"| {before} → {after} ({where}) | {ours} "
            f"| {100 * each['difference']:+.1f}, {low:+.1f} to {high:+.1f} | {each['verdict']} |"
        )
    if "seconds" in result:
        whole, cut = result["seconds"]["full"], result["seconds"]["svd"]
        lines += [
            "",
            f"Table 4, seconds of the network per image: {whole:.3f}, with truncated SVD {cut:.3f} "
            "(paper, L: 0.32 and 0.22).",
        ]
    if "figure3" in result:
        recalls, maps = result["figure3"]["recall"], result["figure3"]["map"]
        lines += [
            "",
            "| Figure 3: proposals per image | " + " | ".join(map(str, COUNTS)) + " |",
            "|---|" + "---|" * len(COUNTS),
            "| recall at IoU 0.5 | " + " | ".join(f"{value:.3f}" for value in recalls) + " |",
            "| mAP | " + " | ".join(f"{value:.3f}" for value in maps) + " |",
            "",
            describe_figure3(recalls, maps),
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs the experiments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--side", type=int, default=480)
    parser.add_argument("--train-images", type=int, default=0, help="0: all")
    parser.add_argument("--test-images", type=int, default=0, help="0: all")
    parser.add_argument("--only", choices=sorted({FIGURE, *(each.source for each in CLAIMS)}))
    parser.add_argument("--train-split", default="trainval")
    parser.add_argument("--test-split", default="test")
    parser.add_argument("--state", type=Path, default=Path("paper-tables"))
    parser.add_argument("--cache-dir", type=Path, default=Path(".frcnn"))
    given = parser.parse_args()
    budget = Budget(given.backbone, given.steps, given.side, given.train_images, given.test_images)
    splits = given.train_split, given.test_split
    place = Workplace(given.state, given.data, splits, budget, given.cache_dir)
    claims = [claim for claim in CLAIMS if given.only in (None, claim.source)]
    for row in dict.fromkeys(row for claim in claims for row in (claim.a, claim.b)):
        make(place, row)
    result: dict[str, Any] = {
        "budget": asdict(budget),
        "machine": f"{processor()}, torch {torch.__version__}",
        "claims": [compared(place, claim) for claim in claims],
    }
    if given.only in (None, "Table 4"):
        full = place.train("full")
        rows = {"full": full, "svd": compressed(full)}
        result["seconds"] = {row: seconds(place, checkpoint) for row, checkpoint in rows.items()}
    if given.only in (None, FIGURE):
        result["figure3"] = figure3(place)
    name = "tables" if given.only is None else given.only.lower().replace(" ", "")
    if claims:
        draw_claims(place.folder / f"{name}.png", result["claims"])
    text = json.dumps(result, indent=1)
    (place.folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
    (place.folder / f"{name}.md").write_text(table(result), encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    main()
