"""Number of examples that `make fuzz` and `make test` try.

`FRCNN_FUZZ_EXAMPLES` is the number of examples for each reader, writer and way of making them.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("FRCNN_FUZZ_EXAMPLES", "12"))
fuzzed = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize="FRCNN_FUZZ_EXAMPLES" not in os.environ,  # `make test` never flickers
    database=None,
)
