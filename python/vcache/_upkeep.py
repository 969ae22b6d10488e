"""The calls that see to what memory holds apart from single reads and writes."""

from __future__ import annotations

from ._snapshot import SnapshotCalls

__all__ = ["UpkeepCalls"]


class UpkeepCalls(SnapshotCalls):
    """Files."""
