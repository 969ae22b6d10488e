"""Two policies over the same requests: caches of both for each half of the keys, several times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .._weights import ModelLike
from ..sim._replay import Objective, Progress, Unit, new_cache
from ..sim._trace import Trace

__all__ = ["SPLITS", "Counts", "Crossover"]

SPLITS = 4
"""Ways in which the keys are halved."""

_FIRST_STRETCH = 64  # requests
_MOST_STRETCHES = 2048
_TURNS = 3  # times that a cache is filled anew before it counts as warm


@dataclass(frozen=True, eq=False)
class Counts:
    """What was missed in n stretches of requests, in their order.

    requests: of each stretch, int64 of shape (n,).
    weights: what a stretch asked for, in requests or in cost, float64 of shape (n,).
    missed: what of it each cache missed, float64 of shape (n, splits, halves, policies).
    warm_up: requests before the first stretch.
    """

    requests: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    missed: npt.NDArray[np.float64]
    warm_up: int


@dataclass(slots=True)
class _Stretch:
    """Requests in a row, and whether the caches were full and warm before them."""

    requests: int
    weight: float
    missed: npt.NDArray[np.float64]
    is_full: bool
    is_warm: bool

    def joined(self, later: _Stretch) -> _Stretch:
        return _Stretch(
            self.requests + later.requests,
            self.weight + later.weight,
            self.missed + later.missed,
            self.is_full,
            self.is_warm,
        )


class Crossover:
    """Feeds each half of the keys to a cache of each policy, all of half the capacity.

    A hash halves the keys, in SPLITS independent ways. Not thread-safe.
    """

    def __init__(
        self,
        policies: tuple[str, str],
        capacity: int,
        unit: Unit,
        seed: int,
        model: ModelLike | None,
        objective: Objective,
    ) -> None:
        self._by_cost = objective == "cost"
        self._salts = np.random.default_rng(seed).integers(0, 2**64, SPLITS, np.uint64)
        self._caches: dict[tuple[int, int, int], _core.Replay] = {
            (split, half, arm): new_cache(
                policy,
                capacity // 2,
                unit,
                seed + 2 * split + arm,
                model=model,
                objective=objective,
            )
            for split in range(SPLITS)
            for half in range(2)
            for arm, policy in enumerate(policies)
        }
        shape = (SPLITS, 2, 2)
        self._missed = np.zeros(shape)
        self._misses = np.zeros(shape, np.int64)
        self._filled = np.zeros(shape, np.int64)  # misses until a cache was full; 0: it is not
        self._weight, self._seen = 0.0, 0
        self._stretches, self._length = list[_Stretch](), _FIRST_STRETCH

    def feed(self, trace: Trace, progress: Progress = lambda requests: None) -> None:
        """The next requests."""
        first = 0
        while first < trace.requests:
            end = min(first + self._length, trace.requests)
            self._feed(trace, slice(first, end))
            progress(end - first)
            first = end

    def forget(self) -> None:
        """What was fed is no more than a warm-up."""
        self._stretches, self._length = [], _FIRST_STRETCH

    def counts(self) -> Counts:
        """Of the stretches from when all caches were warm, but at least half of those in which all
        were full: later on a policy is better or worse than while its caches fill.
        """
        kept = self._stretches[self._first_kept() :]
        requests = np.array([each.requests for each in kept], np.int64)
        return Counts(
            requests,
            np.array([each.weight for each in kept], np.float64),
            np.array([each.missed for each in kept]).reshape(-1, SPLITS, 2, 2),
            self._seen - int(requests.sum()),
        )

    def _first_kept(self) -> int:
        number = len(self._stretches)
        full = next((i for i, each in enumerate(self._stretches) if each.is_full), number)
        warm = next((i for i, each in enumerate(self._stretches) if each.is_warm), number)
        since = np.cumsum([each.requests for each in self._stretches[full:]])
        half = full + int(np.searchsorted(since, since[-1] / 2)) if len(since) else number
        return min(warm, half)

    def _feed(self, trace: Trace, part: slice) -> None:
        was_full = bool(self._filled.all())
        was_warm = was_full and bool((self._misses >= (1 + _TURNS) * self._filled).all())
        before, weight = self._missed.copy(), self._weight
        self._weight += self._weight_of(trace, part)
        for where, half in self._halves(trace, part):
            cache = self._caches[where]
            cache.run(*half)
            self._look(where, cache)
        requests = part.stop - part.start
        self._seen += requests
        self._stretches.append(
            _Stretch(requests, self._weight - weight, self._missed - before, was_full, was_warm)
        )
        if len(self._stretches) >= _MOST_STRETCHES:
            pairs = zip(self._stretches[::2], self._stretches[1::2], strict=True)
            self._stretches = [one.joined(other) for one, other in pairs]
            self._length *= 2

    def _weight_of(self, trace: Trace, part: slice) -> float:
        if not self._by_cost or trace.costs is None:
            return float(part.stop - part.start)
        return float(trace.costs[part].sum(dtype=np.float64))

    def _halves(
        self, trace: Trace, part: slice
    ) -> Iterator[tuple[tuple[int, int, int], list[Any]]]:
        """Each cache's place with the arguments of its run()."""
        arrays = (trace.ids, trace.sizes, trace.costs, None)
        for split, salt in enumerate(self._salts):
            is_second = _is_second(trace.ids[part], salt)
            for half in range(2):
                chosen = is_second == bool(half)
                given = [None if values is None else values[part][chosen] for values in arrays]
                for arm in range(2):
                    yield (split, half, arm), given

    def _look(self, where: tuple[int, int, int], cache: _core.Replay) -> None:
        totals = cache.totals()
        self._misses[where] = totals["requests"] - totals["hits"]
        self._missed[where] = (
            totals["cost_requested"] - totals["cost_saved"]
            if self._by_cost
            else self._misses[where]
        )
        if not self._filled[where] and totals["evictions"]:
            self._filled[where] = self._misses[where]


def _is_second(ids: npt.NDArray[np.uint64], salt: np.uint64) -> npt.NDArray[np.bool_]:
    """Which of the two halves each key is in, by a hash that no replay uses."""
    mixed = ids ^ salt
    for _ in range(3):
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    half: npt.NDArray[np.bool_] = mixed >> np.uint64(63) == 1
    return half
