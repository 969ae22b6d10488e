"""Longer forms of property tests, under VCACHE_NIGHTLY=1."""

from __future__ import annotations

import os

NIGHTLY = bool(os.environ.get("VCACHE_NIGHTLY"))


def examples(count: int) -> int:
    """How many examples to try where a daily run tries `count`."""
    return count * 20 if NIGHTLY else count
