"""The arguments of a cache, checked and brought to the units of the core."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, get_args

from . import _core
from ._accesses import FILE_BYTES, parse_access_log
from ._accesses import to_core as access_log_to_core
from ._adaptive import AdaptiveTTL, least_ttl, parse_adaptive
from ._adaptive import to_core as adaptive_to_core
from ._digest import parse_secret
from ._freshness import Terms
from ._learning import learning_of, parse_interval, parse_minimize, parse_path
from ._messages import caller_level, shown
from ._reporting import parse_metrics_interval
from ._servers import parse_node
from ._storing import parse_compression, parse_keys, parse_storage_dtype
from .durations import MAX_SECONDS, parse_duration, parse_ttl
from .errors import ConfigError
from .options import (
    MAX_HITS,
    RedisOptions,
    SmallOrHot,
    parse_admit_bytes,
    parse_redis,
    parse_timeout,
    with_timeouts,
)
from .sizes import parse_size

__all__ = ["CHECKS", "Config", "Policy", "to_core"]

Policy = Literal["lru", "lfu", "s3fifo", "sieve", "arc", "wtinylfu", "gdsf", "learned"]

POLICIES: tuple[str, ...] = get_args(Policy)
_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MIN_MEMORY = 64 << 10  # less holds no vector of the usual models
_MAX_MEMORY = 1 << 50
_MAX_VALUE = 256 << 20
_MAX_ENTRIES = (1 << 32) - 2


@dataclass(frozen=True)
class Config:
    """A cache as the core wants it: bytes and seconds; 0 for no bound and for no memory tier."""

    memory: int
    max_entries: int
    policy: str
    model_path: str | None
    model_sha256: str | None
    model_update_interval: float
    minimize: str
    redis: RedisOptions | None
    namespace: str
    ttl: float | None
    memory_ttl: float | None
    grace: float
    jitter: float
    lease: float
    strict: bool
    max_value: int
    promotion_threshold: int
    admit: SmallOrHot | None
    adaptive_ttl: AdaptiveTTL | None
    metrics: bool
    access_log: str | None
    metrics_interval: float | None
    announce: bool
    compression: str
    storage_dtype: str | None
    encryption_key: tuple[bytes, ...] = field(repr=False)
    key_secret: bytes = field(repr=False)

    @classmethod
    def check(cls, *, timeout: object, connect_timeout: object, **arguments: Any) -> Config:
        """Config of the constructor's arguments. Raises ConfigError for one that is not allowed."""
        try:
            values = {name: CHECKS[name](value, name) for name, value in arguments.items()}
        except ConfigError:
            raise
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from None
        waits = parse_timeout(timeout, "timeout"), parse_timeout(connect_timeout, "connect_timeout")
        if values["redis"] is not None:
            values["redis"] = with_timeouts(values["redis"], *waits)
        return cls(**values)

    @property
    def terms(self) -> Terms:
        lease = 0.0 if self.redis is None else self.lease
        ttl = self.ttl if self.adaptive_ttl is None else least_ttl(self.adaptive_ttl)
        return Terms(grace=self.grace, lease=lease, ttl=ttl, jitter=self.jitter)

    def open(
        self, clock: Any = None, seed: int = 0, log_bytes: int = FILE_BYTES
    ) -> _core.TieredCache:
        """A core made of it. `clock`, `seed` (0: random) and `log_bytes` are for tests."""
        if self.redis is not None:
            _warn_of_unverified(self.redis)
        return _core.TieredCache(
            memory_bytes=self.memory,
            max_entries=self.max_entries,
            policy=self.policy,
            namespace=self.namespace,
            ttl=self.ttl,
            memory_ttl=self.memory_ttl,
            grace=self.grace,
            jitter=self.jitter,
            max_value=self.max_value,
            promotion_threshold=self.promotion_threshold,
            admit=None if self.admit is None else _admit_to_core(self.admit),
            adaptive_ttl=adaptive_to_core(self.adaptive_ttl),
            strict=self.strict,
            metrics=self.metrics,
            redis=None if self.redis is None else to_core(self.redis),
            packing=_core.Packing(
                compression=self.compression,
                storage_dtype=self.storage_dtype,
                encryption_keys=self.encryption_key,
            ),
            access_log=access_log_to_core(self.access_log, self.key_secret, log_bytes),
            clock=clock,
            seed=seed,
            learning=self._learning(),
        )

    def _learning(self) -> _core.Learning | None:
        if self.policy != "learned" or self.memory == 0:
            return None
        return learning_of(
            model_path=self.model_path,
            model_sha256=self.model_sha256,
            interval=self.model_update_interval,
            minimize=self.minimize,
        )


def _warn_of_unverified(redis: RedisOptions) -> None:
    servers = [each.address for each in (redis.shards or (redis,)) if each.verify == "none"]
    if servers:
        warnings.warn(
            f"{', '.join(servers)}: verify='none' takes any certificate, so that whoever is between"
            " this process and Redis can read and alter what is cached",
            RuntimeWarning,
            stacklevel=caller_level(),
        )


def to_core(redis: RedisOptions) -> _core.RedisOptions:
    """`redis`, whose timeouts are given, as the core wants it."""
    timeout = parse_timeout(redis.timeout, "timeout")
    connect_timeout = parse_timeout(redis.connect_timeout, "connect_timeout")
    return _core.RedisOptions(
        host=redis.host,
        port=redis.port,
        unix_socket=redis.unix_socket,
        db=redis.db,
        username=redis.username,
        password=redis.password,
        pool_size=redis.pool_size,
        timeout=timeout,
        connect_timeout=connect_timeout,
        tls=_tls_to_core(redis) if redis.tls else None,
        tracking=redis.tracking,
        layout=_layout(redis),
        seeds=[parse_node(node, 6379) for node in redis.nodes],
        shards=[to_core(with_timeouts(shard, timeout, connect_timeout)) for shard in redis.shards],
        read_replicas=redis.replicas,
        service=redis.service,
        sentinel_username=redis.sentinel_username,
        sentinel_password=redis.sentinel_password,
    )


