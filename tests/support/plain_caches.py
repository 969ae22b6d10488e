"""Caches of a few entries in plain Python, to hold a replay against."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

NEVER = 2**64


def skewed_ids(requests: int, objects: int, skew: float, seed: int) -> np.ndarray:
    """Ids of which rank r is drawn with a share proportional to 1/(r+1)**skew."""
    shares = 1.0 / np.arange(1, objects + 1) ** skew
    random = np.random.default_rng(seed)
    drawn = random.choice(objects, size=requests, p=shares / shares.sum())
    return random.permutation(objects)[drawn].astype(np.uint64)


def lru_hits(ids: Sequence[int], capacity: int) -> int:
    held: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for each in ids:
        if each in held:
            hits += 1
            held.move_to_end(each)
            continue
        if len(held) == capacity:
            held.popitem(last=False)
        held[each] = None
    return hits


def fifo_hits(ids: Sequence[int], capacity: int) -> int:
    held: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for each in ids:
        if each in held:
            hits += 1
            continue
        if len(held) == capacity:
            held.popitem(last=False)
        held[each] = None
    return hits


def lfu_hits(ids: Sequence[int], capacity: int) -> int:
    """Fewest uses since it came in; among equals the least recently used."""
    held: dict[int, tuple[int, int]] = {}
    hits = 0
    for time, each in enumerate(ids):
        if each in held:
            hits += 1
            held[each] = (held[each][0] + 1, time)
            continue
        if len(held) == capacity:
            del held[min(held, key=lambda key: held[key])]
        held[each] = (1, time)
    return hits


def belady_hits(ids: Sequence[int], capacity: int) -> int:
    following, last = [NEVER] * len(ids), dict[int, int]()
    for place in range(len(ids) - 1, -1, -1):
        following[place] = last.get(ids[place], NEVER)
        last[ids[place]] = place
    held: dict[int, int] = {}
    hits = 0
    for place, each in enumerate(ids):
        if each in held:
            hits += 1
        elif len(held) == capacity:
            del held[max(held, key=lambda key: held[key])]
        held[each] = following[place]
    return hits


def lru_byte_hits(ids: Sequence[int], sizes: Sequence[int], capacity: int) -> int:
    held: OrderedDict[int, int] = OrderedDict()
    hits = used = 0
    for each, size in zip(ids, sizes, strict=True):
        if each in held:
            hits += 1
            held.move_to_end(each)
            continue
        if size > capacity:
            continue
        while used + size > capacity:
            used -= held.popitem(last=False)[1]
        held[each] = size
        used += size
    return hits
