"""A cache as the environment and a `.env` file describe it.

Where several variables say the same thing the narrower name wins: CACHE_REDIS_TTL over REDIS_TTL
over DEFAULT_TTL. Redis is used if a variable says where it is or how to log in to it, unless
CACHE_REDIS_ENABLED says otherwise; its host is 127.0.0.1 unless given. What REDIS_URL leaves open
is taken from REDIS_DB, REDIS_USERNAME, REDIS_PASSWORD, REDIS_POOL_SIZE and the variables for TLS;
whether there is TLS its scheme says, else REDIS_TLS.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pydantic_settings import BaseSettings, SettingsConfigDict

from ._adaptive import parse_adaptive_text
from ._arguments import FLAGS
from ._config import CHECKS
from ._locks import ForkLock
from ._messages import shown
from ._storing import parse_storage_dtype, split_keys
from ._variables import check_names, warn_of_idle
from .cache import Cache
from .durations import POSITIVE, parse_duration
from .errors import ConfigError
from .options import (
    MAX_HITS,
    RedisOptions,
    SmallOrHot,
    options_of_url,
    parse_admit_bytes,
    parse_timeout,
)

__all__ = ["VARIABLES", "arguments_from_env", "get_cache", "secret_from_env", "variable"]


# Options, the variables that give them and how to read these.
_Parts = dict[str, tuple[str, Callable[[str, str], Any]]]


class _Variables(BaseSettings):
    """The texts of the variables, empty ones as if unset; others of the file are its extras."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        case_sensitive=True,
        extra="allow",
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
    CACHE_LOCAL_EVICTION: str | None = None
    CACHE_REDIS_ENABLED: str | None = None
    CACHE_REDIS_TTL: str | None = None
    CACHE_KEY_PREFIX: str | None = None
    DEFAULT_TTL: str | None = None
    MAX_CACHE_SIZE: str | None = None
    EVICTION_THRESHOLD: str | None = None
    MODEL_PATH: str | None = None
    MODEL_SHA256: str | None = None
    MODEL_UPDATE_INTERVAL: str | None = None
    PREDICTION_BATCH_SIZE: str | None = None
    PROMETHEUS_PORT: str | None = None
    METRICS_INTERVAL: str | None = None
    VCACHE_REDIS_CA_FILE: str | None = None
    VCACHE_REDIS_CERT_FILE: str | None = None
    VCACHE_REDIS_KEY_FILE: str | None = None
    VCACHE_REDIS_VERIFY: str | None = None
    VCACHE_POLICY: str | None = None
    VCACHE_MINIMIZE: str | None = None
    VCACHE_JITTER: str | None = None
    VCACHE_TIMEOUT: str | None = None
    VCACHE_CONNECT_TIMEOUT: str | None = None
    VCACHE_STRICT: str | None = None
    VCACHE_MAX_VALUE: str | None = None
    VCACHE_PROMOTION_THRESHOLD: str | None = None
    VCACHE_ADMIT_BYTES: str | None = None
    VCACHE_ADMIT_HITS: str | None = None
    VCACHE_ADAPTIVE_TTL: str | None = None
    VCACHE_METRICS: str | None = None
    VCACHE_ACCESS_LOG: str | None = None
    VCACHE_ANNOUNCE: str | None = None
    VCACHE_GRACE: str | None = None
    VCACHE_LEASE: str | None = None
    VCACHE_COMPRESSION: str | None = None
    VCACHE_STORAGE_DTYPE: str | None = None
    VCACHE_ENCRYPTION_KEY: str | None = None
    VCACHE_KEY_SECRET: str | None = None
    VCACHE_PRICES: str | None = None
    VCACHE_API_TOKEN: str | None = None


VARIABLES = tuple(_Variables.model_fields)
_MAX_DIGITS = 20
_SERVICE_LINK = re.compile(r"(?:tcp|udp|sctp)://\S+")  # Kubernetes sets NAME_PORT to one
_OPTIONAL = f"{POSITIVE}, or none for no expiry"
_MEGABYTES = "allowed is 0, for no memory tier, or a number of MiB from 0.0625 to 1048576"


