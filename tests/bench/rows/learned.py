"""Learned eviction on traces of one's own: `script/bench --only learned --traces FOLDER`.

The shipped model was trained on the traces that python/vcache/ml/README.md names: on those its
figures are not of requests unseen. VCACHE_BENCH_HELD_OUT=1 has each trace judged by a model that is
trained, in this run, on the other traces of the folder.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import fmean, median

import numpy as np
from harness import CannotRun, Check, Outcome, quiet, trace_files
from libcachesim_traces import CLASSICS, LEARNERS, write_trace
from libcachesim_traces import replay as replay_by_libcachesim

from vcache import _core
from vcache._model import can_train
from vcache.ml import Model, Predicted, default_model, train
from vcache.ml._hour import nanoseconds, predicted, span_of
from vcache.sim import Result, Trace, read_trace, replay
from vcache.sim._replay import capacity_of, feed

SIZES = ("1%", "10%")
SEEDS = (1, 2, 3, 4, 5)
EXPERTS = ("s3fifo", "lru", "arc", "wtinylfu")
MOST_FOR_LEARNERS = 300_000  # requests
HELD_OUT = os.environ.get("VCACHE_BENCH_HELD_OUT") == "1"
COSTLY = ("arc_OLTP", "scarab_recs")

Case = tuple[Path, str]


def misses(rounds: int) -> Outcome:
    """Misses against LRU, warm-up counted, the median of the seeds."""
    over = {case: _learned(case) / _classic(case, "lru") - 1 for case in _cases()}
    checks = [
        Check(f"LRU, mean of {_of(over)}", 100 * fmean(over.values()), -9, False, "%"),
        Check(f"LRU, worst: {_worst(over)}", 100 * max(over.values()), 1, False, "%"),
    ]
    return Outcome(checks, _measured(over))


def experts(rounds: int) -> Outcome:
    """Misses against the best of its own experts, each as a cache of its own."""
    over = {case: _learned(case) / min(_own_experts(case)) - 1 for case in _cases()}
    worst = 100 * max(over.values())
    return Outcome(
        [Check(f"its best expert, worst: {_worst(over)}", worst, 2, False, "%")], _measured(over)
    )


def classics(rounds: int) -> Outcome:
    """Misses against the best of libCacheSim's policies that do not learn, picked in hindsight."""
    over = {case: _learned(case) / min(_referee(case, CLASSICS).values()) - 1 for case in _cases()}
    return Outcome(
        [Check(f"best of {len(CLASSICS)}, mean", 100 * fmean(over.values()), 0.3, False, "%")],
        _measured(over),
    )


def learners(rounds: int) -> Outcome:
    """Misses against libCacheSim's LRB and 3L-Cache, which never leave warm-up on short traces."""
    cases = [case for case in _cases() if _trace(case[0]).requests <= MOST_FOR_LEARNERS]
    if not cases:
        raise CannotRun(f"no trace is of at most {MOST_FOR_LEARNERS:,} requests: LRB takes hours")
    over = {case: _learned(case) / min(_referee(case, LEARNERS).values()) - 1 for case in cases}
    share = 100 * fmean(ratio < 0 for ratio in over.values())
    return Outcome([Check(f"fewer misses, of {len(over)}", share, 90, unit="%")], _measured(over))


def model(rounds: int) -> Outcome:
    """What the model adds: with it against the classic experts alone."""
    over = {case: _learned(case) / _without_model(case) - 1 for case in _cases()}
    return Outcome(
        [
            Check("no model, mean", 100 * fmean(over.values()), -1.5, False, "%"),
            Check(f"no model, worst: {_worst(over)}", 100 * max(over.values()), 2, False, "%"),
        ],
        _measured(over),
    )


def costs(rounds: int) -> Outcome:
    """Cost of misses where a fifth of the keys cost 100 ms, three tenths 20 ms, others 0.05 ms."""
    paid = {
        case: {policy: _paid(case, policy) for policy in ("learned", "lru", "gdsf")}
        for case in _cases()
    }
    over = {case: by["learned"] / by["gdsf"] - 1 for case, by in paid.items()}
    checks = [
        Check(
            f"cost, LRU, {case[0].stem} {case[1]}",
            100 * (by["learned"] / by["lru"] - 1),
            -20,
            False,
            "%",
        )
        for case, by in paid.items()
        if case[0].stem in COSTLY
    ]
    worst = Check(f"cost, GDSF, worst: {_worst(over)}", 100 * max(over.values()), 2, False, "%")
    return Outcome([*checks, worst], _measured(over))


def predict(rounds: int) -> Outcome:
    """predict() on traces with times: of an hour, or a quarter of a trace of less than two.

    The calibration starts from figures fitted to cloudphysics_io and mooncake_conversation.
    """
    found = {case: _hour(case) for case in _cases() if _trace(case[0]).times is not None}
    known = {case: each for case, each in found.items() if each.samples}
    if not known:
        raise CannotRun("no trace carries times over more than what is predicted")
    errors = {case: each.calibration_error or 0.0 for case, each in known.items()}
    over = {case: (each.brier or 0) / (each.base_brier or 1) - 1 for case, each in known.items()}
    return Outcome(
        [
            Check(f"calibration error, worst: {_worst(errors)}", max(errors.values()), 0.05, False),
            Check(
                f"Brier, base rate, worst: {_worst(over)}",
                100 * max(over.values()),
                -10,
                False,
                "%",
            ),
        ],
        _measured(over)
        | {f"calibration {path.stem} {size}": off for (path, size), off in errors.items()},
    )


