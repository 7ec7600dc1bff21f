"""A hint to the processor, which Python has no word for."""

# numba and llvmlite are not annotated.
# mypy: disable-error-code="no-untyped-call, attr-defined"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    import numpy as np

    def prefetch(array: np.ndarray, row: int) -> None:
        """Asks the processor to fetch a row into its cache, and goes on without waiting."""

else:

    @intrinsic
    def prefetch(_: Any, array: Any, row: Any) -> Any:
        """Asks the processor to fetch a row into its cache, and goes on without waiting."""
        return types.void(array, row), _generate


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Writes the call of LLVM's intrinsic function."""
    kind = signature.args[0]
    view = context.make_array(kind)(context, builder, arguments[0])
    row = context.cast(builder, arguments[1], signature.args[1], types.intp)
    indices = [row] + [ir.Constant(row.type, 0)] * (kind.ndim - 1)
    at = cgutils.get_item_pointer(context, builder, kind, view, indices)
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    declared = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    function = cgutils.get_or_insert_function(builder.module, declared, "llvm.prefetch.p0")
    to_write, keep, data = number(1), number(3), number(1)
    builder.call(function, [builder.bitcast(at, byte), to_write, keep, data])
    return context.get_dummy_value()
