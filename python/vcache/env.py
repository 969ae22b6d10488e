"""A cache as the environment and a `.env` file describe it.

Where several variables say the same thing the narrower name wins: CACHE_REDIS_TTL over REDIS_TTL
over DEFAULT_TTL. Redis is used if REDIS_URL or REDIS_HOST is set, unless CACHE_REDIS_ENABLED says
otherwise.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pydantic_settings import BaseSettings, SettingsConfigDict

from ._config import CHECKS
from .cache import Cache
from .durations import parse_ttl
from .errors import ConfigError
from .options import RedisOptions, parse_timeout
from .sizes import parse_size

__all__ = ["VARIABLES", "arguments_from_env", "get_cache"]


class _Variables(BaseSettings):
    """The texts of the variables, empty ones as if unset."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        case_sensitive=True,
        extra="ignore",
    )

    REDIS_URL: str | None = None
    REDIS_HOST: str | None = None
    REDIS_PORT: str | None = None
    REDIS_DB: str | None = None
    REDIS_USERNAME: str | None = None
    REDIS_PASSWORD: str | None = None
    REDIS_TLS: str | None = None
    REDIS_POOL_SIZE: str | None = None
    REDIS_TTL: str | None = None
    CACHE_LOCAL_ENABLED: str | None = None
    CACHE_LOCAL_SIZE_MB: str | None = None
    CACHE_LOCAL_TTL: str | None = None
    CACHE_REDIS_ENABLED: str | None = None
    CACHE_REDIS_TTL: str | None = None
    CACHE_KEY_PREFIX: str | None = None
    DEFAULT_TTL: str | None = None
    MAX_CACHE_SIZE: str | None = None
    VCACHE_POLICY: str | None = None
    VCACHE_JITTER: str | None = None
    VCACHE_TIMEOUT: str | None = None
    VCACHE_CONNECT_TIMEOUT: str | None = None
    VCACHE_STRICT: str | None = None
    VCACHE_MAX_VALUE: str | None = None
    VCACHE_METRICS: str | None = None


VARIABLES = tuple(_Variables.model_fields)

