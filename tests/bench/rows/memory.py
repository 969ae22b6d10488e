"""The memory tier against the quickest in-process caches of Python."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cachebox
import numpy as np
from gather import Gather
from harness import (
    DIM,
    ENTRIES,
    OPERATIONS,
    Check,
    Outcome,
    Timing,
    compete,
    difference,
    expect,
    key,
    loop,
    pair_loop,
    quiet,
    unpack_only,
    vectors,
    zipf,
)

import vcache

BATCH, BATCHES, THREAD_TURNS = 256, 80, 10
THREADS = {1: "one thread", 2: "two threads"}


def get_hit(rounds: int) -> Outcome:
    """`get` of a 384-d vector, default options, a str key made anew."""
    stored, cache, box = _filled()
    plain = {key(number): stored[number] for number in range(ENTRIES)}
    for number in (0, ENTRIES - 1):
        expect(np.array_equal(cache.get(key(number)), stored[number]), "vcache get")
        expect(np.array_equal(box.get(key(number)), stored[number]), "cachebox get")
    numbers = zipf(OPERATIONS)
    best = compete(
        {
            "vcache": loop(cache.get, lambda: _keys(numbers)),
            "cachebox.LRUCache": loop(box.get, lambda: _keys(numbers)),
            "dict": loop(plain.get, lambda: _keys(numbers)),
        },
        rounds,
    )
    expect(cache.stats().misses == 0, "vcache get: misses among hits")
    return Outcome(
        [Check("cachebox.LRUCache", best["cachebox.LRUCache"] / best["vcache"], 1.0)], best
    )


def set_vector(rounds: int) -> Outcome:
    """`set` of a 384-d vector, copied in."""
    stored, cache, _ = _filled()
    plain: dict[str, np.ndarray] = {}
    numbers = zipf(OPERATIONS)
    rows = list(stored[:BATCH])

    def pairs() -> list[tuple[str, np.ndarray]]:
        return [(key(number), rows[number % BATCH]) for number in numbers]

    best = compete(
        {
            "vcache": pair_loop(cache.set, pairs),
            "dict of copies": difference(_store_copies(plain), unpack_only, pairs),
        },
        rounds,
    )
    name, row = pairs()[-1]
    expect(np.array_equal(cache.get(name), row), "vcache set")
    expect(np.array_equal(plain[name], row), "dict of copies")
    return Outcome(
        [Check("dict storing v.copy()", best["dict of copies"] / best["vcache"], 1.5)], best
    )


def _store_copies(
    plain: dict[str, np.ndarray],
) -> Callable[[Sequence[tuple[str, np.ndarray]]], None]:
    """The dict's loop written out, without the call that a function around it would cost."""

    def work(made: Sequence[tuple[str, np.ndarray]]) -> None:
        for name, row in made:
            plain[name] = row.copy()

    return work


def batch(rounds: int) -> Outcome:
    """`get_vectors` of 256 x 384, all in memory."""
    stored, cache, box = _filled()
    numbers = np.array(zipf(BATCH * BATCHES)).reshape(BATCHES, BATCH)

    def batches() -> list[list[str]]:
        return [_keys(row) for row in numbers.tolist()]

    def stacked(names: list[str]) -> np.ndarray:
        get = box.get
        return np.stack([get(name) for name in names])

    def taken(rows: np.ndarray) -> np.ndarray:
        return np.take(stored, rows, axis=0)

    first, wanted = batches()[0], stored[numbers[0]]
    matrix, found = cache.get_vectors(first)
    expect(np.array_equal(matrix, wanted) and found.all(), "vcache get_vectors")
    expect(np.array_equal(stacked(first), wanted), "cachebox + np.stack")
    expect(np.array_equal(taken(numbers[0]), wanted), "np.take")
    best = compete(
        {
            "vcache": loop(cache.get_vectors, batches),
            "cachebox + np.stack": loop(stacked, batches),
            "np.take": loop(taken, lambda: list(numbers)),
        },
        rounds,
    )
    mine = best["vcache"]
    return Outcome(
        [
            Check("cachebox + np.stack", best["cachebox + np.stack"] / mine, 4.0),
            Check("its time in np.take's", mine / best["np.take"], 1.6, at_least=False),
        ],
        best,
    )


