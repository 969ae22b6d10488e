"""Builds and loads C functions that the rows compare with. ctypes releases the GIL in calls."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

from harness import CannotRun

HERE = Path(__file__).parent


def load(name: str, folder: Path, *options: str) -> ctypes.CDLL:
    """The library of `name`.c, built in `folder`."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise CannotRun("no C compiler (cc, gcc, clang) found")
    library = folder / f"{name}.so"
    command = [compiler, "-O3", *options, "-shared", "-fPIC", "-o", str(library)]
    subprocess.run([*command, str(HERE / f"{name}.c")], check=True)
    return ctypes.CDLL(str(library))
