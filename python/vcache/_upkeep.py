"""The calls that see to what memory holds apart from single reads and writes."""

from __future__ import annotations

from ._refreshing import RefreshCalls
from ._snapshot import SnapshotCalls
from ._warming import WarmCalls

__all__ = ["UpkeepCalls"]


class UpkeepCalls(SnapshotCalls, WarmCalls, RefreshCalls):
    """Files, warming and refreshing."""
