"""A GPU for machines without one.

Its tensors hold values in the CPU's memory but report `cuda:0`, and refuse to be computed with
together with a tensor of the CPU, to become an array and to be pickled. `PretendGPU` counts what a
real GPU would be asked to do: operations (kernels launched), waits (the host stops until the GPU is
done) and copies. An operation that stands for several kernels counts once, and autocast takes the
CPU's list of operations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from support.gpu_usage import PretendGPU

CUDA = torch.device("cuda", 0)
_FREE = (
    *("detach", "alias", "lift_fresh", "_unsafe_view", "_reshape_alias", "is_same_size"),
    *("empty_like", "new_empty", "new_empty_strided", "empty", "empty_strided"),
    "_local_scalar_dense",
)
"""Operations without a kernel; views are found by their schema."""
_WAITING = (
    *("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "bincount"),
    *("_unique", "_unique2", "unique_dim", "unique_consecutive", "repeat_interleave.Tensor"),
)
"""Operations whose result, or its size, the host has to know."""
_INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")
FACTORIES = (
    *("tensor", "as_tensor", "arange", "zeros", "empty", "full", "ones", "eye"),
    *("rand", "randn", "randint", "randperm"),
)


class MixedDevicesError(RuntimeError):
    """An operation on tensors of both devices."""


GPU = PretendGPU()
"""The GPU of the running test."""


class GpuTensor(Tensor):
    """A tensor on the pretend GPU.

    Attributes:
        values: the same on the CPU.
    """

    values: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, values: Tensor) -> GpuTensor:
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            layout=values.layout,
            device="cpu",
        )
        made.values = values.detach()
        return made

    device = property(lambda self: CUDA)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]

    @property
    def data(self) -> GpuTensor:  # type: ignore[override]
        return GpuTensor(self.values)

    @data.setter
    def data(self, value: GpuTensor) -> None:
        assert isinstance(value, GpuTensor) and value.shape == self.shape
        self.values = value.values

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    __array__ = numpy

    def tolist(self) -> Any:
        GPU.copied(self, "to CPU", waits=True)
        return self.values.tolist()

    def is_pinned(self, *_: Any) -> bool:
        return False

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            GPU.operation("clone")
            copied: Tensor = GpuTensor(self.values.clone(memory_format=torch.preserve_format))
            if isinstance(self, nn.Parameter):
                copied = nn.Parameter(copied, self.requires_grad)
            memo[id(self)] = copied
        return memo[id(self)]

    def __reduce_ex__(self, _: Any) -> Any:
        raise RuntimeError("a tensor of the GPU is pickled")

    def __repr__(self, *_: Any, **__: Any) -> str:
        return f"GpuTensor({self.values!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        _look_at(func, args, kwargs)
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        on_cpu = tree_map_only(GpuTensor, lambda tensor: tensor.values, (args, kwargs))
        result = func(*on_cpu[0], **on_cpu[1])
        written = _written(func)
        if not written:
            return tree_map_only(Tensor, GpuTensor, result)
        if kwargs.get("out") is not None:
            return kwargs["out"]
        returned = func._schema.returns
        return args[written[0]] if len(returned) == 1 and returned[0].alias_info else result


def _look_at(func: Any, args: Any, kwargs: Any) -> None:
    """Counts an operation and what it makes the host wait for; refuses mixed devices."""
    name, overload = func._schema.name.partition("::")[2], func._schema.overload_name
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    on_the_cpu = [t for t in tensors if not isinstance(t, GpuTensor) and t.dim()]
    if on_the_cpu and name == "copy_":
        to_gpu = isinstance(args[0], GpuTensor)
        source = args[1] if isinstance(args[1], Tensor) else args[0]
        host = args[1] if to_gpu else args[0]
        waits = not (len(args) > 2 and args[2] and _is_pinned(host))
        GPU.copied(source, "to GPU" if to_gpu else "to CPU", waits=waits)
    elif on_the_cpu and name in _INDEXING and isinstance(args[0], GpuTensor):
        GPU.wait("index on the CPU")
    elif on_the_cpu:
        shapes = [(type(t).__name__, tuple(t.shape)) for t in tensors]
        raise MixedDevicesError(f"{func}: tensors on cuda:0 and on the CPU, {shapes}")
    if name in _WAITING or f"{name}.{overload}" in _WAITING:
        GPU.wait(name)
    if name in _INDEXING and any(t is not None and t.dtype == torch.bool for t in args[1]):
        GPU.wait("index by a mask")
    if name not in _FREE and not _is_view(func):
        GPU.operation(name)


@cache
def _is_view(func: Any) -> bool:
    return any(a.alias_info and not a.alias_info.is_write for a in func._schema.arguments)


@cache
def _written(func: Any) -> tuple[int, ...]:
    """Returns which arguments an operation writes to; `out` counts."""
    arguments = enumerate(func._schema.arguments)
    return tuple(i for i, a in arguments if a.alias_info and a.alias_info.is_write)


def _is_pinned(tensor: Tensor) -> bool:
    return getattr(tensor, "pretends_to_be_pinned", False)


def _is_gpu(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cuda"


_to = Tensor.to


def moved(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Stands for `Tensor.to`."""
    if args and isinstance(args[0], Tensor):
        args = (args[0].device, args[0].dtype, *args[1:])
    device, rest = kwargs.pop("device", None), list(args)
    if rest and not isinstance(rest[0], torch.dtype):
        device = rest.pop(0)
    dtype = rest.pop(0) if rest and not isinstance(rest[0], bool) else kwargs.pop("dtype", None)
    non_blocking = rest.pop(0) if rest else kwargs.pop("non_blocking", False)
    if rest:
        kwargs["copy"] = rest.pop(0)
    if dtype is not None:
        kwargs["dtype"] = dtype
    here = isinstance(self, GpuTensor)
    if device is None or _is_gpu(device) == here:
        return _to(self, **kwargs) if kwargs else self
    if here:
        # To pageable memory a copy waits even where it is asked not to.
        GPU.copied(self, "to CPU", waits=not non_blocking)
        values = self.values.clone(memory_format=torch.preserve_format)  # type: ignore[attr-defined]
        return _to(values, device, **kwargs)
    if not _is_gpu(device):
        return _to(self, device, **kwargs)
    GPU.copied(self, "to GPU", waits=not (non_blocking and _is_pinned(self)))
    moved = GpuTensor(self.detach().clone(memory_format=torch.preserve_format))
    return _to(moved, **kwargs) if kwargs else moved


