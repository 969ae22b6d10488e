"""Times to live by the use of keys: what users say of them, and how the core takes it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from . import _core
from ._arguments import FLAGS
from ._messages import shown
from .durations import Duration, parse_duration, parse_ttl
from .errors import ConfigError

__all__ = [
    "AdaptiveTTL",
    "least_memory_ttl",
    "least_ttl",
    "parse_adaptive",
    "parse_adaptive_text",
    "to_core",
]

_MOST_READS = 65534
_COUNTS = ("hot_hits", "cold_hits", "warm_reads", "hot_reads")


@dataclass(frozen=True, kw_only=True)
class AdaptiveTTL:
    """Times to live by the reads of a key: all hits of it, in memory and in Redis, within a day.

    memory_ttl, hot_memory_ttl, cold_memory_ttl: in memory; those of keys with more than `hot_hits`
        reads, and with fewer than `cold_hits`.
    ttl, warm_ttl, hot_ttl: in Redis; those of keys with more than `warm_reads`, and with more than
        `hot_reads`. None: no expiry.

    Reads are those of this process, of the current day and of the share of the day before it that
    lies within 24 hours; a day begins each 24 hours, at no certain time. They are kept in 1 MiB
    beside the memory tier, without the keys, so that counts may be too high where over 100,000 keys
    are read in a day, and stop at 65,535. Other processes count their own.

    They are asked for when a value is set, and when touch() gives no ttl; a time to live that is
    given with a call is kept to. That in memory is asked for again when a value comes from Redis,
    and by the read in memory with which a key has its `cold_hits`, or one more than its `hot_hits`:
    from then on the entry stays for its new time, if that ends later. No entry outlives Redis' in
    memory.

    Raises ConfigError naming the option that is not allowed.
    """

    memory_ttl: Duration = 45.0
    hot_memory_ttl: Duration = 120.0
    cold_memory_ttl: Duration = 20.0
    hot_hits: int = 50
    cold_hits: int = 5
    ttl: Duration | None = "30d"
    warm_ttl: Duration | None = "14d"
    hot_ttl: Duration | None = "7d"
    warm_reads: int = 10
    hot_reads: int = 100

    def __post_init__(self) -> None:
        try:
            for name in ("memory_ttl", "hot_memory_ttl", "cold_memory_ttl"):
                parse_duration(getattr(self, name), name)
            for name in ("ttl", "warm_ttl", "hot_ttl"):
                parse_ttl(getattr(self, name), name)
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from None
        for name in _COUNTS:
            _check_count(name, getattr(self, name))
        if self.cold_hits > self.hot_hits:
            most = f"hot_hits, which is {self.hot_hits}"
            raise ConfigError(f"cold_hits={self.cold_hits}: allowed is at most {most}")
        if self.warm_reads > self.hot_reads:
            most = f"hot_reads, which is {self.hot_reads}"
            raise ConfigError(f"warm_reads={self.warm_reads}: allowed is at most {most}")


def _check_count(name: str, value: object) -> None:
    if type(value) is not int or not 0 <= value <= _MOST_READS:
        raise ConfigError(f"{name}={shown(value)}: allowed is an int from 0 to {_MOST_READS}")


def parse_adaptive(value: object, name: str) -> AdaptiveTTL | None:
    if value is None or isinstance(value, AdaptiveTTL):
        return value
    if isinstance(value, bool):
        return AdaptiveTTL() if value else None
    raise ConfigError(
        f"{name}={shown(value)}: allowed are None, True, False and a vcache.options.AdaptiveTTL"
    )


def parse_adaptive_text(text: str, name: str) -> AdaptiveTTL | None:
    """Of "true", "false" or options such as "hot_hits=100,hot_memory_ttl=5m"."""
    flag = FLAGS.get(text.strip().lower())
    if flag is not None:
        return AdaptiveTTL() if flag else None
    names = [each.name for each in fields(AdaptiveTTL)]
    options: dict[str, object] = {}
    for part in text.split(","):
        option, _, value = (piece.strip() for piece in part.partition("="))
        if option not in names or option in options or not value:
            allowed = f"true, false, or NAME=VALUE with commas between, of {', '.join(names)}"
            raise ConfigError(f"{name}={shown(text)}: allowed are {allowed}, each once")
        options[option] = _value(option, value)
    try:
        return AdaptiveTTL(**options)  # type: ignore[arg-type]
    except ConfigError as error:
        raise ConfigError(f"{name}={shown(text)}: {error}") from None


def _value(option: str, text: str) -> object:
    if option in _COUNTS:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text
    return None if text.lower() == "none" else text


def least_ttl(rule: AdaptiveTTL) -> float | None:
    """Seconds that Redis keeps any value at least; None: no value expires."""
    ttls = (parse_ttl(ttl, "ttl") for ttl in (rule.ttl, rule.warm_ttl, rule.hot_ttl))
    return min((ttl for ttl in ttls if ttl is not None), default=None)


def least_memory_ttl(rule: AdaptiveTTL) -> float:
    """Seconds that memory keeps at least what Redis has for longer."""
    ttls = (rule.memory_ttl, rule.hot_memory_ttl, rule.cold_memory_ttl)
    return min(parse_duration(ttl, "memory_ttl") for ttl in ttls)


def to_core(rule: AdaptiveTTL | None) -> _core.AdaptiveTtl | None:
    if rule is None:
        return None
    return _core.AdaptiveTtl(
        memory_ttl=parse_duration(rule.memory_ttl, "memory_ttl"),
        hot_memory_ttl=parse_duration(rule.hot_memory_ttl, "hot_memory_ttl"),
        cold_memory_ttl=parse_duration(rule.cold_memory_ttl, "cold_memory_ttl"),
        hot_hits=rule.hot_hits,
        cold_hits=rule.cold_hits,
        ttl=parse_ttl(rule.ttl, "ttl"),
        warm_ttl=parse_ttl(rule.warm_ttl, "warm_ttl"),
        hot_ttl=parse_ttl(rule.hot_ttl, "hot_ttl"),
        warm_reads=rule.warm_reads,
        hot_reads=rule.hot_reads,
    )
