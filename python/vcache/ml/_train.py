"""Trains a model on traces."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .._weights import Model, ModelLike, default_model, model_of
from ..sim._replay import Capacity, feed
from ..sim._trace import Trace
from ._cases import SIZES, Case, Told, TracesLike, cases_of, past_of, shared, traces_of, whole
from ._examples import Examples, joined, learned_cache, new_ones
from ._fit import fit, need_torch
from ._report import NEWEST, Report, evaluate

__all__ = ["Trained", "examples_of", "learn", "train"]

MOST_EPOCHS = 10_000
_FEWEST = 1_000  # examples


@dataclass(frozen=True)
class Trained:
    """What train() made.

    model: its `data` are the bytes of a weights file, which its save() writes.
    examples: that it learned from.
    report: of requests that it did not learn from.
    seconds: that all took.
    """

    model: Model
    examples: int
    report: Report
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For json.dumps(); of the model the digest."""
        return {
            "sha256": self.model.sha256,
            "examples": self.examples,
            "report": asdict(self.report),
            "seconds": self.seconds,
        }


def train(
    traces: TracesLike,
    *,
    sizes: Sequence[Capacity] = SIZES,
    epochs: int = 50,
    seed: int = 0,
    start: ModelLike | None = None,
    progress: Told = lambda stage, share: None,
) -> Trained:
    """Fits a model to what became of the entries of caches to which traces are replayed.

    traces: anything that vcache.sim.replay() takes, or a sequence of such.
    sizes: capacities as for replay(), in entries; each trace is replayed at each, and each weighs
        alike. Of each up to 120,000 examples are kept, at random.
    epochs: how often each example is gone through, 1 to 10,000.
    seed: of the weights to begin with, the order of the examples and the policies' chance, 0 to
        2**32 - 1. Equal arguments give equal bytes on one machine.
    start: a Model, or the path of a weights file: decides in the caches, so that the examples are
        of the entries that it is asked about, and its weights are those to begin with. None: the
        shipped model decides, and the weights to begin with are random.
    progress: takes the name of a stage ("replay", "fit", "simulate") and the share of it done.

    The newest tenth of each trace is not learned from, nor do the sizes of the caches, where they
    are shares of a trace, depend on it: the report is of these requests alone, as evaluate() makes
    it. Needs PyTorch. Raises ModelError without, TypeError or ValueError, naming argument, value
    and what is allowed, for traces too short to learn from too.
    """
    began = time.perf_counter()
    need_torch()
    rounds, chance = whole(epochs, "epochs", 1, MOST_EPOCHS), whole(seed, "seed", 0, 2**32 - 1)
    first = None if start is None else model_of(start, "start")
    given = traces_of(traces)
    cases_of(given, sizes, NEWEST)  # of the sizes, before any work
    past = [past_of(trace, NEWEST) for trace in given]
    examples = examples_of(past, sizes, first or default_model(), chance, progress)
    model = learn(examples, rounds, chance, first, progress)
    report = evaluate(model, given, sizes=sizes, seed=chance, progress=progress)
    return Trained(model, len(examples), report, time.perf_counter() - began)


def examples_of(
    traces: Sequence[Trace],
    sizes: Sequence[Capacity],
    model: Model | None,
    seed: int,
    progress: Told = lambda stage, share: None,
) -> Examples:
    """Of each trace at each size, where `model` decides, or without one the classic policies."""
    cases = cases_of(traces, sizes, 1)
    advance = shared(sum(case.trace.requests for case in cases), progress, "replay")

    def gathered(case: Case) -> Examples:
        cache = learned_cache(case.capacity, model, seed)
        before = cache.examples()
        feed(cache, case.trace, "learned", progress=advance)
        return new_ones(before, cache.examples())

    return joined([gathered(case) for case in cases])


def learn(
    examples: Examples,
    epochs: int,
    seed: int,
    start: Model | None = None,
    progress: Told = lambda stage, share: None,
) -> Model:
    """fit(), of enough examples."""
    if len(examples) < _FEWEST:
        raise ValueError(
            f"traces: they give {len(examples):,} examples to learn from, and {_FEWEST:,} are"
            " needed: allowed are longer traces, or sizes at which caches of at least 64 entries"
            " are filled"
        )
    return fit(
        examples,
        epochs=epochs,
        seed=seed,
        start=start,
        progress=lambda share: progress("fit", share),
    )