def _hour(case: Case) -> Predicted:
    path, size = case
    trace = _trace(path)
    cache = _core.Replay(
        policy="learned",
        capacity=capacity_of(size, trace, "entries"),
        in_bytes=False,
        seed=SEEDS[0],
        model=_model(path).core,
        learns=can_train(),
        span=span_of(trace),
    )
    feed(cache, trace, "learned", times=nanoseconds(trace))
    return predicted(trace.name, size, span_of(trace), *cache.outcomes())


def speed(rounds: int) -> Outcome:
    """Requests a second against libCacheSim's LRU, at 10 %, learning included."""
    checks, measured = [], dict[str, float]()
    for path in trace_files():
        trace, capacity = _trace(path), capacity_of("10%", _trace(path), "entries")
        with tempfile.TemporaryDirectory() as folder, quiet():
            file = write_trace(trace.ids, Path(folder) / "trace.bin")
            theirs = replay_by_libcachesim(file, "LRU", capacity)[1] / trace.requests
            start = time.thread_time()
            replay(trace, "learned", capacity, model=_model(path))
            ours = (time.thread_time() - start) / trace.requests
        checks.append(Check(f"libCacheSim's LRU, {path.stem}", theirs / ours, 0.1))
        measured |= {f"learned {path.stem}": ours, f"libcachesim {path.stem}": theirs}
    return Outcome(checks, measured)


def _cases() -> list[Case]:
    return [(path, size) for path in trace_files() for size in SIZES]


@cache
def _trace(path: Path) -> Trace:
    return read_trace(path)


@cache
def _model(path: Path) -> Model:
    """Held out: of the other traces, as vcache.ml.train fits it to all of them."""
    others = [_trace(other) for other in trace_files() if other != path]
    return train(others, epochs=4).model if HELD_OUT and others else default_model()


@cache
def _results(case: Case) -> list[Result]:
    path, size = case
    return [replay(_trace(path), "learned", size, seed=s, model=_model(path)) for s in SEEDS]


def _learned(case: Case) -> float:
    return median(result.miss_ratio for result in _results(case))


@cache
def _classic(case: Case, policy: str) -> float:
    return replay(_trace(case[0]), policy, case[1]).miss_ratio


@cache
def _own_experts(case: Case) -> list[float]:
    """The classic policies alone, and either model."""
    alone = [_classic(case, policy) for policy in EXPERTS]
    return [*alone, *(_guard(case, SEEDS[0], pinned=name) for name in ("frozen", "online"))]


def _guard(case: Case, seed: int, *, pinned: str = "", has_model: bool = True) -> float:
    """Misses of learned where one expert always leads, or there is no model."""
    path, size = case
    guard = _core.Replay(
        policy="learned",
        capacity=capacity_of(size, _trace(path), "entries"),
        in_bytes=False,
        seed=seed,
        model=_model(path).core if has_model else None,
        learns=has_model and can_train(),
        pinned=pinned,
    )
    feed(guard, _trace(path), "learned")
    totals = guard.totals()
    return 1 - float(totals["hits"]) / float(totals["requests"])


@cache
def _without_model(case: Case) -> float:
    return median(_guard(case, seed, has_model=False) for seed in SEEDS)


@cache
def _referee(case: Case, algorithms: Sequence[str]) -> dict[str, float]:
    path, size = case
    capacity = capacity_of(size, _trace(path), "entries")
    with tempfile.TemporaryDirectory() as folder:
        file = write_trace(_trace(path).ids, Path(folder) / "trace.bin")
        return {name: replay_by_libcachesim(file, name, capacity)[0] for name in algorithms}


def _paid(case: Case, policy: str) -> float:
    """Cost of the misses, the median of the seeds."""
    path, size = case
    ids = _trace(path).ids
    drawn = (ids * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)) % np.uint64(10)
    costs = np.select([drawn < 2, drawn < 5], [100.0, 20.0], 0.05)
    trace = Trace(ids, costs=costs)
    seeds = SEEDS if policy == "learned" else SEEDS[:1]
    model = _model(path)
    results = [
        replay(trace, policy, size, seed=seed, model=model, objective="cost") for seed in seeds
    ]
    return median(result.cost_requested - result.cost_saved for result in results)


def _of(over: dict[Case, float]) -> str:
    kind = "models of the other traces" if HELD_OUT else "the shipped model, trained on such traces"
    return f"{len(over)} cases, seeds {SEEDS[0]} to {SEEDS[-1]}, {kind}"


def _worst(over: dict[Case, float]) -> str:
    path, size = max(over, key=lambda case: over[case])
    return f"{path.stem} {size}"


def _measured(over: dict[Case, float]) -> dict[str, float]:
    return {f"{path.stem} {size} (%)": 100 * ratio for (path, size), ratio in over.items()}