def arguments_from_env() -> dict[str, Any]:
    """The constructor's arguments that the environment gives.

    Raises ConfigError for a variable that is not allowed, or that asks for what vcache cannot do
    yet; warns of those that have no effect.
    """
    variables = _read_all()
    check_names(variables.extras, VARIABLES)
    for name, parse in _REFUSED.items():
        variables.read(name, parse)
    arguments: dict[str, Any] = {}
    for name, (variable_names, parse) in _ARGUMENTS.items():
        for variable in variable_names:
            if variables.has(variable):
                arguments[name] = variables.read(variable, parse)
                break
    if variables.has("CACHE_LOCAL_ENABLED") and not variables.read("CACHE_LOCAL_ENABLED", _flag):
        arguments["memory"] = None
    if admit := _read_parts(variables, _ADMIT_PARTS):
        arguments["admit"] = SmallOrHot(**admit)
    redis = _redis(variables)
    if redis is not None:
        arguments["redis"] = redis
    idle = [name for name, parse in _IDLE.items() if variables.read(name, parse) is not None]
    warn_of_idle(idle, "yet")
    return arguments


def secret_from_env(argument: str) -> Any:
    """What the environment gives for a secret argument, None where unset. Raises ConfigError."""
    (variable,), parse = _ARGUMENTS[argument]
    return _read_all().read(variable, parse)


def variable(name: str) -> str | None:
    """The text of one of VARIABLES, None where unset."""
    text: str | None = _read_all().read(name, _text)
    return text


def _read_all() -> _Reader:
    try:
        return _Reader(_Variables())
    except UnicodeDecodeError:
        raise ConfigError(".env: allowed is UTF-8 text") from None


class _Reader:
    """The variables that are set, each parsed by who needs it."""

    def __init__(self, variables: _Variables) -> None:
        texts = variables.model_dump(include=set(VARIABLES), exclude_none=True)
        self._texts: dict[str, str] = texts
        self.extras = [name for name, text in (variables.model_extra or {}).items() if text]

    def has(self, name: str) -> bool:
        return name in self._texts

    def is_port(self, name: str) -> bool:
        """Whether it is set, and not as a link to a service."""
        return self.has(name) and not _SERVICE_LINK.fullmatch(self._texts[name])

    def read(self, name: str, parse: Callable[[str, str], Any], default: Any = None) -> Any:
        """The parsed value; a ConfigError of `parse` names the variable."""
        if name not in self._texts:
            return default
        try:
            return parse(self._texts[name], name)
        except ValueError as error:
            text = str(error)
            raise ConfigError(text if name in text else f"{name}: {text}") from None


def _read_parts(variables: _Reader, parts: _Parts) -> dict[str, Any]:
    """Those of `parts` that are set, by their names as options."""
    return {
        name: variables.read(variable, parse)
        for name, (variable, parse) in parts.items()
        if variables.has(variable)
    }


def _redis(variables: _Reader) -> RedisOptions | None:
    named = ("REDIS_URL", "REDIS_HOST", "REDIS_DB", "REDIS_USERNAME", "REDIS_PASSWORD")
    is_given = any(map(variables.has, named)) or variables.is_port("REDIS_PORT")
    if not variables.read("CACHE_REDIS_ENABLED", _flag, is_given):
        if not variables.has("CACHE_REDIS_ENABLED"):
            warn_of_idle(_of_no_redis(variables), "while none says where Redis is")
        return None
    parts = _read_parts(variables, _REDIS_PARTS) | _tls(variables)
    if variables.has("REDIS_URL"):
        parts.pop("tls", None)  # the URL says it too
        options: RedisOptions = variables.read(
            "REDIS_URL", lambda text, _: options_of_url(text, parts)
        )
        return options
    if "username" in parts and "password" not in parts:
        raise ConfigError("REDIS_USERNAME: allowed only with REDIS_PASSWORD")
    if variables.has("REDIS_HOST") or variables.is_port("REDIS_PORT"):
        parts["port"] = variables.read("REDIS_PORT", _int_up_to(65535, least=1), 6379)
    return RedisOptions(host=variables.read("REDIS_HOST", _text, "127.0.0.1"), **parts)


