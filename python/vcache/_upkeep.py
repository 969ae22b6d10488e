"""The calls that see to what memory holds apart from single reads and writes."""

from __future__ import annotations

from ._prefetching import PrefetchCalls
from ._refreshing import RefreshCalls
from ._snapshot import SnapshotCalls
from ._warming import WarmCalls

__all__ = ["UpkeepCalls"]


class UpkeepCalls(SnapshotCalls, WarmCalls, RefreshCalls, PrefetchCalls):
    """Files, warming, refreshing and prefetching."""
