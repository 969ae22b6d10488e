"""Prints what one cached 384-d vector adds to RSS beyond its 1,536 bytes. Argument: the cache."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

ENTRIES, DIM = 100_000, 384
CHECKED = range(0, ENTRIES, 9_973)


def main(name: str) -> None:
    store, load = MAKERS[name]()
    rng = np.random.default_rng(11)
    store("warm up", rng.random(DIM, np.float32))
    gc.collect()
    before = resident()
    for number in range(ENTRIES):
        store(key(number), rng.random(DIM, np.float32))
    gc.collect()
    beyond = (resident() - before) / ENTRIES - DIM * 4
    rng = np.random.default_rng(11)
    rng.random(DIM, np.float32)
    wanted = {
        n: row
        for n in range(ENTRIES)
        if (row := rng.random(DIM, np.float32)) is not None and n in CHECKED
    }
    for number, row in wanted.items():
        if not np.array_equal(load(key(number)), row):
            sys.exit(f"{name}: vector {number} is gone or changed")
    sys.stdout.write(json.dumps({"bytes_beyond": beyond}))


def key(number: int) -> str:
    return f"emb:all-MiniLM-L6-v2:{number:039d}"


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


Cache = tuple[Callable[[str, np.ndarray], object], Callable[[str], object]]


def of_vcache() -> Cache:
    import vcache

    cache = vcache.Cache(memory="1GiB", policy="lru", memory_ttl=3600)
    return cache.set, cache.get


def of_cachebox() -> Cache:
    import cachebox

    cache = cachebox.LRUCache(ENTRIES + 1)
    return cache.__setitem__, cache.get


def of_dict() -> Cache:
    plain: dict[str, np.ndarray] = {}
    return plain.__setitem__, plain.get


MAKERS = {"vcache": of_vcache, "cachebox": of_cachebox, "dict": of_dict}

if __name__ == "__main__":
    main(sys.argv[1])
