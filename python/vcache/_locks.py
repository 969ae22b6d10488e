"""Locks that a forked child finds free."""

from __future__ import annotations

import os
import threading
import weakref

__all__ = ["ForkLock"]


class ForkLock:
    """A lock, in a `with` statement. In a child, to which no other thread came along, it is free.

    So it is for counts and dictionaries, which a thread of the parent may have been changing. A
    `reentrant` one may be taken by what the garbage collector runs in the block.
    """

    __slots__ = ("__weakref__", "_lock", "_make")

    def __init__(self, *, reentrant: bool = False) -> None:
        self._make = threading.RLock if reentrant else threading.Lock
        self._lock = self._make()
        _all_locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_all_locks: weakref.WeakSet[ForkLock] = weakref.WeakSet()


def _reset_after_fork() -> None:
    for lock in list(_all_locks):
        lock._lock = lock._make()


os.register_at_fork(after_in_child=_reset_after_fork)
