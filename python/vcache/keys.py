"""Keys and the glob patterns that take them."""

from __future__ import annotations

import re
from typing import AnyStr

__all__ = ["escape"]

_SPECIAL = re.compile(r"[*?\[\]\\]")
_SPECIAL_BYTES = re.compile(rb"[*?\[\]\\]")


def escape(part: AnyStr) -> AnyStr:
    """`part` with each character of it that a glob pattern would read as something else escaped.

    `cache.invalidate(f"user:{escape(name)}:*")` takes the keys of that name and of no other.
    Raises TypeError for what is no str or bytes.
    """
    if isinstance(part, str):
        return _SPECIAL.sub(r"\\\g<0>", part)
    if isinstance(part, bytes):
        return _SPECIAL_BYTES.sub(rb"\\\g<0>", part)
    raise TypeError(f"part={part!r} of type {type(part).__name__}: allowed are str and bytes")