def pinned(self: Tensor, *_: Any) -> Tensor:
    """Stands for `Tensor.pin_memory`."""
    assert not isinstance(self, GpuTensor), "only tensors of the CPU can be pinned"
    pinned = self.clone(memory_format=torch.preserve_format)
    pinned.pretends_to_be_pinned = True  # type: ignore[attr-defined]
    return pinned


def factory(name: str, make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def made(*args: Any, **kwargs: Any) -> Tensor:
        pin = kwargs.pop("pin_memory", False)
        if not _is_gpu(kwargs.get("device")):
            return pinned(make(*args, **kwargs)) if pin else make(*args, **kwargs)
        values = make(*args, **{**kwargs, "device": "cpu"})
        if name in ("tensor", "as_tensor"):
            GPU.copied(values, "to GPU", waits=True)
        elif name != "empty":
            GPU.operation(name)
        return GpuTensor(values)

    return made


_group = torch._C._group_tensors_by_device_and_dtype  # type: ignore[attr-defined]


def grouped(tensors: list[list[Tensor | None]], with_indices: bool = False) -> Any:
    """Stands for the grouping of optimisers, which sees through to the CPU."""
    groups = _group(tensors, with_indices)
    first = next(tensor for tensor in tensors[0] if tensor is not None)
    if not isinstance(first, GpuTensor):
        return groups
    return {(CUDA, dtype): group for (_, dtype), group in groups.items()}
