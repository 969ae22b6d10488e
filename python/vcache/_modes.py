"""Blocks in which what is cached is not read: Cache.bypass() and Cache.refreshing()."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from ._locks import ForkLock

if TYPE_CHECKING:
    from ._heads import Heads

__all__ = ["Mode", "Modes"]

# bypass: neither read nor store. refresh: compute anew, and store.
Mode = Literal["bypass", "refresh"]


class _Block:
    """One such block, of one cache. What was begun in it may outlast it."""

    __slots__ = ("is_over", "mode", "modes")

    def __init__(self, modes: Modes, mode: Mode) -> None:
        self.modes, self.mode, self.is_over = modes, mode, False


# The blocks that the running code is in, the innermost last.
_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("vcache_blocks", default=())


class Modes:
    """The blocks that calls of one cache are in, in all threads and tasks. Thread-safe.

    are_on: whether any code is in one. While that is so, no call is answered before it has looked
    at now().
    """

    def __init__(self) -> None:
        self.are_on = False
        self._count = 0
        self._lock = ForkLock(reentrant=True)  # a coroutine that is thrown away ends its blocks
        self._quick: weakref.WeakSet[Heads] = weakref.WeakSet()

    def now(self) -> Mode | None:
        """That of the innermost block around the running code; None for none."""
        for block in reversed(_blocks.get()):
            if block.modes is self and not block.is_over:
                return block.mode
        return None

    @contextmanager
    def block(self, mode: Mode) -> Iterator[None]:
        block = _Block(self, mode)
        token = _blocks.set((*_blocks.get(), block))
        self._add(1)
        try:
            yield
        finally:
            block.is_over = True
            self._add(-1)
            with suppress(ValueError):  # of a coroutine that is thrown away, in another context
                _blocks.reset(token)

    def watch(self, heads: Heads) -> None:
        """Has its wrapper answer no call by itself while there are blocks."""
        with self._lock:
            self._quick.add(heads)
            heads.aim()

    def aim(self, heads: Heads) -> None:
        """To be called when its heads have changed."""
        with self._lock:
            heads.aim()

    def _add(self, change: int) -> None:
        with self._lock:
            self._count += change
            if self.are_on != (self._count > 0):
                self.are_on = self._count > 0
                for heads in list(self._quick):
                    heads.aim()
