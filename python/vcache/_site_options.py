"""What a decorator was given, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ._arguments import callable_argument, ttl_chosen
from ._core import DEFAULT
from ._freshness import PLAIN, Freshness
from ._keying import Signature
from ._messages import shown
from ._typed import codec_of
from .errors import ConfigError

__all__ = ["CacheInfo", "Codec", "Options", "codec", "key_prefix", "signature_of"]

Codec = tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]

_MAX_PREFIX = 512


class CacheInfo(NamedTuple):
    """Calls of one wrapped function in this process, since it was made or cleared.

    `maxsize` is None: all share the budget of the cache, whose entries in memory are `currsize`.
    `uncached` results could not be stored. `similar` of the hits had the result of another query.
    """

    hits: int
    misses: int
    maxsize: int | None
    currsize: int
    uncached: int
    similar: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What any decorator was given, but the function. Raises the errors of what is not allowed."""

    ttl: Any = DEFAULT
    key_prefix: str | None = None
    key: Callable[..., Any] | None = None
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None
    type: Any = None
    cache_if: Callable[[Any], bool] | None = None
    precision: int | None = None
    freshness: Freshness = PLAIN

    def __post_init__(self) -> None:
        object.__setattr__(self, "ttl", ttl_chosen(self.ttl, self.freshness.volatility))
        for name in ("key", "cache_if"):
            if getattr(self, name) is not None:
                callable_argument(getattr(self, name), name)
        codec(self)


def codec(options: Options) -> Codec:
    """What makes a stored value of a result, and a result of it; None for as it is."""
    for name in ("encode", "decode"):
        given = getattr(options, name)
        if given is not None and not callable(given):
            allowed = "allowed are None and a callable"
            raise ConfigError(f"{name}={shown(given)} of type {type(given).__name__}: {allowed}")
    if (options.encode is None) != (options.decode is None):
        raise TypeError("encode and decode: allowed are both or neither")
    if options.type is None:
        return options.encode, options.decode
    if options.encode is not None:
        raise TypeError("type: allowed only without encode and decode")
    return codec_of(options.type, none_too=options.freshness.negative_ttl is not None)


def key_prefix(given: object, name: str) -> str:
    prefix = name if given is None else given
    if not isinstance(prefix, str):
        raise TypeError(
            f"key_prefix={shown(given)} of type {type(given).__name__}: allowed is a str"
        )
    try:
        size = len(prefix.encode())
    except UnicodeEncodeError:  # a lone surrogate
        size = 0
    if not 1 <= size <= _MAX_PREFIX:
        allowed = f"allowed are 1 to {_MAX_PREFIX} bytes of UTF-8"
        raise ConfigError(f"key_prefix={shown(prefix)}: {allowed}")
    return prefix


def signature_of(function: Callable[..., Any]) -> Signature:
    try:
        return Signature(function)
    except (TypeError, ValueError):  # some built-in types and functions tell none
        raise ConfigError(
            f"function={shown(function)}: its parameters are not known: allowed are functions whose"
            " signature inspect can tell"
        ) from None
