"""Which keys are read after which: counts of successors, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ._arguments import Key

__all__ = ["Transitions"]

_MOST_SUCCESSORS = 8  # of a key
_WINDOW = 3  # reads before it that a read is counted as a successor of
_LEAST_READS = 3  # of a key, before anything is said of it
_HALVED_AT = 64  # reads of a key: older ones then count half


class _Node:
    __slots__ = ("after", "reads")

    def __init__(self) -> None:
        self.reads = 0
        self.after: dict[Key, float] = {}


class Transitions:
    """Counts, for each of the keys read of late, of the reads that came soon after it.

    A first-order Markov model over a window, after Padmanabhan and Mogul, "Using predictive
    prefetching to improve World Wide Web latency", SIGCOMM 1996: an arc from each read to those
    within the next few, its weight their share of the reads of the first. Differs from it: the
    least frequent of more than eight successors gives way to a new one, as in Metwally, Agrawal,
    El Abbadi, "Efficient computation of frequent and top-k elements in data streams", ICDT 2005,
    without taking over its count; counts are halved as they grow, and the keys read longest ago
    are forgotten. Not thread-safe.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._nodes: dict[Key, _Node] = {}  # the key read longest ago first
        self._recent: deque[Key] = deque(maxlen=_WINDOW)

    def __len__(self) -> int:
        return len(self._nodes)

    def read(self, keys: Iterable[Key]) -> None:
        """Counts reads, in their order."""
        for key in keys:
            for before in set(self._recent):
                if before != key:
                    self._count(before, key)
            node = self._nodes.pop(key, None) or _Node()
            self._nodes[key] = node
            node.reads += 1
            if node.reads >= _HALVED_AT:
                node.reads //= 2
                node.after = {key: count / 2 for key, count in node.after.items()}
            self._recent.append(key)
            if len(self._nodes) > self._most:
                self._nodes.pop(next(iter(self._nodes)))

    def after(self, key: Key, least: float) -> list[Key]:
        """What is read soon after `key` in at least that share of the cases, the likeliest first.

        Nothing is said of a key that was read fewer than three times.
        """
        node = self._nodes.get(key)
        if node is None or node.reads < _LEAST_READS:
            return []
        likely = [(count, each) for each, count in node.after.items() if count >= 2.0]
        likely.sort(key=lambda pair: -pair[0])
        return [each for count, each in likely if count >= least * node.reads]

    def _count(self, before: Key, key: Key) -> None:
        node = self._nodes.get(before)
        if node is None:
            return
        after = node.after
        if key in after:
            after[key] += 1.0
            return
        if len(after) >= _MOST_SUCCESSORS:
            least = min(after, key=after.__getitem__)
            if after[least] > 1.0:
                after[least] -= 1.0  # so that a new pattern gets its turn
                return
            del after[least]
        after[key] = 1.0
