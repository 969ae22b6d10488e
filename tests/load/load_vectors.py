"""Vectors that name themselves: any of them can be made again from its first 16 bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
Numbers = NDArray[np.uint64]

NAME_WORDS = 4
MAGIC = 0x0076C0DE
_FINITE = np.uint32(0xBFFFFFFF)  # without the top bit of the exponent no float is NaN or Inf


def make(keys: Numbers, versions: Numbers, dim: int) -> NDArray[np.float32]:
    """One row for each key and version, both below 2**30; dim is over NAME_WORDS."""
    words = np.empty((len(keys), dim), np.uint32)
    words[:, 0], words[:, 1] = keys, versions
    words[:, 2] = MAGIC
    noise = _noise(keys, versions, dim - NAME_WORDS + 1)
    words[:, 3:] = noise & _FINITE
    return words.view(np.float32)


def names(matrix: NDArray[np.float32]) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """The keys and versions that the rows claim, and whether every byte of a row agrees."""
    words = np.ascontiguousarray(matrix).view(np.uint32)
    keys, versions = words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)
    wanted = make(keys, versions, matrix.shape[1]).view(np.uint32)
    return keys, versions, (words == wanted).all(axis=1)


def _noise(keys: Numbers, versions: Numbers, count: int) -> Words:
    """splitmix64 with the counter (key, version, position)."""
    with np.errstate(over="ignore"):
        start = (keys << np.uint64(32)) + versions * np.uint64(0x2545F4914F6CDD1D)
        step = np.arange(1, count // 2 + 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = start[:, None] + step[None, :]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed.view(np.uint32)[:, :count]
