"""Sizes as users write them: bytes, "512MiB" or "auto"."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from numbers import Integral
from typing import TYPE_CHECKING

from ._messages import shown

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Size", "memory_limit", "parse_size"]

Size = int | str

_AUTO_SHARE = 0.10
_UNITS = {"": 1, "b": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("kmgt", start=1)
    for suffix, base in (("b", 1000), ("ib", 1024))
}
_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def parse_size(value: object, name: str, *, most: int, allowed: str) -> int:
    """Bytes of a size given as argument `name`, from 0 to `most`.

    Raises ValueError for one outside that or not understood, TypeError for any other type; both
    name argument and value, and say what is `allowed`.
    """
    if isinstance(value, (bool, float)):
        size = -1
    elif isinstance(value, Integral):
        size = int(value)
    elif isinstance(value, str):
        size = _from_text(value)
    else:
        raise TypeError(f"{name}={shown(value)} is of type {type(value).__name__}: {allowed}")
    if not 0 <= size <= most:
        raise ValueError(f"{name}={shown(value)}: {allowed}")
    return size


def automatic_size() -> int:
    """What "auto" stands for: a tenth of the memory this process may use."""
    return int(memory_limit() * _AUTO_SHARE)


def memory_limit() -> int:
    """Bytes of RAM, or of the tightest control group limit around this process if that is less."""
    from pathlib import Path

    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([ram, *_group_limits(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))])


def _group_limits(membership: Path, root: Path) -> Iterator[int]:
    """Limits of the groups listed in `membership` and of their parents; cgroup v1 and v2."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            yield from _limits_upwards(root, group, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits_upwards(root / "memory", group, "memory.limit_in_bytes")


def _limits_upwards(root: Path, group: str, file: str) -> Iterator[int]:
    folder = root / group.lstrip("/")
    for path in (folder, *folder.parents):
        with suppress(OSError, ValueError):  # no such group in this container, or "max"
            yield int((path / file).read_text())
        if path == root:
            return


def _from_text(text: str) -> int:
    """Bytes of a text, negative if it is not a size."""
    stripped = text.strip().lower()
    if stripped == "auto":
        return automatic_size()
    match = _TEXT.fullmatch(stripped)
    if match is None or match[2] not in _UNITS:
        return -1
    size = float(match[1]) * _UNITS[match[2]]
    return int(size) if math.isfinite(size) else -1
