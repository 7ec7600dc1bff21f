"""The loop learns, stops at a loss that is not finite, repeats itself, and makes do with memory."""

from __future__ import annotations

import pytest
import torch

from frcnn_cli.config import TrainConfig
from frcnn_cli.errors import TrainingError
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.report import StepReport
from frcnn_cli.training.engine.state import trainer_state
from frcnn_cli.training.engine.step import NotFiniteError
from support import tiny
from support.settings import changed, train_config

CPU = torch.device("cpu")
CONFIG = train_config(
    iterations=200, optimizer="adamw", lr=0.01, lr_schedule="cosine", dropout=0.1, ema=0.5
)


def train(config: TrainConfig, steps: int) -> tuple[Trainer, list[StepReport]]:
    reports: list[StepReport] = []
    trainer = Trainer(tiny.model(), config, CPU)
    reports += trainer.run([tiny.batch()] * steps)
    return trainer, reports


def test_overfits_one_batch() -> None:
    _, reports = train(CONFIG, CONFIG.schedule.iterations)
    assert reports[0].classification > 0.9  # log 3
    assert reports[-1].classification < 0.1
    assert reports[-1].box < 0.1 * reports[0].box
    assert [report.step for report in reports] == list(range(1, 201))
    assert (reports[0].foreground, reports[0].rois) == (8, 12)


def test_same_seed_same_weights_and_the_global_state_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    one, _ = train(CONFIG, 3)
    assert torch.equal(state, torch.random.get_rng_state())
    same, _ = train(CONFIG, 3)
    other, _ = train(changed(CONFIG, seed=1), 3)
    head = "backbone.head.fc7.weight"
    assert torch.equal(one.model.state_dict()[head], same.model.state_dict()[head])
    assert not torch.equal(one.model.state_dict()[head], other.model.state_dict()[head])


@pytest.mark.parametrize(("field", "term"), [("images", "classification"), ("deltas", "box")])
def test_a_loss_that_is_not_finite_stops_before_the_weights_are_touched(
    field: str, term: str
) -> None:
    batch = tiny.batch()
    nan = torch.tensor(torch.nan)
    value = (batch.images[0], batch.images[1] * nan) if field == "images" else batch.deltas * nan
    poisoned = batch._replace(**{field: value})
    trainer = Trainer(tiny.model(), CONFIG, CPU)
    before = trainer.model.class_score.weight.clone()
    message = f"the {term} loss is nan at step 2, images 0-0, 0-1"
    with pytest.raises(NotFiniteError, match=message) as caught:
        list(trainer.run([tiny.batch(), poisoned]))
    assert (caught.value.step, caught.value.term) == (2, term)
    assert caught.value.batch.image_ids == poisoned.image_ids
    assert trainer.step == 1
    once, _ = train(CONFIG, 1)
    assert torch.equal(once.model.class_score.weight, trainer.model.class_score.weight)
    assert not torch.equal(before, trainer.model.class_score.weight)


@pytest.mark.parametrize("clip_norm", [0.0, 10.0])
def test_a_gradient_that_is_not_finite_touches_nothing_either(clip_norm: float) -> None:
    config = changed(CONFIG, max_grad_norm=clip_norm, optimizer="adamw", ema=0.9)
    trainer = Trainer(tiny.model(), config, CPU)
    list(trainer.run([tiny.batch()]))
    before = {name: tensor.clone() for name, tensor in trainer_state(trainer).items()}
    trainer.model.class_score.bias.register_hook(lambda gradient: gradient / 0)
    reports: list[StepReport] = []
    with pytest.raises(NotFiniteError, match=r"gradient's norm is (inf|nan) at step 2") as caught:
        reports += trainer.run([tiny.batch()])
    assert caught.value.term == "gradient"
    after = trainer_state(trainer)
    assert reports == []
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_it_stops_when_asked() -> None:
    trainer = Trainer(tiny.model(), CONFIG, CPU)
    list(trainer.run([tiny.batch()] * 5, stop=lambda: trainer.step == 3))
    assert trainer.step == 3


class SmallMemory:
    """Stands for a GPU, which is not here: a forward pass of too many RoIs at once fails."""

    def __init__(self, model: FastRCNN, most: int) -> None:
        self.most, self.failures = most, 0
        model.backbone.head.register_forward_pre_hook(self._take)

    def _take(self, _: object, inputs: tuple[torch.Tensor]) -> None:
        if len(inputs[0]) > self.most:
            self.failures += 1
            raise torch.OutOfMemoryError


# 12 RoIs; 6 an image; in two and four pieces 3 and at most 2.
@pytest.mark.parametrize(("most", "failures"), [(12, 0), (6, 1), (3, 2), (2, 3)])
def test_out_of_memory_makes_the_pieces_smaller_and_changes_no_result(
    most: int, failures: int
) -> None:
    config = train_config(iterations=3, dropout=0.5)
    whole = Trainer(tiny.model(), config, CPU)
    list(whole.run(map(tiny.batch, range(3))))
    trainer = Trainer(tiny.model(), config, CPU)
    memory = SmallMemory(trainer.model, most)
    reports: list[StepReport] = []
    reports += trainer.run(map(tiny.batch, range(3)))
    assert memory.failures == failures  # the next steps start with the pieces that fit
    ours, theirs = trainer.model.state_dict(), whole.model.state_dict()
    for name in theirs:
        assert torch.allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-7), name


def test_out_of_memory_for_good_names_what_to_lower() -> None:
    trainer = Trainer(tiny.model(), TrainConfig(), CPU)
    SmallMemory(trainer.model, 0)
    before = trainer.model.class_score.weight.clone()
    with pytest.raises(TrainingError, match="no memory for a step; lower short_sides or rois_per"):
        list(trainer.run([tiny.batch()]))
    assert torch.equal(before, trainer.model.class_score.weight)


def test_measuring_learns_nothing() -> None:
    trainer = Trainer(tiny.model(), CONFIG, CPU)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    assert trainer.measure(tiny.batch()) > 0
    assert all(torch.equal(before[n], t) for n, t in trainer.model.state_dict().items())
    assert trainer.step == 0
    list(trainer.run([tiny.batch()]))
    once, _ = train(CONFIG, 1)
    assert torch.equal(once.model.class_score.weight, trainer.model.class_score.weight)
