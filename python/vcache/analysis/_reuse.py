"""How soon keys come again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._accesses import LogLike, accesses

__all__ = ["reuse_distances", "reuse_times"]

Whole = npt.NDArray[np.int64]


def reuse_distances(log: LogLike) -> Whole:
    """For each look-up how many other keys were looked up since the last one of its key.

    log: as for accesses(). int64 of shape (n,); -1 for the first look-up of a key. A cache of `k`
    entries under LRU would have hit exactly those of a distance from 0 to k - 1. Takes time of
    n * log(n).

    Mattson, Gecsei, Slutz, Traiger, "Evaluation Techniques for Storage Hierarchies", IBM Systems
    Journal 9, 1970. Of the look-ups between the two, those do not count that repeat a key from
    between them; as in Bennett, Kruskal, "LRU Stack Processing", IBM Journal of Research and
    Development 19, 1975, with a wavelet tree (Grossi, Gupta, Vitter, "High-Order Entropy-Compressed
    Text Indexes", SODA 2003) in the place of their tree.
    """
    before = _places_before(accesses(log)["key"])
    distances = np.arange(len(before)) - before - 1 - _greater_before(before)
    return np.where(before < 0, -1, distances)


def reuse_times(log: LogLike) -> npt.NDArray[np.float64]:
    """For each look-up the seconds since the last one of its key; float64 of shape (n,), NaN for
    the first. log: as for accesses(). What a time to live has to outlast.
    """
    found = accesses(log)
    before = _places_before(found["key"])
    return np.where(before < 0, np.nan, found["time"] - found["time"][before])


def _places_before(keys: npt.NDArray[np.uint64]) -> Whole:
    """The place of the last look-up of the same key; -1 for none."""
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    before = np.full(len(keys), -1, np.int64)
    before[order[1:][same]] = order[:-1][same]
    return before


def _greater_before(values: Whole) -> Whole:
    """For each value, from -1 to n - 1, how many earlier ones are greater.

    Level by level of a wavelet tree, from the highest bit down: the places, in the order of the
    bits above, and of equal ones as they came; each level puts those with the next bit 0 first.
    """
    n, ranks = len(values), values + 1
    bits = n.bit_length()
    below = np.zeros(2**bits + 1, np.int64)  # how many ranks are less than the index
    np.cumsum(np.bincount(ranks, minlength=2**bits), out=below[1:])
    counts, order, here = np.zeros(n, np.int64), np.arange(n), np.arange(n)
    for bit in reversed(range(bits)):
        now = ranks[order]
        low = now >> (bit + 1) << (bit + 1)
        start = below[low]  # of those that are equal in all higher bits
        is_high = (now >> bit & 1).astype(np.bool_)
        highs: Whole = np.cumsum(is_high) - is_high
        highs -= highs[start]  # before each, from its start on
        counts[order] += np.where(is_high, 0, highs)
        to = np.where(is_high, below[low + (1 << bit)] + highs, here - highs)
        order[to] = order.copy()
    return counts
