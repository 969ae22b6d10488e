"""Which keys a cache holds, for hosts whose stores list them."""

from __future__ import annotations

from collections.abc import Iterator

from .. import _listing
from ..cache import Cache

__all__ = ["keys_under"]


def keys_under(cache: Cache, prefix: str) -> Iterator[str]:
    """The keys that begin with `prefix` and that `cache` holds, in no order, each once.

    With Redis also those that are there, by SCAN, some round trips for each 1,000 keys there; a
    RedisError if it gives no answer. Keys that are no text are nobody's here.
    """
    found = _listing.keys_under(cache._tiers, prefix, required=True)
    return (key for key in found if isinstance(key, str))
