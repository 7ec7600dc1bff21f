"""The device that is asked for, or one line on why there is none."""

from __future__ import annotations

import pytest
import torch

from frcnn_cli.errors import DeviceError
from frcnn_cli.runtime import device
from frcnn_cli.runtime.device import fetch_later, named_device, pick_device
from support.gpu_usage import PretendGPU


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mps", "frcnn does not compute on 'mps'; use \"cpu\""),
        ("meta", "frcnn does not compute on 'meta'; use \"cpu\""),
        ("gpu", "'gpu' is not a device; use \"cpu\""),
        ("cuda:1", "'cuda:1', but torch sees 1 GPU; the last one is cuda:0"),
    ],
)
def test_other_devices_are_refused(monkeypatch, name: str, message: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError) as caught:
        named_device(name)
    assert message in str(caught.value)


def test_a_gpu_without_kernels_is_named_before_the_work(monkeypatch) -> None:
    """As torch raises on a GPU that it sees and is not built for."""

    def refuse(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("CUDA error: no kernel image is available\nCUDA kernel errors might")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Old GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (6, 1))
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80"])
    monkeypatch.setattr(device.torch, "ones", refuse)
    with pytest.raises(DeviceError) as caught:
        pick_device(None)
    assert str(caught.value) == (
        f"Old GPU has compute capability 6.1, and torch {torch.__version__}, built for sm_75, "
        "sm_80, cannot compute on it (CUDA error: no kernel image is available); install a torch "
        "that is built for it, or use the CPU (--gpus 0)"
    )


def test_numbers_that_do_not_come_are_not_waited_for_without_end(
    pretend_gpu: PretendGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = torch.arange(3.0, device="cuda")
    assert fetch_later(numbers, limit=60)() == [0, 1, 2]
    monkeypatch.setattr(torch.cuda.Event, "query", lambda _: False)
    with pytest.raises(RuntimeError, match=r"the GPU has not answered for 0 s"):
        fetch_later(numbers, limit=0.01)()