def _of_no_redis(variables: _Reader) -> list[str]:
    """Variables that say how to reach a Redis, where none says which."""
    parts = (_REDIS_PARTS | _TLS_PARTS).values()
    names = [name for name, parse in parts if variables.read(name, parse) is not None]
    return ["REDIS_TLS", *names] if variables.read("REDIS_TLS", _flag, False) else names


def _tls(variables: _Reader) -> dict[str, Any]:
    """What the variables say of TLS. Raises ConfigError where they contradict each other."""
    wanted = variables.read("REDIS_TLS", _flag, False)
    url: str = variables.read("REDIS_URL", _text, "")
    is_tls = url.strip().lower().startswith("rediss") if url else wanted
    if wanted and not is_tls:
        raise ConfigError(
            "REDIS_TLS: allowed is true only without REDIS_URL or with rediss:// there"
        )
    given = _read_parts(variables, _TLS_PARTS)
    if given and not is_tls:
        variable, _ = _TLS_PARTS[next(iter(given))]
        raise ConfigError(f"{variable}: allowed only with REDIS_TLS=true or a rediss:// REDIS_URL")
    return given | {"tls": True} if is_tls else {}


def _text(text: str, name: str) -> str:
    return text


def _flag(text: str, name: str) -> bool:
    value = FLAGS.get(text.strip().lower())
    if value is None:
        raise ConfigError(
            f"{name}={shown(text)}: allowed are true and false (1, 0, yes, no, on, off)"
        )
    return value


def _int_up_to(most: int, least: int) -> Callable[[str, str], int]:
    def parse(text: str, name: str) -> int:
        stripped = text.strip()
        is_whole = stripped.isascii() and stripped.isdigit() and len(stripped) <= _MAX_DIGITS
        if not (is_whole and least <= int(stripped) <= most):
            allowed = f"allowed is a whole number from {least} to {most}"
            raise ConfigError(f"{name}={shown(text)}: {allowed}")
        return int(stripped)

    return parse


def _number(text: str) -> float:
    """A number, negative if it is none."""
    try:
        return float(text)
    except ValueError:
        return -1.0


def _ttl(text: str, name: str) -> float | None:
    if text.strip().lower() == "none":
        return None
    return parse_duration(text, name, allowed=_OPTIONAL)


def _megabytes(text: str, name: str) -> int:
    size = _number(text)
    if size != 0 and not 0.0625 <= size <= 1 << 20:
        raise ConfigError(f"{name}={shown(text)}: {_MEGABYTES}")
    return int(size * (1 << 20))


def _jitter(text: str, name: str) -> float:
    jitter = _number(text)
    if not 0 <= jitter < 1:
        raise ConfigError(f"{name}={shown(text)}: allowed is a number from 0 to below 1")
    return jitter


def _share(text: str, name: str) -> float:
    share = _number(text)
    if not 0 < share <= 1:
        raise ConfigError(f"{name}={shown(text)}: allowed is a number above 0, at most 1")
    return share


def _own_port(text: str, name: str) -> int | None:
    return None if _SERVICE_LINK.fullmatch(text) else _int_up_to(65535, least=1)(text, name)


def _no_secret(text: str, name: str) -> None:
    raise ConfigError(f"{name} is not supported yet: allowed is to leave it unset")


def _storage_dtype(text: str, name: str) -> str | None:
    return None if text.strip().lower() == "none" else parse_storage_dtype(text, name)


def _verify(text: str, name: str) -> str:
    word = text.strip().lower()
    if word not in ("full", "none"):
        raise ConfigError(f"{name}={shown(text)}: allowed are full and none")
    return word


