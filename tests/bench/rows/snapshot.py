"""Memory to a file and back, against writing and reading one file of its size."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from harness import Check, Outcome, expect

import vcache

SIZE = 1 << 30  # bytes of vectors
DIM = 1536
PIECE = 64 << 20  # bytes written at once by the plain file
MOST_ROUNDS = 3  # of a gibibyte each


def file(rounds: int) -> Outcome:
    """`snapshot` and `restore` of 1 GiB of 1536-d float32 vectors; the plain file is synced too."""
    count = SIZE // (4 * DIM)
    rows = np.random.default_rng(5).standard_normal((4096, DIM)).astype(np.float32)
    taken: dict[str, list[float]] = {"snapshot": [], "restore": [], "write": [], "read": []}
    with tempfile.TemporaryDirectory() as folder:
        path, plain = Path(folder) / "snapshot", Path(folder) / "plain"
        cache = filled(rows, count)
        held = cache.stats().entries
        for _ in range(min(rounds, MOST_ROUNDS)):
            taken["snapshot"].append(seconds(lambda: cache.snapshot(path)))
            taken["write"].append(seconds(lambda: write(plain, path.stat().st_size)))
            other = new_cache()
            taken["restore"].append(seconds(lambda other=other: other.restore(path)))
            taken["read"].append(seconds(plain.read_bytes))
            expect(other.stats().entries == held, "restored other entries than there were")
            expect(np.array_equal(other.get("k7"), rows[7]), "restored another vector")
            other.close()
    best = {name: min(times) for name, times in taken.items()}
    checks = [
        Check("snapshot / writing", best["snapshot"] / best["write"], 2.0, at_least=False),
        Check("restore / reading", best["restore"] / best["read"], 2.0, at_least=False),
    ]
    return Outcome(checks, best)


def new_cache() -> vcache.Cache:
    return vcache.Cache(memory="1200MiB", memory_ttl=None, ttl=None)


def filled(rows: np.ndarray, count: int) -> vcache.Cache:
    cache = new_cache()
    for first in range(0, count, len(rows)):
        numbers = range(first, min(first + len(rows), count))
        cache.set_vectors([f"k{number}" for number in numbers], rows[: len(numbers)])
    return cache


def write(path: Path, size: int) -> None:
    piece = np.ones(PIECE, np.uint8).data
    with path.open("wb") as out:
        for at in range(0, size, PIECE):
            out.write(piece[: size - at])
        out.flush()
        os.fsync(out.fileno())


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
