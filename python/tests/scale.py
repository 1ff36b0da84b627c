"""How often the property and fault tests repeat: in full with AWF_TEST_FULL=1, a tenth otherwise."""

from __future__ import annotations

import os

FULL = os.environ.get("AWF_TEST_FULL") == "1"


def examples(full: int) -> int:
    return full if FULL else max(1, full // 10)
