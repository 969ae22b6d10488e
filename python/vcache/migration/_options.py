"""Checks of what a migration is given, and which keys a model has."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sized
from typing import Any

from .._digest import DIGITS
from .._messages import shown
from ..embedding import EmbeddingCache
from ..errors import ConfigError
from ..keys import escape

__all__ = [
    "models",
    "pattern_of",
    "rate_of",
    "share_of",
    "text_source",
    "total_of",
    "whole",
]


def models(old: object, new: object) -> tuple[EmbeddingCache, EmbeddingCache]:
    """Two whose keys differ, so that neither is served what the other stored."""
    one, other = _embeddings(old, "old"), _embeddings(new, "new")
    if one.key("") == other.key(""):
        raise ConfigError(
            f"new: it has the keys of `old`, model {shown(other.model)}: allowed is another model,"
            " or other kind, dims or normalize"
        )
    return one, other


def _embeddings(given: object, name: str) -> EmbeddingCache:
    if not isinstance(given, EmbeddingCache):
        kind = type(given).__name__
        raise ConfigError(f"{name}={shown(given)} of type {kind}: allowed is an EmbeddingCache")
    return given


def whole(given: object, name: str, least: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < least:
        raise ConfigError(f"{name}={shown(given)}: allowed is an int of {least} or more")
    return given


def pattern_of(model: str) -> str:
    """What all keys of a model match, and none of one whose name goes on, as "a:v2" of "a"."""
    return f"emb:{escape(model)}:{'?' * DIGITS}"


def rate_of(given: object) -> float | None:
    if given is None:
        return None
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not is_number or not 0 < float(given) < math.inf:  # type: ignore[arg-type]
        raise ConfigError(f"rate={shown(given)}: allowed are None and a finite number above 0")
    return float(given)  # type: ignore[arg-type]


def share_of(given: object, name: str) -> float:
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not is_number or not 0 <= float(given) <= 1:  # type: ignore[arg-type]
        raise ConfigError(f"{name}={shown(given)}: allowed is a number from 0 to 1")
    return float(given)  # type: ignore[arg-type]


def text_source(given: Any) -> Iterable[str]:
    """Texts of an iterable, or of what returns one."""
    source = given() if callable(given) else given
    if isinstance(source, (str, bytes)) or not isinstance(source, Iterable):
        kind = type(source).__name__
        raise ConfigError(
            f"texts={shown(source)} of type {kind}: allowed is an iterable of str, or a callable"
            " that returns one"
        )
    return source


def total_of(source: Iterable[str], total: int | None) -> int | None:
    if total is not None:
        return whole(total, "total", 0)
    return len(source) if isinstance(source, Sized) else None
