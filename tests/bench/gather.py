"""The least work of a batch read from memory, as `gather.c` does it."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
from native import load


class Gather:
    """`repeats` batches of rows of `table`, each copied into the same matrix."""

    def __init__(self, folder: Path) -> None:
        self._call = load("gather", folder).gather
        self._call.restype = None

    def __call__(self, table: np.ndarray, batches: np.ndarray, out: np.ndarray) -> None:
        repeats, count = batches.shape
        self._call(
            ctypes.c_void_p(table.ctypes.data),
            ctypes.c_void_p(batches.ctypes.data),
            ctypes.c_size_t(count),
            ctypes.c_size_t(table.shape[1]),
            ctypes.c_void_p(out.ctypes.data),
            ctypes.c_size_t(repeats),
        )
