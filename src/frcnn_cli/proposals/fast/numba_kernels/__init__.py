"""Building blocks of the numba-compiled search."""