# Argument of the constructor, the variables that give it, the narrower first, and how to read them.
_ARGUMENTS: dict[str, tuple[tuple[str, ...], Callable[[str, str], Any]]] = {
    "memory": (("CACHE_LOCAL_SIZE_MB",), _megabytes),
    "max_entries": (("MAX_CACHE_SIZE",), _int_up_to((1 << 32) - 2, least=1)),
    "ttl": (("CACHE_REDIS_TTL", "REDIS_TTL", "DEFAULT_TTL"), _ttl),
    "memory_ttl": (("CACHE_LOCAL_TTL",), _ttl),
    "namespace": (("CACHE_KEY_PREFIX",), CHECKS["namespace"]),
    "policy": (("VCACHE_POLICY",), CHECKS["policy"]),
    "model_path": (("MODEL_PATH",), _text),
    "model_sha256": (("MODEL_SHA256",), CHECKS["model_sha256"]),
    "model_update_interval": (("MODEL_UPDATE_INTERVAL",), parse_duration),
    "minimize": (("VCACHE_MINIMIZE",), CHECKS["minimize"]),
    "adaptive_ttl": (("VCACHE_ADAPTIVE_TTL",), parse_adaptive_text),
    "grace": (("VCACHE_GRACE",), CHECKS["grace"]),
    "jitter": (("VCACHE_JITTER",), _jitter),
    "lease": (("VCACHE_LEASE",), CHECKS["lease"]),
    "timeout": (("VCACHE_TIMEOUT",), parse_timeout),
    "connect_timeout": (("VCACHE_CONNECT_TIMEOUT",), parse_timeout),
    "strict": (("VCACHE_STRICT",), _flag),
    "max_value": (("VCACHE_MAX_VALUE",), CHECKS["max_value"]),
    "promotion_threshold": (("VCACHE_PROMOTION_THRESHOLD",), _int_up_to(MAX_HITS, least=1)),
    "metrics": (("VCACHE_METRICS",), _flag),
    "access_log": (("VCACHE_ACCESS_LOG",), CHECKS["access_log"]),
    "metrics_interval": (("METRICS_INTERVAL",), CHECKS["metrics_interval"]),
    "announce": (("VCACHE_ANNOUNCE",), _flag),
    "compression": (("VCACHE_COMPRESSION",), CHECKS["compression"]),
    "storage_dtype": (("VCACHE_STORAGE_DTYPE",), _storage_dtype),
    "encryption_key": (("VCACHE_ENCRYPTION_KEY",), split_keys),
    "key_secret": (("VCACHE_KEY_SECRET",), CHECKS["key_secret"]),
}

# What a URL may leave open.
_REDIS_PARTS: _Parts = {
    "db": ("REDIS_DB", _int_up_to(2**31 - 1, least=0)),
    "username": ("REDIS_USERNAME", _text),
    "password": ("REDIS_PASSWORD", _text),
    "pool_size": ("REDIS_POOL_SIZE", _int_up_to(1024, least=1)),
}

_ADMIT_PARTS: _Parts = {
    "bytes": ("VCACHE_ADMIT_BYTES", parse_admit_bytes),
    "hits": ("VCACHE_ADMIT_HITS", _int_up_to(MAX_HITS - 1, least=0)),
}

_TLS_PARTS: _Parts = {
    "ca_file": ("VCACHE_REDIS_CA_FILE", _text),
    "cert_file": ("VCACHE_REDIS_CERT_FILE", _text),
    "key_file": ("VCACHE_REDIS_KEY_FILE", _text),
    "verify": ("VCACHE_REDIS_VERIFY", _verify),
}

# Without these a cache would behave otherwise than its operator believes.
_REFUSED: dict[str, Callable[[str, str], None]] = {
    "VCACHE_API_TOKEN": _no_secret,
}

# Without these it is only tuned less well.
_IDLE: dict[str, Callable[[str, str], Any]] = {
    "CACHE_LOCAL_EVICTION": parse_duration,
    "EVICTION_THRESHOLD": _share,
    "PREDICTION_BATCH_SIZE": _int_up_to(65536, least=1),
    "PROMETHEUS_PORT": _own_port,
}

_lock = ForkLock()
_shared: Cache | None = None


def get_cache() -> Cache:
    """The cache of this process, made from the environment by the first call."""
    global _shared
    if _shared is None:
        with _lock:
            if _shared is None:
                _shared = Cache.from_env()
    return _shared
