from __future__ import annotations

from collections.abc import Iterator

import pytest
from clocked import ClockedCache


@pytest.fixture
def cache() -> Iterator[ClockedCache]:
    """A cache in memory whose clock the test advances."""
    with ClockedCache() as cache:
        yield cache