def _admit_to_core(admit: SmallOrHot) -> _core.SmallOrHot:
    return _core.SmallOrHot(bytes=parse_admit_bytes(admit.bytes, "bytes"), hits=admit.hits)


def _layout(redis: RedisOptions) -> str:
    if redis.shards:
        return "shards"
    if redis.nodes:
        return "sentinel" if redis.service else "cluster"
    return "one"


def _tls_to_core(redis: RedisOptions) -> _core.TlsOptions:
    return _core.TlsOptions(
        ca_file=redis.ca_file,
        cert_file=redis.cert_file,
        key_file=redis.key_file,
        verify=redis.verify == "full",
    )


def _memory(value: object, name: str) -> int:
    if value is None:
        return 0
    allowed = (
        'allowed is 64 KiB to 1 PiB, as bytes, text such as "512MiB" or "auto", or 0 or None for no'
        " memory tier"
    )
    size = parse_size(value, name, most=_MAX_MEMORY, allowed=allowed)
    if 0 < size < _MIN_MEMORY:
        raise ConfigError(f"{name}={shown(value)}: {allowed}")
    return size


def _max_value(value: object, name: str) -> int:
    allowed = 'allowed is 1 byte to 256 MiB, as bytes or text such as "16MiB"'
    size = parse_size(value, name, most=_MAX_VALUE, allowed=allowed)
    if size == 0:
        raise ConfigError(f"{name}={shown(value)}: {allowed}")
    return size


def _promotion_threshold(value: object, name: str) -> int:
    if type(value) is not int or not 1 <= value <= MAX_HITS:
        raise ConfigError(f"{name}={shown(value)}: allowed is an int from 1 to {MAX_HITS}")
    return value


def _admit(value: object, name: str) -> SmallOrHot | None:
    if value is not None and not isinstance(value, SmallOrHot):
        raise ConfigError(
            f"{name}={shown(value)}: allowed are None and a vcache.options.SmallOrHot"
        )
    return value


def _max_entries(value: object, name: str) -> int:
    if value is None:
        return 0
    if type(value) is not int or not 1 <= value <= _MAX_ENTRIES:
        raise ConfigError(
            f"{name}={shown(value)}: allowed is None or an int from 1 to {_MAX_ENTRIES}"
        )
    return value


def _policy(value: object, name: str) -> str:
    if not isinstance(value, str) or value not in POLICIES:
        raise ConfigError(f"{name}={shown(value)}: allowed are {', '.join(POLICIES)}")
    return value


def _sha256(value: object, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch("[0-9a-fA-F]{64}", value.strip()):
        raise ConfigError(f"{name}={shown(value)}: allowed are None and 64 hexadecimal digits")
    return value.strip().lower()


def _namespace(value: object, name: str) -> str:
    if not isinstance(value, str) or not _NAMESPACE.fullmatch(value):
        raise ConfigError(f"{name}={shown(value)}: allowed are 1 to 64 of A-Z a-z 0-9 _ . -")
    return value


def _jitter(value: object, name: str) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1:  # type: ignore[operator]
        raise ConfigError(f"{name}={shown(value)}: allowed is a number from 0 to below 1")
    return float(value)  # type: ignore[arg-type]


def _grace(value: object, name: str) -> float:
    return _duration_or_none(value, name, MAX_SECONDS, "10 years")


def _lease(value: object, name: str) -> float:
    return 0.0 if value is None else _duration_or_none(value, name, 3600.0, "1 hour")


def _duration_or_none(value: object, name: str, most: float, most_text: str) -> float:
    """Seconds, also 0."""
    if type(value) in (int, float) and value == 0:
        return 0.0
    if isinstance(value, timedelta) and not value:
        return 0.0
    if isinstance(value, str) and re.fullmatch(r"\s*0+(\.0+)?\s*(ms|[smhdw])?\s*", value.lower()):
        return 0.0
    allowed = (
        f"allowed is 0, for none, or at most {most_text}, as seconds, a timedelta or text such as"
        ' "300", "5m", "1h30m"'
    )
    seconds = parse_duration(value, name, allowed=allowed)
    if seconds > most:
        raise ConfigError(f"{name}={shown(value)}: {allowed}")
    return seconds


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={shown(value)}: allowed are True and False")
    return value


CHECKS: dict[str, Callable[[object, str], Any]] = {
    "memory": _memory,
    "max_entries": _max_entries,
    "policy": _policy,
    "model_path": parse_path,
    "model_sha256": _sha256,
    "model_update_interval": parse_interval,
    "minimize": parse_minimize,
    "redis": lambda value, _: parse_redis(value),
    "namespace": _namespace,
    "ttl": parse_ttl,
    "memory_ttl": parse_ttl,
    "grace": _grace,
    "jitter": _jitter,
    "lease": _lease,
    "strict": _flag,
    "max_value": _max_value,
    "promotion_threshold": _promotion_threshold,
    "admit": _admit,
    "adaptive_ttl": parse_adaptive,
    "metrics": _flag,
    "access_log": parse_access_log,
    "metrics_interval": parse_metrics_interval,
    "announce": _flag,
    "compression": parse_compression,
    "storage_dtype": parse_storage_dtype,
    "encryption_key": parse_keys,
    "key_secret": parse_secret,
}
