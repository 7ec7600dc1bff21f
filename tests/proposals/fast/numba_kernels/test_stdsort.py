"""Equal keys end where libstdc++'s `std::sort` leaves them."""

from __future__ import annotations

import numpy as np
import pytest

from frcnn_cli.proposals.fast.numba_kernels.stdsort import std_sort, tie_order

pytestmark = pytest.mark.slow  # the first call compiles

# Places of 40 keys of 4 values after GCC 12's std::sort, noted once.
# fmt: off
LIBSTDCXX = [
    0, 36, 4, 32, 28, 8, 24, 12, 20, 16, 39, 35, 31, 27, 23, 19, 15, 7, 3, 11,
    10, 6, 30, 34, 26, 2, 22, 38, 14, 18, 1, 37, 33, 5, 29, 9, 25, 21, 13, 17,
]
# fmt: on


def test_order_of_equal_keys_is_libstdcxxs():
    values = (np.arange(40) * 7919) % 4
    keys = (values.astype(np.int64) << 32) | np.arange(40)
    in_place = keys.copy()
    std_sort(in_place)
    assert (in_place & 0xFFFFFFFF).tolist() == LIBSTDCXX
    some = tie_order(keys.copy(), np.array([1, 3]))
    assert (some & 0xFFFFFFFF).tolist() == [i for i in LIBSTDCXX if values[i] in (1, 3)]
