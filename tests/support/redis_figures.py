"""What a cache says of its Redis."""

from __future__ import annotations

from collections import Counter
from typing import Any

from vcache import Cache


def figure(cache: Cache, name: str) -> Any:
    """One of the figures of Stats.redis."""
    redis = cache.stats().redis
    assert redis is not None
    return redis[name]


def breaker(cache: Cache) -> str:
    return str(figure(cache, "breaker"))


def breakers(cache: Cache) -> dict[str, str]:
    """Of each server, by its address."""
    return dict(figure(cache, "breakers"))


def coherence(cache: Cache) -> str:
    return str(figure(cache, "coherence"))


def error_kinds(cache: Cache) -> Counter[str]:
    """How often each kind of error was met."""
    return Counter(figure(cache, "errors"))


def unanswered(cache: Cache) -> int:
    """The requests that got no answer of Redis."""
    stats = cache.stats()
    return stats.errors + stats.skipped