def two_threads(rounds: int) -> Outcome:
    """The speed-up of two threads over one, as a share of what a C loop gathering memory gets."""
    stored, cache, _ = _filled()
    numbers = np.array(zipf(2 * BATCH * BATCHES)).reshape(2, BATCHES, BATCH)
    with tempfile.TemporaryDirectory(prefix="vcache-bench-") as folder:
        gather = Gather(Path(folder))
    out = np.empty((BATCH, DIM), np.float32)
    gather(stored, numbers[0], out)
    expect(np.array_equal(out, stored[numbers[0][-1]]), "C gather")

    def ours(threads: int) -> Timing:
        names = [[_keys(row) for row in numbers[t].tolist()] for t in range(threads)]
        return together([partial(_read_all, cache.get_vectors, part) for part in names])

    def in_c(threads: int) -> Timing:
        return together([partial(_gather_all, gather, stored, numbers[t]) for t in range(threads)])

    best = compete(
        {
            f"{name}, {count}": partial(run, threads)
            for name, run in (("vcache", ours), ("C gather", in_c))
            for threads, count in THREADS.items()
        },
        rounds,
    )
    speedup = {
        name: 2 * best[f"{name}, one thread"] / best[f"{name}, two threads"]
        for name in ("vcache", "C gather")
    }
    measured = {name: seconds / (BATCHES * THREAD_TURNS) for name, seconds in best.items()}
    measured |= {f"{name}, speed-up (x)": value for name, value in speedup.items()}
    share = speedup["vcache"] / speedup["C gather"]
    return Outcome([Check("share of a C gather loop's speed-up", share, 0.75)], measured)


def together(jobs: Sequence[Callable[[], None]]) -> Timing:
    """From the first start to the last end of jobs that run at once, a thread each."""
    gate = threading.Barrier(len(jobs))
    times: list[tuple[float, float]] = []

    def run(job: Callable[[], None]) -> None:
        gate.wait()
        start = time.perf_counter()
        job()
        times.append((start, time.perf_counter()))

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    with quiet():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return Timing(max(end for _, end in times) - min(start for start, _ in times))


def _read_all(get_vectors: Callable[[list[str]], object], batches: list[list[str]]) -> None:
    for _ in range(THREAD_TURNS):
        for names in batches:
            get_vectors(names)


def _gather_all(gather: Gather, table: np.ndarray, batches: np.ndarray) -> None:
    out = np.empty((BATCH, DIM), np.float32)
    for _ in range(THREAD_TURNS):
        gather(table, batches, out)


def decorator(rounds: int) -> Outcome:
    """A hit of a decorated function with one str argument, for a text and for a vector result."""
    checks, measured = [], {}
    numbers = zipf(OPERATIONS)
    for kind, result in (("text", "an answer of a few words"), ("vector", vectors(1)[0])):
        ours, theirs = _decorated(result)
        best = compete(
            {
                "vcache": loop(ours, lambda: _keys(numbers)),
                "cachebox.cached": loop(theirs, lambda: _keys(numbers)),
            },
            rounds,
        )
        ratio = best["cachebox.cached"] / best["vcache"]
        checks.append(Check(f"cachebox.cached, {kind} result", ratio, 1.0))
        measured |= {f"{name}, {kind} result": seconds for name, seconds in best.items()}
    return Outcome(checks, measured)


def _decorated(result: object) -> list[Callable[[str], object]]:
    """The same function under vcache and under cachebox, every answer already cached."""
    calls = 0

    def source(question: str) -> object:
        nonlocal calls
        calls += 1
        return result

    made = [vcache.Cache().cached(source), cachebox.cached(cachebox.LRUCache(ENTRIES))(source)]
    for number in range(ENTRIES):
        for function in made:
            expect(np.array_equal(function(key(number)), result), "decorated function")
    made[0](key(0)), made[1](key(0))
    expect(calls == 2 * ENTRIES, f"decorated function: {calls} calls for {2 * ENTRIES} keys")
    return made


def _filled() -> tuple[np.ndarray, vcache.Cache, cachebox.LRUCache]:
    """The vectors, and both caches holding all of them."""
    stored = vectors()
    cache, box = vcache.Cache(), cachebox.LRUCache(ENTRIES)
    for number, row in enumerate(stored):
        cache.set(key(number), row)
        box[key(number)] = row
    return stored, cache, box


def _keys(numbers: Sequence[int]) -> list[str]:
    return [key(number) for number in numbers]
