"""Builds and loads `gather.c`. ctypes releases the GIL during the call."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
from harness import CannotRun

SOURCE = Path(__file__).with_name("gather.c")


class Gather:
    """`repeats` batches of rows of `table`, each copied into the same matrix."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise CannotRun("no C compiler (cc, gcc, clang) found")
        library = folder / "gather.so"
        command = [compiler, "-O3", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
        subprocess.run(command, check=True)
        self._call = ctypes.CDLL(str(library)).gather
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
