"""Which keys a cache holds."""

from __future__ import annotations

from numbers import Integral

from . import _core
from ._arguments import Key
from ._messages import shown

__all__ = ["ListingCalls"]


class ListingCalls:
    """Calls that tell of keys."""

    _tiers: _core.TieredCache

    def hot_keys(self, n: int = 50) -> list[tuple[Key, int]]:
        """The keys of the memory tier that are read most, at most `n`, with their hits.

        Hottest first; of those that were hit as often, in the order of their bytes. A key is a str
        where it is UTF-8, else bytes. Hits are those of memory since the key came into it, also by
        batches and those of values set over each other, up to 4,000,000,000; what has left memory,
        by eviction, expiry or deletion, has none left. Keys without hits are not listed. Looks at
        all entries, some at a time, so that other calls hardly wait: about 10 ms for a million.
        """
        return self._tiers.hot_keys(_count(n, "n"))


def _count(value: object, name: str) -> int:
    allowed = "allowed is an int from 0 on"
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name}={shown(value)} is of type {type(value).__name__}: {allowed}")
    if value < 0:
        raise ValueError(f"{name}={shown(value)}: {allowed}")
    return min(int(value), 2**63)
