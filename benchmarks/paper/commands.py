"""The commands of frcnn in this process, and the files that the experiments share."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from frcnn_cli.cache.store import Cache
from frcnn_cli.cli.app import app
from frcnn_cli.data.open import open_dataset

RATIOS = (0.8, 0.96, 1.1467, 1.44, 2.0)
"""The paper's five scales (480 to 1200) as multiples of its one, 600."""


def frcnn(*words: str) -> dict[str, Any]:
    """Runs a command and returns its JSON; its progress stays on stderr."""
    print("$ frcnn", *words, flush=True)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = typer.main.get_command(app).main(
            [*words, "--json"], prog_name="frcnn", standalone_mode=False
        )
    if code:
        raise SystemExit(code)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


@dataclass(frozen=True)
class Budget:
    """Trainings of a table: their data and their length.

    Attributes:
        backbone: the network.
        steps: of each training.
        side: short side of the one scale, pixels.
        train_images: of the split, in its order; 0: all.
        test_images: the same for the images that are scored.
    """

    backbone: str
    steps: int
    side: int
    train_images: int
    test_images: int


class Workplace:
    """The folder that keeps everything, so that a stopped experiment goes on where it was.

    Args:
        folder: made if need be; one per budget and data.
        data: a VOC year folder, or one that holds it.
        splits: to train on and to score on.
        budget: of every training.
        cache: of proposals and runs, which other folders may share.

    Raises:
        SystemExit: the data has no such split, or the folder is of another budget or data.
    """

    def __init__(
        self, folder: Path, data: Path, splits: tuple[str, str], budget: Budget, cache: Path
    ) -> None:
        self.folder, self.budget, self.cache = folder, budget, cache
        self.data = folder / "data" / "VOC"
        lists = next(data.resolve().rglob("ImageSets/Main"), None)
        if lists is None:
            raise SystemExit(f"{data}: has no ImageSets/Main; name a VOC folder")
        ours = asdict(budget) | {"data": str(data.resolve()), "splits": list(splits)}
        self._require_same(ours)
        self._link(lists.parents[1], splits)
        text = json.dumps(ours, indent=1) + "\n"
        (folder / "budget.json").write_text(text, encoding="utf-8")
        self._runs = f"paper-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def _require_same(self, ours: dict[str, object]) -> None:
        """Refuses a folder of another budget or data, so that their results are not reused."""
        path = self.folder / "budget.json"
        if path.exists():
            theirs = json.loads(path.read_text(encoding="utf-8"))
        else:
            theirs = {} if any(self.folder.glob("detections/*")) else ours
        differ = [f"{key} {theirs.get(key)}" for key in ours if theirs.get(key) != ours[key]]
        if differ:
            raise SystemExit(f"{path}: has {', '.join(differ)}; name another folder with --state")

    def _link(self, home: Path, splits: tuple[str, str]) -> None:
        """Makes a VOC folder of links, whose lists `train`, `third` and `test` are the budget's."""
        found = open_dataset(home, Cache(self.cache)).splits
        for split in splits:
            if split not in found:
                raise SystemExit(f"{home}: has no split {split!r}, but {', '.join(found)}")
        for name in ("data/VOC/ImageSets/Main", "detections", "settings"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("JPEGImages", "Annotations"):
            with contextlib.suppress(FileExistsError):
                (self.data / name).symlink_to(home / name)
        train = found[splits[0]][: self.budget.train_images or None]
        lists = {
            "train": train,
            "third": train[: max(1, len(train) // 3)],
            "test": found[splits[1]][: self.budget.test_images or None],
        }
        used = {*lists["train"], *lists["test"]}
        lists["rest"] = tuple(
            dict.fromkeys(i for ids in found.values() for i in ids if i not in used)
        )
        for name, ids in lists.items():
            path = self.data / "ImageSets/Main" / f"{name}.txt"
            path.write_text("".join(f"{each}\n" for each in ids), encoding="utf-8")

    def settings(self, name: str, sides: tuple[int, ...] = (), proposals: int = 2000) -> list[str]:
        """Returns the flags that name a settings file, which this writes.

        Args:
            name: of the file.
            sides: the scales, of training and of detection; none: the budget's one.
            proposals: per image.
        """
        budget = self.budget
        tables: dict[str, dict[str, object]] = {
            "input": {"short_side": budget.side, "long_side": budget.side * 5 // 3},
            "train": {
                "iterations": budget.steps,
                "epochs": 0.0,
                "short_sides": list(sides or (budget.side,)),
                "long_side": max(sides or (budget.side,)) * 5 // 3,
                "warmup_steps": min(100, budget.steps // 6),
                "checkpoint_every": max(1, budget.steps // 10),
                "validation_images": 0,
                "final_eval": False,
            },
            "detect": {"vote": 0.0, "scales": list(sides)},  # the paper's boxes do not vote
            "proposals": {"max_proposals": proposals},
        }
        path = self.folder / "settings" / f"{name}.toml"
        lines = []
        for table, values in tables.items():
            lines += [
                f"[{table}]",
                *(f"{key} = {json.dumps(each)}" for key, each in values.items()),
            ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return ["--config", str(path), "--cache-dir", str(self.cache)]

    def train(
        self, name: str, *flags: str, split: str = "train", sides: tuple[int, ...] = ()
    ) -> Path:
        """Returns the checkpoint of the training `name`, after whatever is missing of it.

        Args:
            name: of the row.
            flags: what differs from the others.
            split: to train on.
            sides: the scales.
        """
        run = f"{self._runs}-{name}"
        folder = self.cache / "runs" / run
        if not (folder / "curves.png").exists():  # the last thing that a run writes
            if (folder / "resume.safetensors").exists():
                words = [str(self.data), "--resume", "--cache-dir", str(self.cache)]
            else:
                words = [str(self.data), "--split", split, "--backbone", self.budget.backbone]
                words += [*self.settings(name, sides), *flags]
            frcnn("train", "--run", run, *words, "--gpus", "0")
        return folder / "best.safetensors"

    def detections(self, name: str) -> Path:
        """Returns the file of what the row `name` detects in the images that are scored."""
        return self.folder / "detections" / f"{name}.json"

    def detect(
        self, name: str, checkpoint: Path, sides: tuple[int, ...] = (), proposals: int = 2000
    ) -> Path:
        """Returns the detections of the row `name`, after detecting them if they are missing.

        Args:
            name: of the row.
            checkpoint: its detector.
            sides: the scales.
            proposals: per image.
        """
        out = self.detections(name)
        if not out.exists():
            words = [str(self.data), "--checkpoint", str(checkpoint), "--export", str(out)]
            frcnn("eval", *words, *self.settings(name, sides, proposals), "--gpus", "0")
        return out
