"""Hits in memory under a policy, for who counts the instructions of this thread.

usage: hits.py POLICY HITS
"""

from __future__ import annotations

import os
import sys

import numpy as np

from vcache import Cache

ENTRIES, DIM = 500, 384


def main() -> None:
    policy, hits = sys.argv[1], int(sys.argv[2])
    cache = Cache(memory="2MiB", policy=policy)  # type: ignore[arg-type]
    keys = [f"emb:model:{place:054}" for place in range(ENTRIES)]
    for key in keys:
        cache.set(key, np.ones(DIM, np.float32))
    get = cache.get
    for _ in range(hits // ENTRIES):
        for key in keys:
            get(key)
    if cache.stats().memory_hits < hits // ENTRIES * ENTRIES:
        sys.exit("not all were hits")
    os._exit(0)


main()