_FLAGS = {"1": True, "true": True, "yes": True, "on": True} | {
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def arguments_from_env() -> dict[str, Any]:
    """The constructor's arguments that the environment gives. Raises ConfigError for a bad one."""
    try:
        variables = _Reader(_Variables())
    except UnicodeDecodeError:
        raise ConfigError(".env: allowed is UTF-8 text") from None
    arguments: dict[str, Any] = {}
    for name, (variable_names, parse) in _ARGUMENTS.items():
        for variable in variable_names:
            if variables.has(variable):
                arguments[name] = variables.read(variable, parse)
                break
    if variables.has("CACHE_LOCAL_ENABLED") and not variables.read("CACHE_LOCAL_ENABLED", _flag):
        arguments["memory"] = None
    redis = _redis(variables)
    if redis is not None:
        arguments["redis"] = redis
    return arguments


class _Reader:
    """The variables that are set, each parsed by who needs it."""

    def __init__(self, variables: _Variables) -> None:
        self._texts = {k: v for k, v in variables.model_dump().items() if v is not None}

    def has(self, name: str) -> bool:
        return name in self._texts

    def read(self, name: str, parse: Callable[[str, str], Any], default: Any = None) -> Any:
        """The parsed value; a ConfigError of `parse` names the variable."""
        if name not in self._texts:
            return default
        try:
            return parse(self._texts[name], name)
        except ValueError as error:
            text = str(error)
            raise ConfigError(text if name in text else f"{name}: {text}") from None


def _redis(variables: _Reader) -> RedisOptions | None:
    is_given = variables.has("REDIS_URL") or variables.has("REDIS_HOST")
    if not variables.read("CACHE_REDIS_ENABLED", _flag, is_given):
        return None
    if variables.read("REDIS_TLS", _flag, False):
        raise ConfigError("REDIS_TLS='true': allowed is false, TLS is not supported yet")
    if variables.has("REDIS_USERNAME") and not variables.has("REDIS_PASSWORD"):
        raise ConfigError("REDIS_USERNAME: allowed only with REDIS_PASSWORD")
    if variables.has("REDIS_URL"):
        options: RedisOptions = variables.read("REDIS_URL", _url)
        return options
    return RedisOptions(
        host=variables.read("REDIS_HOST", _text, "127.0.0.1"),
        port=variables.read("REDIS_PORT", _int_up_to(65535, least=1), 6379),
        db=variables.read("REDIS_DB", _int_up_to(2**31 - 1, least=0), 0),
        username=variables.read("REDIS_USERNAME", _text, ""),
        password=variables.read("REDIS_PASSWORD", _text, ""),
        pool_size=variables.read("REDIS_POOL_SIZE", _int_up_to(1024, least=1), 16),
    )


def _url(text: str, name: str) -> RedisOptions:
    return RedisOptions.from_url(text)


def _text(text: str, name: str) -> str:
    return text


def _flag(text: str, name: str) -> bool:
    value = _FLAGS.get(text.strip().lower())
    if value is None:
        raise ConfigError(f"{name}={text!r}: allowed are true and false (1, 0, yes, no, on, off)")
    return value


def _int_up_to(most: int, least: int) -> Callable[[str, str], int]:
    def parse(text: str, name: str) -> int:
        stripped = text.strip()
        if not (stripped.isascii() and stripped.isdigit() and least <= int(stripped) <= most):
            raise ConfigError(f"{name}={text!r}: allowed is a whole number from {least} to {most}")
        return int(stripped)

    return parse


def _ttl(text: str, name: str) -> float | None:
    return None if text.strip().lower() == "none" else parse_ttl(text, name)


def _megabytes(text: str, name: str) -> int:
    allowed = "allowed is a number of MiB from 0 to 1048576, where 0 is no memory tier"
    return parse_size(f"{text.strip()}MiB", name, most=1 << 40, allowed=allowed)


def _jitter(text: str, name: str) -> float:
    try:
        jitter = float(text)
    except ValueError:
        jitter = -1.0
    if not 0 <= jitter < 1:
        raise ConfigError(f"{name}={text!r}: allowed is a number from 0 to below 1")
    return jitter


# Argument of the constructor, the variables that give it, the narrower first, and how to read them.
_ARGUMENTS: dict[str, tuple[tuple[str, ...], Callable[[str, str], Any]]] = {
    "memory": (("CACHE_LOCAL_SIZE_MB",), _megabytes),
    "max_entries": (("MAX_CACHE_SIZE",), _int_up_to((1 << 32) - 2, least=1)),
    "ttl": (("CACHE_REDIS_TTL", "REDIS_TTL", "DEFAULT_TTL"), _ttl),
    "memory_ttl": (("CACHE_LOCAL_TTL",), _ttl),
    "namespace": (("CACHE_KEY_PREFIX",), CHECKS["namespace"]),
    "policy": (("VCACHE_POLICY",), CHECKS["policy"]),
    "jitter": (("VCACHE_JITTER",), _jitter),
    "timeout": (("VCACHE_TIMEOUT",), parse_timeout),
    "connect_timeout": (("VCACHE_CONNECT_TIMEOUT",), parse_timeout),
    "strict": (("VCACHE_STRICT",), _flag),
    "max_value": (("VCACHE_MAX_VALUE",), CHECKS["max_value"]),
    "metrics": (("VCACHE_METRICS",), _flag),
}

_lock = threading.Lock()
_shared: Cache | None = None


def get_cache() -> Cache:
    """The cache of this process, made from the environment by the first call."""
    global _shared
    if _shared is None:
        with _lock:
            if _shared is None:
                _shared = Cache.from_env()
    return _shared
