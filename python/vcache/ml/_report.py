"""How good a model is: what it predicted, and how many requests a cache that follows it missed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._messages import shown
from .._weights import Model, ModelLike, model_of
from ..sim._replay import POLICIES, Capacity, feed, new_cache
from ._cases import SIZES, Case, Told, TracesLike, cases_of, shared, traces_of, whole
from ._examples import Examples, joined, learned_cache, new_ones
from ._hour import Predicted, nanoseconds, predicted, span_of

__all__ = ["NEWEST", "Horizon", "Report", "Simulated", "evaluate"]

NEWEST = 0.1
"""The share of a trace that training leaves for evaluation."""

HORIZONS = (0.125, 0.5, 2.0, 8.0)
_BINS = 10


@dataclass(frozen=True)
class Horizon:
    """How right a model was about whether entries are read within one horizon.

    residences: the horizon, in mean times that an entry stays in the cache.
    examples: entries of which the outcome became known; without any the rest is None.
    base_rate: the share of them that were read.
    accuracy: the share of them of which it was right, where p >= 0.5 says that they are read.
    brier: mean of (p - outcome)**2; base_brier: that of always saying the base rate.
    calibration_error: mean over ten bins of p of |mean p - share read|, by the bins' examples.

    Means are weighted so that all entries of a cache count alike, and all caches.
    """

    residences: float
    examples: int
    base_rate: float | None = None
    accuracy: float | None = None
    brier: float | None = None
    base_brier: float | None = None
    calibration_error: float | None = None


@dataclass(frozen=True)
class Simulated:
    """The newest requests of one trace in caches of one size, which the older ones had filled.

    size, capacity: as it was given, and the entries that this is.
    requests: the newest ones, which are counted.
    miss_ratios: by policy; "belady" knows all of the future, and has least misses on the whole
        trace, if not on each part of it.
    leader: the expert that "learned" followed at the end; "frozen" is the model.
    """

    trace: str
    size: str
    capacity: int
    requests: int
    miss_ratios: dict[str, float]
    leader: str

    @property
    def best_classic(self) -> str:
        """The policy with least misses of those that neither learn nor know the future."""
        others = [name for name in self.miss_ratios if name not in ("learned", "belady")]
        return min(others, key=lambda name: self.miss_ratios[name])


@dataclass(frozen=True)
class Report:
    """What evaluate() found.

    model: the SHA-256 of the model's file.
    newest: the share of each trace that was evaluated.
    predicted: what a live cache's predict() would have said, where a trace carries times.
    seconds: that it took.
    """

    model: str
    newest: float
    horizons: tuple[Horizon, ...]
    simulated: tuple[Simulated, ...]
    seconds: float
    predicted: tuple[Predicted, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For json.dumps()."""
        return asdict(self)


def evaluate(
    model: ModelLike | None,
    traces: TracesLike,
    *,
    sizes: Sequence[Capacity] = SIZES,
    newest: float = NEWEST,
    seed: int = 0,
    progress: Told = lambda stage, share: None,
) -> Report:
    """Holds a model against the newest requests of traces.

    model: a Model, the path of a weights file, None for the shipped one.
    traces: anything that vcache.sim.replay() takes, or a sequence of such.
    sizes: capacities as for replay(), in entries; each trace is replayed at each.
    newest: the share of each trace that counts, above 0 and at most 1. What comes before only
        fills the caches. train() leaves the newest tenth out, the default here; a model that was
        trained on other traces can be held against all of these: 1.
    seed: of what the policies leave to chance, and of the entries whose outcomes are compared.
    progress: takes the name of a stage, and the share of it that is done.

    What a model predicts of an entry is compared for a random part of those that a "learned" cache
    with this model holds, as far as their outcome became known in the newest requests: the moment
    they were judged may lie before those, by up to the horizon. Caches of less than 64 entries have
    no such entries.
    Raises TypeError or ValueError, naming argument, value and what is allowed; ModelError.
    """
    start = time.perf_counter()
    used = model_of(model, "model")
    given = traces_of(traces)
    share = _share_of(newest)
    chance = whole(seed, "seed", 0, 2**32 - 1)
    cases = cases_of(given, sizes, share)
    advance = shared(sum(case.trace.requests for case in cases), progress, "simulate")
    found = [_simulate(case, used, chance, advance) for case in cases]
    examples = joined([each for each, _, _ in found])
    simulated = tuple(each for _, each, _ in found)
    hours = tuple(each for _, _, each in found if each is not None)
    taken = time.perf_counter() - start
    return Report(used.sha256, share, _horizons(used, examples), simulated, taken, hours)


def _share_of(newest: object) -> float:
    allowed = "allowed are numbers above 0 and up to 1"
    if isinstance(newest, bool) or not isinstance(newest, (int, float)):
        kind = type(newest).__name__
        raise TypeError(f"newest={shown(newest)} is of type {kind}: {allowed}")
    if not 0 < newest <= 1:
        raise ValueError(f"newest={shown(newest)}: {allowed}")
    return float(newest)


def _simulate(
    case: Case, model: Model, seed: int, advance: Any
) -> tuple[Examples, Simulated, Predicted | None]:
    trace, cut = case.trace, case.cut
    span, times = span_of(trace), nanoseconds(trace)
    cache = learned_cache(case.capacity, model, seed, span)
    feed(cache, trace, "learned", 0, cut, advance, times=times)
    before, hits = cache.examples(), cache.totals()["hits"]
    settled = len(cache.outcomes()[0])
    feed(cache, trace, "learned", cut, None, advance, times=times)
    examples = new_ones(before, cache.examples())
    counted = trace.requests - cut
    ratios = {"learned": 1 - (cache.totals()["hits"] - hits) / counted}
    for policy in POLICIES:
        if policy != "learned":
            other = new_cache(policy, case.capacity, "entries", seed)
            feed(other, trace, policy, 0, cut)
            hits = other.totals()["hits"]
            feed(other, trace, policy, cut)
            ratios[policy] = 1 - (other.totals()["hits"] - hits) / counted
    leader = cache.experts()["leader"]
    size = str(case.size)
    chances, are_read = (values[settled:] for values in cache.outcomes())
    hour = None
    if times is not None:
        hour = predicted(trace.name, size, span, chances, are_read)
    return examples, Simulated(trace.name, size, case.capacity, counted, ratios, leader), hour


def _horizons(model: Model, examples: Examples) -> tuple[Horizon, ...]:
    chances = model.predict(examples.features)
    found = []
    for head, residences in enumerate(HORIZONS):
        chosen = examples.heads == head
        found.append(
            _horizon(
                residences,
                chances[chosen, head].astype(np.float64),
                examples.labels[chosen].astype(np.float64),
                examples.weights[chosen].astype(np.float64),
            )
        )
    return tuple(found)


def _horizon(
    residences: float,
    chances: npt.NDArray[np.float64],
    outcomes: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
) -> Horizon:
    if not len(chances):
        return Horizon(residences, 0)
    weights = weights / weights.sum()
    base = float(weights @ outcomes)
    bins = np.minimum((chances * _BINS).astype(np.intp), _BINS - 1)
    gaps = np.bincount(bins, weights * (chances - outcomes), _BINS)
    return Horizon(
        residences,
        len(chances),
        base_rate=base,
        accuracy=float(weights @ ((chances >= 0.5) == (outcomes == 1))),
        brier=float(weights @ (chances - outcomes) ** 2),
        base_brier=float(weights @ (base - outcomes) ** 2),
        calibration_error=float(np.abs(gaps).sum()),
    )
