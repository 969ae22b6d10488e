"""What may be answered for a key that several caches write, and must once they agree.

In good times a writer sees its own change at once and the others see it soon: nobody who saw a
change sees what was before it. In bad times (from a fault until settle()) a change may wait where
it was made, and take effect after later ones of others; a writer sees its own all the same.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from vcache import MISSING

NOBODY = -1  # the writer of what happens to a key without a cache


@dataclass
class Change:
    writer: int
    value: Hashable  # MISSING: the key was removed
    losses: int  # how often Redis had lost all by then
    in_fault: bool = False
    may_vanish: bool = False  # Redis may have refused it


class Timeline:
    """The changes of one key since settle(), the newest last. `losses`: as Change has them."""

    def __init__(self) -> None:
        self._changes = [Change(NOBODY, MISSING, 0)]
        self._seen: dict[int, int] = {}  # by reader: the index of the oldest it may still see

    def add(self, change: Change) -> None:
        self._changes.append(change)
        self._seen[change.writer] = len(self._changes) - 1

    @property
    def newest(self) -> Hashable:
        return self._changes[-1].value

    def may_see(self, reader: int, losses: int, *, is_bad: bool) -> set[Hashable]:
        """The values that a reader may get: one where it must."""
        oldest = self._seen.get(reader, 0)
        if not is_bad:
            return {change.value for change in self._changes[oldest:]}
        own = self._own(reader, losses)
        if own is not None:
            return {own.value}
        late = [each for each in self._changes if each.in_fault and each.writer != reader]
        return {MISSING} | {change.value for change in (*self._changes[oldest:], *late)}

    def see(self, reader: int, value: Hashable) -> None:
        """In good times: nothing older is seen by this reader any more."""
        oldest = self._seen.get(reader, 0)
        values = [change.value for change in self._changes[oldest:]]
        self._seen[reader] = oldest + values.index(value)

    def ends(self, losses: int, *, is_bad: bool) -> set[Hashable]:
        """The values on which all may agree once every change has taken effect."""
        last = {each.writer: each for each in self._changes if is_bad and each.in_fault}
        ends = list(last.values()) or [self._changes[-1]]
        is_lost = is_bad and any(each.losses < losses or each.may_vanish for each in ends)
        return {each.value for each in ends} | ({MISSING} if is_lost else set())

    def settle(self, value: Hashable, losses: int) -> None:
        """All changes have taken effect, and this is what is left."""
        self._changes = [Change(NOBODY, value, losses)]
        self._seen = {}

    def _own(self, reader: int, losses: int) -> Change | None:
        """The reader's own change in bad times, which it sees as long as nobody makes another."""
        faults = [each for each in self._changes if each.in_fault]
        if not faults or any(each.writer != reader for each in faults):
            return None
        own = faults[-1]
        return None if own.may_vanish or own.losses < losses else own
