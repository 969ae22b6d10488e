"""Learned eviction in live caches: what a hit and an eviction cost."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

import numpy as np
from harness import (
    CannotRun,
    Check,
    Outcome,
    Timing,
    compete,
    expect,
    last_line,
    quiet,
    trace_files,
)

from vcache import Cache
from vcache._model import make_trainer
from vcache.errors import ModelError
from vcache.ml import default_model
from vcache.sim import Trace, read_trace

PROBE = Path(__file__).parents[1] / "probes" / "hits.py"
FEW, MANY = 50_000, 150_000  # hits of which instructions are counted
DIM = 384
STORED = 20_000
OVERHEAD, LEAST = 112, 64 << 10  # bytes: of an entry under LRU, and of the smallest cache


def hit(rounds: int) -> Outcome:
    """Instructions of a hit through Cache.get() in the thread that asks, by callgrind."""
    if shutil.which("valgrind") is None:
        raise CannotRun("valgrind is not installed")
    found = {policy: _instructions(policy) for policy in ("lru", "s3fifo", "learned")}
    check = Check("those under lru", found["learned"] / found["lru"], 1.15, at_least=False)
    return Outcome([check], {f"{name} (instructions)": each for name, each in found.items()})


def eviction(rounds: int) -> Outcome:
    """What an insertion into a full cache takes more than under lru, a TorchScript model deciding.

    All that the inserting thread does is counted: it also reads the notes of the hits.
    """
    keys = [f"emb:model:{place:054}" for place in range(2 * STORED)]
    value = np.ones(DIM, np.float32)

    def candidate(cache: Cache) -> Timing:
        for key in keys[:STORED]:
            cache.set(key, value)
        before = cache.stats().evictions
        with quiet():
            start = time.thread_time()
            for key in keys[STORED:]:
                cache.set(key, value)
            taken = time.thread_time() - start
        evicted = cache.stats().evictions - before
        expect(evicted >= 0.9 * STORED, "hardly anything was evicted")
        return Timing(taken / evicted)

    def under_lru() -> Timing:
        with Cache(memory="16MiB", policy="lru") as cache:
            return candidate(cache)

    def under_model() -> Timing:
        with _archive() as path, Cache(memory="16MiB", policy="learned", model_path=path) as cache:
            cache.pin_expert("frozen")
            taken = candidate(cache)
            expect(cache.stats().policy["leader"] == "frozen", "the model does not lead")
            return taken

    best = compete({"lru": under_lru, "learned": under_model}, rounds)
    more = (best["learned"] - best["lru"]) * 1e6
    check = Check("an eviction more than under lru", more, 2, at_least=False, unit=" us")
    return Outcome([check], best)


def training(rounds: int) -> Outcome:
    """Processor time that all other threads of the process take, by the request: they only train.

    A live cache of 384 floats an entry and 10 % of a trace's objects; loading LibTorch is counted.
    """
    checks, measured = [], dict[str, float]()
    for path in trace_files():
        trace = read_trace(path)
        before = _elsewhere()
        with quiet():
            _, models = _replayed(trace, "learned", 0.1)
        taken = (_elsewhere() - before) / len(trace.ids) * 1e6
        label = f"training a request, {path.stem}, {models} models"
        checks.append(Check(label, taken, 0.5, at_least=False, unit=" us"))
        measured[f"{path.stem} (us a request)"] = taken
    return Outcome(checks, measured)


def _elsewhere() -> float:
    """Processor seconds of the threads of this process but this one."""
    return time.process_time() - time.thread_time()


def equal_bytes(rounds: int) -> Outcome:
    """Misses of live caches of as many bytes, all that is known of entries counted.

    Vectors of 384 floats; budgets of what LRU needs for 1 % and 10 % of a trace's objects.
    """
    found = {
        f"{path.stem} {share:.0%}": {
            policy: _misses(read_trace(path), policy, share)
            for policy in ("lru", "s3fifo", "learned")
        }
        for path in trace_files()
        for share in (0.01, 0.1)
    }
    checks = []
    for other in ("lru", "s3fifo"):
        over = {case: by["learned"] / by[other] - 1 for case, by in found.items()}
        worst = max(over, key=over.__getitem__)
        checks.append(Check(f"{other}, worst: {worst}", 100 * over[worst], 1, False, "%"))
        checks.append(Check(f"{other}, mean", 100 * fmean(over.values()), 0, False, "%"))
    measured = {f"{case} {name}": each for case, by in found.items() for name, each in by.items()}
    return Outcome(checks, measured)


def _misses(trace: Trace, policy: str, share: float) -> float:
    return _replayed(trace, policy, share)[0]


def _replayed(trace: Trace, policy: str, share: float) -> tuple[float, int]:
    """The miss ratio of a cache with a budget for that share of the objects; models it made."""
    entries = max(1, int(len(np.unique(trace.ids)) * share))
    budget = max(entries * (4 * DIM + OVERHEAD), LEAST)
    value = np.ones(DIM, np.float32)
    misses = 0
    with Cache(memory=budget, policy=policy, memory_ttl=None, ttl=None) as cache:  # type: ignore[arg-type]
        get, store = cache.get, cache.set
        for key in map(str, trace.ids.tolist()):
            if get(key) is None:
                misses += 1
                store(key, value)
        model = cache.stats().model
    return misses / len(trace.ids), int(model["version"] or 0) if model else 0


def _instructions(policy: str) -> float:
    """Of one hit: the difference between many and few."""
    few, many = (_counted(policy, hits) for hits in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def _counted(policy: str, hits: int) -> int:
    """Instructions of the main thread."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--separate-threads=yes"]
        command += [f"--callgrind-out-file={folder}/out", sys.executable, str(PROBE)]
        ended = subprocess.run(
            [*command, policy, str(hits)], capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise CannotRun(f"{PROBE.name}: {last_line(ended.stderr)}")
        text = Path(folder, "out-01").read_text(encoding="utf-8")
    return int(re.findall(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)[-1])


@contextmanager
def _archive() -> Iterator[Path]:
    """The shipped model as a TorchScript file."""
    layers = default_model().layers
    weights = np.concatenate([np.ravel(part) for layer in layers for part in layer])
    try:
        data = make_trainer(weights=weights.astype(np.float32)).archive()
    except ModelError as error:
        raise CannotRun(str(error)) from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt")
        path.write_bytes(data)
        yield path
