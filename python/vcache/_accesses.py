"""The access log: where it is, and look-ups as arrays."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._digest import KeyDigest
from ._messages import shown
from .errors import ConfigError

__all__ = ["FILE_BYTES", "newest", "parse_access_log", "to_core"]

FILE_BYTES = 64 << 20  # at which a file is rotated
_ALLOWED = "allowed are None and the path of a file, as str or os.PathLike"
_TIERS = np.array(["", "memory", "redis"])
# An access as the core has it.
_STORED = np.dtype(
    {
        "names": ["time", "key", "size", "cost", "group", "tier"],
        "formats": ["<i8", "<u8", "<u4", "<f4", "<u2", "u1"],
        "offsets": [0, 8, 16, 20, 28, 30],
        "itemsize": 32,
    }
)


def parse_access_log(value: object, name: str) -> str | None:
    """An absolute path without links, so that rotation and a change of folder leave it alone."""
    if value is None:
        return None
    path = value if isinstance(value, str) else _path_of(value, name)
    if not path or "\0" in path:
        raise ConfigError(f"{name}={shown(value)}: {_ALLOWED}")
    return os.path.realpath(path) + ("/" if path.endswith("/") else "")


def _path_of(value: object, name: str) -> str:
    path = os.fspath(value) if isinstance(value, os.PathLike) else None
    if not isinstance(path, str):
        raise TypeError(f"{name}={shown(value)} is of type {type(value).__name__}: {_ALLOWED}")
    return path


def to_core(path: str | None, key_secret: bytes, file_bytes: int) -> _core.AccessLogOptions | None:
    """Options of a log whose hashes of keys, with a secret, only its owners can make."""
    if path is None:
        return None
    seed = int(KeyDigest(key_secret).of(b"access log")[:16], 16) if key_secret else 0
    return _core.AccessLogOptions(path=os.fsencode(path), seed=seed, file_bytes=file_bytes)


def newest(core: _core.TieredCache, n: int | None) -> npt.NDArray[Any]:
    """See Cache.accesses()."""
    if n is not None and type(n) is not int:
        raise TypeError(f"n={shown(n)} is of type {type(n).__name__}: allowed are None and an int")
    if n is not None and n < 0:
        raise ValueError(f"n={n}: allowed are None and an int from 0 on")
    most = 2**63 if n is None else min(n, 2**63)
    raw, groups = core.accesses(most)
    stored = np.frombuffer(raw, _STORED)
    names = np.array(groups)[stored["group"]] if len(stored) else np.array([], "U1")
    width = max(1, int(np.char.str_len(names).max(initial=0)))
    fields = [("time", "f8"), ("key", "u8"), ("group", f"U{width}"), ("tier", "U6")]
    out = np.empty(len(stored), [*fields, ("size", "u4"), ("cost", "f4")])
    out["time"] = stored["time"] / 1000
    out["group"] = names
    out["tier"] = _TIERS[stored["tier"]]
    for name in ("key", "size", "cost"):
        out[name] = stored[name]
    return out
