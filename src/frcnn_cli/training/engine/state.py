"""The state that a resumed run needs to continue bit for bit, as tensors by name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from frcnn_cli.errors import CheckpointError
from frcnn_cli.training.engine.loop import Trainer

_MODEL, _AVERAGE, _OPTIMIZER = "model.", "average.", "optimizer."
_STEP = "step"


def trainer_state(trainer: Trainer) -> dict[str, Tensor]:
    """Returns weights, averaged weights, the optimiser's moments and the step.

    Learning rates, order and random numbers follow from the step and the settings.
    """
    state = {_STEP: torch.tensor(trainer.step)}
    state |= {_MODEL + name: tensor for name, tensor in trainer.model.state_dict().items()}
    if trainer.average is not None:
        state |= {_AVERAGE + name: tensor for name, tensor in trainer.average.values.items()}
    moments = trainer.optimizer.state_dict()["state"]
    for index, tensors in moments.items():
        for name, tensor in tensors.items():
            if tensor is not None:
                state[f"{_OPTIMIZER}{index}.{name}"] = tensor
    return state


def snapshot(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns contiguous copies on the CPU, which later steps leave alone."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }


def last_whole_state(trainer: Trainer) -> dict[str, Tensor]:
    """Returns the `trainer_state` after the last step that was done, and waits for no other.

    A GPU may wait for ever for another rank before it changes the weights; a stream of its own
    copies them meanwhile.
    """
    if trainer.device.type == "cpu":
        return trainer_state(trainer)
    side = torch.cuda.Stream(trainer.device)  # type: ignore[no-untyped-call]
    while True:
        step = trainer.steps_done()
        with torch.cuda.stream(side):
            state = snapshot(trainer_state(trainer))
        if trainer.steps_done() == step:  # else the GPU changed them
            break
    if step == 0:  # the first step makes the moments
        state = {name: each for name, each in state.items() if not name.startswith(_OPTIMIZER)}
    return state | {_STEP: torch.tensor(step)}


def restore(trainer: Trainer, state: Mapping[str, Tensor]) -> None:
    """Sets a trainer of the same settings to a `trainer_state`.

    Raises:
        CheckpointError: the state belongs to another network or other settings.
    """
    try:
        trainer.model.load_state_dict(_part(state, _MODEL))
        if trainer.average is not None:
            average = _part(state, _AVERAGE)
            for name, tensor in trainer.average.values.items():
                tensor.copy_(average[name])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(state, _OPTIMIZER).items():
            index, _, moment = name.partition(".")
            moments.setdefault(int(index), {})[moment] = tensor
        groups = trainer.optimizer.state_dict()["param_groups"]
        trainer.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        _lay_out(trainer.optimizer)
        trainer.step = int(state[_STEP])
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"the state of the run does not fit its configuration ({error})",
            remedy="start a new run",
        ) from error


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Gives each moment the memory format of its parameter, which a fused step relies on."""
    for parameter, moments in optimizer.state.items():
        for name, moment in moments.items():
            if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter).copy_(moment)


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }
