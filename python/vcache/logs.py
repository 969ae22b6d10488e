"""Structured logs: what the logger "vcache" and those below it tell, as lines for machines.

vcache.logs.configure()                     # lines of JSON on stderr
vcache.logs.configure(format="keyvalue")    # time=… level=… event=stats hit_rate=0.93 …

Records go through the standard library: any handler sees them, with `record.event` (a name of
EVENTS, None for a record of another make) and `record.fields` (a dict). Nothing that is logged
holds a text, a vector, a key or a password: keys are logged as key_hash() has them, of errors the
type is, and user and password of a URL are cut out of whatever a line says.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache as once
from typing import TYPE_CHECKING, Any, Literal, TextIO

from ._messages import shown
from .errors import ConfigError

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["EVENTS", "JsonFormatter", "KeyValueFormatter", "configure", "key_hash", "tell"]

EVENTS: Mapping[str, tuple[str, ...]] = {
    "stats": (
        *("namespace", "requests", "hits", "misses", "hit_rate", "memory_hit_rate"),
        *("redis_hit_rate", "seconds", "recent_requests", "recent_hit_rate", "entries"),
        *("memory_bytes", "memory_limit", "evictions", "expired", "errors", "skipped"),
        *("stale_served", "coalesced", "seconds_saved", "cost_saved", "memory_p50", "memory_p99"),
        *("redis_p50", "redis_p99", "policy", "leader", "model", "breaker", "coherence"),
    ),
    "redis_down": ("server", "reason"),  # "no answer", "credentials"
    "redis_up": ("server", "seconds"),
    "redis_errors": ("kind", "count"),
    "access_log_failed": ("path", "error"),
    "factory_failed": ("error", "count"),
    "http_cache_failed": ("step", "error"),
    "redisvl_unreadable": ("error",),
    "value_not_cached": ("of",),
    "value_unreadable": ("of", "error"),
    "report_failed": ("of", "error"),
    "rollout": ("name", "change", "share", "why"),
    "migration": ("name", "phase", "why"),
    "listener_failed": ("of", "error"),
}
"""The fields of each event. Further ones may be added, none is taken away or changes its meaning.
Times are seconds, sizes bytes, rates shares from 0 to 1; what is not known is absent."""

Format = Literal["json", "keyvalue"]

_MOST_TEXT = 300
_MOST_ITEMS = 64
_MOST_DEPTH = 3
_HASH_DIGITS = 16
_OWN = ("time", "level", "logger", "event", "message", "pid")
_CREDENTIALS = re.compile(r"(?<=://)\S*@")
_SECRETS = re.compile(r"password|secret|token|credential|encryption_key|signing_key", re.IGNORECASE)


def configure(
    *, format: Format = "json", level: int | str = "INFO", stream: TextIO | None = None
) -> logging.Handler:
    """Has the logger "vcache" write lines to `stream` (stderr); the handler, to be taken off again.

    Called again it replaces what it set up before. Handlers of the application get the records too.
    Raises ConfigError for a format or level that is none.
    """
    makers: dict[object, type[logging.Formatter]] = {
        "json": JsonFormatter,
        "keyvalue": KeyValueFormatter,
    }
    if not isinstance(format, str) or format not in makers:
        raise ConfigError(f'format={shown(format)}: allowed are "json" and "keyvalue"')
    handler: logging.Handler = _Handler(stream)
    handler.setFormatter(makers[format]())
    logger = logging.getLogger("vcache")
    try:
        logger.setLevel(level)
    except (TypeError, ValueError):
        raise ConfigError(
            f'level={shown(level)}: allowed is a level of logging, such as "INFO" or 20'
        ) from None
    for old in [each for each in logger.handlers if isinstance(each, _Handler)]:
        logger.removeHandler(old)
    logger.addHandler(handler)
    return handler


class _Handler(logging.StreamHandler[TextIO]):
    """One that configure() made."""


def key_hash(key: str | bytes, cache: Cache | None = None) -> str:
    """16 hexadecimal digits that stand for a key in a log.

    Of a cache with `key_secret` they are of an HMAC under it, else of its SHA-256, from which who
    guesses a key can tell it.
    """
    from ._digest import PLAIN

    data = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else bytes(key)
    digest = PLAIN if cache is None else cache._digest
    return digest.of(b"log\0" + data)[:_HASH_DIGITS]


def tell(logger: logging.Logger, level: int, event: str, message: str, /, **fields: Any) -> None:
    """Logs an event; `message` says the same to a reader, with {name} for a field."""
    if logger.isEnabledFor(level):
        text = message.format_map(fields)
        logger.log(level, "%s", text, extra={"event": event, "fields": fields})


class JsonFormatter(logging.Formatter):
    """Each record as one line of JSON: time (UTC), level, logger, event, message, fields, pid."""

    def format(self, record: logging.LogRecord) -> str:
        return _json(_line(record))


class KeyValueFormatter(logging.Formatter):
    """Each record as one line of key=value; values with spaces or quotes as in JSON."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{name}={_value(value)}" for name, value in _line(record).items())


def _line(record: logging.LogRecord) -> dict[str, Any]:
    at = datetime.fromtimestamp(record.created, UTC)
    event, fields = getattr(record, "event", None), getattr(record, "fields", None)
    line: dict[str, Any] = {
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
    }
    if event is not None:
        line["event"] = _clean(event)
    line["message"] = _clean(record.getMessage())
    if isinstance(fields, Mapping):
        line |= {
            name: "***" if _SECRETS.search(name) else _clean(value)
            for name, value in fields.items()
            if isinstance(name, str) and name not in _OWN and value is not None
        }
    if record.exc_info and record.exc_info[0] is not None:
        line.setdefault("error", record.exc_info[0].__name__)  # its text may hold anything
    return line | {"pid": record.process}


def _clean(value: object, depth: int = 0) -> Any:
    """What may stand in a log for it: of arrays, lists and other objects the kind alone."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        text = _CREDENTIALS.sub("***@", value)
        return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"
    if isinstance(value, Mapping) and depth < _MOST_DEPTH:
        pairs = list(value.items())[:_MOST_ITEMS]
        return {
            str(_clean(name)): "***" if _SECRETS.search(str(name)) else _clean(item, depth + 1)
            for name, item in pairs
        }
    if isinstance(value, bytes | bytearray | list | tuple | set | frozenset):
        return f"<{type(value).__name__} of {len(value)}>"
    return f"<{type(value).__name__}>"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else _json(value)
    is_plain = isinstance(value, str) and re.fullmatch(r"[!#-<>-~]+", text)
    if is_plain or not isinstance(value, str | dict):
        return text
    return _json(text)


def _json(value: Any) -> str:
    import json  # not before a line is written

    return json.dumps(value)  # in ASCII, which any stream takes


# What the core tells of is text: the events that it stands for.


@once
def _core_events() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return (
        ("redis_down", re.compile(r"(?P<server>\S+) (?P<reason>does not answer|refuses our cred)")),
        ("redis_up", re.compile(r"(?P<server>\S+) answers again, after (?P<millis>\d+) ms")),
        ("redis_errors", re.compile(r"errors of kind (?P<kind>\S+): (?P<count>\d+) since")),
        (
            "access_log_failed",
            re.compile(r"access_log='(?P<path>.*)' cannot be written to: (?P<error>.*?);", re.S),
        ),
    )


class _CoreEvents(logging.Filter):
    """Gives the records of the core their event and fields. Drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "event"):
            text = record.getMessage()
            found = ((event, form.match(text)) for event, form in _core_events())
            event, match = next(((e, m) for e, m in found if m is not None), (None, None))
            record.event = event
            record.fields = {} if match is None else _core_fields(match.groupdict())
        return True


def _core_fields(texts: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = dict(texts)
    if "reason" in fields:
        is_away = fields["reason"] == "does not answer"
        fields["reason"] = "no answer" if is_away else "credentials"
    if "count" in fields:
        fields["count"] = int(fields["count"])
    if "millis" in fields:
        fields["seconds"] = int(fields.pop("millis")) / 1000
    return fields


def mark_core_records() -> None:
    """Has the records of the core carry events from now on."""
    for name in ("vcache.redis", "vcache.access"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _CoreEvents) for each in logger.filters):
            logger.addFilter(_CoreEvents())
