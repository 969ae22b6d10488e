"""The cache that users make."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from . import _core
from ._config import CHECKS, Config, Policy
from ._costing import CostCalls
from ._decorating import Decorating
from ._digest import KeyDigest, KeySecret
from ._learning import LearnedCalls, Minimize
from ._listing import ListingCalls
from ._mapping import Entries
from ._naming import Names
from ._reporting import Reporting
from ._secret import Secret, hidden, revealed
from ._storing import Compression, EncryptionKey, StorageDtype
from ._upkeep import UpkeepCalls
from .durations import Duration
from .errors import ConfigError
from .objects import decode, encode
from .options import AdaptiveTTL, RedisOptions, SmallOrHot
from .sizes import Size

__all__ = ["Cache"]

_SECRETS = ("encryption_key", "key_secret")

_core.set_object_codec(encode, decode)


class Cache(ListingCalls, LearnedCalls, UpkeepCalls, CostCalls, Decorating, Reporting):
    """Vectors and objects in two tiers: this process' memory, and Redis if there is one.

    memory: budget of the memory tier with all its bookkeeping: bytes, "512MiB", "auto" (a tenth of
        what this process may use); 0 or None for none.
    max_entries: a second bound of the memory tier.
    policy: who is evicted from memory: "s3fifo", "lru", "lfu", "sieve", "arc", "wtinylfu"
        "gdsf" (by size and cost) or "learned": the best of these and of models of what was seen,
        as each would have done of late. Without torch, and below 1 MiB of memory, the shipped
        model and no training.
    model_path, model_sha256: under "learned", a model to use instead of the shipped one, a file of
        weights or a TorchScript archive, and the digest that its bytes must have. One that cannot
        be used is warned of, and the shipped one is used.
    model_update_interval: under "learned", the least time from one training to the next; None:
        whenever enough was seen.
    minimize: under "learned", "misses" or their "cost", as it is given with values or measured of
        the factory, for the bytes that they take.
    redis: a URL (redis://, rediss://, unix://, redis+cluster://, redis+sentinel://) or
        RedisOptions; a list of them is servers that share the keys; None for memory only.
    namespace: 1 to 64 of A-Z a-z 0-9 _ . -; a Redis key is NAMESPACE:KEY.
    ttl, memory_ttl: time to live in both tiers and in memory: seconds, timedelta, "1h30m" or None
        for no expiry. An entry never outlives `ttl` in memory.
    grace: how long entries are kept past their time to live, to be served where a factory fails or
        takes too long, or Redis gives no answer for what memory has; 0 for none.
    jitter: times to live are shortened by up to this share, so that entries do not expire at once.
    timeout, connect_timeout: most time one call spends on Redis, and on connecting to it.
    lease: while one process computes a missing value, the others wait for it, but no longer than
        this if it does not end; 0 or None: each computes its own.
    strict: raise RedisError where Redis fails; else that is a miss, and counted.
    max_value: most bytes of one value.
    promotion_threshold: at which of its hits in Redis a value enters memory, 1 to 255. What is set
        enters at once. All counts are halved with every 65,536 hits, so that old ones fade.
    admit: which values may enter memory, from Redis and when set: all with None, else as a
        vcache.options.SmallOrHot says; the others are in Redis only. Without Redis all may.
    adaptive_ttl: True or a vcache.options.AdaptiveTTL: where a call gives no time to live, it goes
        by how often the key is read, and not by `ttl` and `memory_ttl`.
    metrics: keep latency percentiles.
    access_log: the path of a file to which all look-ups are written, a line of JSON each, for
        `python -m vcache simulate` and `train`: "time" (seconds since the epoch), "key" (its
        XXH3-64 as 16 hexadecimal digits, under `key_secret` where there is one), "group" (what is
        before the first ":" of the key; one of 64 names, "other" for those that come later, "-"
        for none), "tier" ("memory", "redis", null for a miss), "size" (bytes in memory) and "cost"
        (of a miss, as given to set()), both 0 for a miss. Only its user may read it. At 64 MiB it
        becomes PATH.1, and so on up to PATH.3. Processes may share a path, and forked children do.
        A native thread writes it, up to 10 ms late and at close(); what it has no room for is
        dropped and counted in stats(), as are errors of the file, which reach no caller. The
        newest 65,536 look-ups are kept for accesses(). Takes about 5 MiB beside `memory`.
    metrics_interval: how often a line of figures is logged, as log_stats() has it; None: never.
    announce: whether `python -m vcache stats`, `top` and `explain` of this user, or of those who
        may use the same Redis, see this cache: its figures, host and process go to Redis every 5 s,
        without Redis to a file of $XDG_RUNTIME_DIR that its user only may read; a thread of the
        process asks there every second whether anybody has a question.
    compression: "auto" compresses objects over 1 KiB in Redis, "zstd" all but float vectors, "none"
        nothing; what would not shrink by a sixteenth is stored as it is.
    storage_dtype: float32 vectors in Redis as "float16" or "int8", in 0.5 or 0.25 times the bytes;
        in memory they stay as set until evicted. A float16 element is off by at most 1/2048 of
        itself, or by 2**-25; an int8 one by at most (1/2 + 2**-16) of scale, the greatest magnitude
        in its vector over 127. A vector that does not fit (NaN, Inf, over 65504 as float16) is
        stored as it is.
    encryption_key: 32 bytes, as bytes, hexadecimal or base64 text: values in Redis are encrypted
        (AES-256-GCM), and others are misses. Of a list the first encrypts and all decrypt, so that
        a key can be replaced. Keys of entries are not encrypted.
    key_secret: 16 to 1024 bytes, as bytes or text: what keys say of the texts of an EmbeddingCache,
        of the arguments of a cached function and of the constants in its closure is an HMAC-SHA-256
        under it, so that who reads keys cannot find out by guessing. Caches share entries only
        under one secret. Keys given to get(), set() and their like stay as they are.

    Any method may be called from any thread; those whose name starts with "a" are awaited. Vectors
    come back as read-only arrays that stay valid when their entry is evicted. Keys are str or bytes
    of 1 to 1024 bytes. Raises ConfigError, also a ValueError, for an argument that is not allowed.

    Pickled, a cache is its arguments, and its copy is empty and connects anew. So the pickle holds
    the password of Redis in clear text; `encryption_key` and `key_secret` are never in it, and have
    to be those of the environment where it is made and where it is read.
    """

    def __init__(
        self,
        *,
        memory: Size | None = "100MiB",
        max_entries: int | None = None,
        policy: Policy = "s3fifo",
        model_path: str | os.PathLike[str] | None = None,
        model_sha256: str | None = None,
        model_update_interval: Duration | None = None,
        minimize: Minimize = "misses",
        redis: str | RedisOptions | Sequence[str | RedisOptions] | None = None,
        namespace: str = "vcache",
        ttl: Duration | None = 3600.0,
        memory_ttl: Duration | None = 300.0,
        grace: Duration = 0.0,
        jitter: float = 0.1,
        timeout: float | str | timedelta = 0.25,
        connect_timeout: float | str | timedelta = 0.5,
        lease: Duration | None = 5.0,
        strict: bool = False,
        max_value: Size = "16MiB",
        promotion_threshold: int = 1,
        admit: SmallOrHot | None = None,
        adaptive_ttl: AdaptiveTTL | bool | None = None,
        metrics: bool = True,
        access_log: str | os.PathLike[str] | None = None,
        metrics_interval: Duration | None = None,
        announce: bool = False,
        compression: Compression = "auto",
        storage_dtype: StorageDtype | None = None,
        encryption_key: EncryptionKey | None = None,
        key_secret: KeySecret | None = None,
    ) -> None:
        given = locals()
        arguments = {name: given[name] for name in (*CHECKS, "timeout", "connect_timeout")}
        self._arguments = hidden(arguments, (*_SECRETS, "redis"))  # a URL may have a password
        self._config = Config.check(**arguments)
        self._digest = KeyDigest(self._config.key_secret)
        self._names = Names(self._digest)  # of its cached functions
        super().__init__(
            self._open(self._config),
            self._config.terms,
            has_redis=self._config.redis is not None,
        )
        self._close_log_at_exit()
        self._start_reports(self._config)

    @classmethod
    def from_env(cls) -> Cache:
        """A cache as the environment and a `.env` file in the working directory describe it.

        Raises ConfigError naming the variable, what is allowed and, where it can hold no secret,
        its value; also for an unknown variable that begins with VCACHE_. Warns of those that have
        no effect yet.
        """
        from .env import arguments_from_env

        return cls(**arguments_from_env())

    def mapping(self, namespace: str | None = None) -> Entries:
        """A view by which entries are read, written and deleted as those of a dict.

        With a namespace it has the entries whose keys begin with it and ":".
        """
        return Entries(self, namespace)

    def _open(self, config: Config) -> _core.TieredCache:
        return config.open()

    def _close_log_at_exit(self) -> None:
        if self._config.access_log is not None:
            weakref.finalize(self, self._tiers.close_access_log)

    def __repr__(self) -> str:
        config = self._config
        redis = None if config.redis is None else config.redis.address
        return (
            f"{type(self).__name__}(namespace={config.namespace!r}, memory={config.memory},"
            f" policy={config.policy!r}, redis={redis!r})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Its arguments, with the password of Redis, so that the copy can connect.

        Not encryption_key and key_secret: those are read from the environment again. Raises
        TypeError when one is not the environment's, since a pickle can be read.
        """
        arguments = self._arguments.copy()
        secrets = tuple(name for name in _SECRETS if arguments.pop(name) is not None)
        for name in secrets:
            try:
                is_known = _is_of_environment(name, self._config)
            except ConfigError as error:  # told from here, where no variable is a secret
                raise ConfigError(str(error)) from None
            if not is_known:
                raise TypeError(
                    f"a Cache with {name} cannot be pickled, for it would be readable; allowed is"
                    f" that of VCACHE_{name.upper()}, which is read where it is unpickled"
                )
        return _remake, (type(self), arguments, secrets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _is_of_environment(name: str, config: Config) -> bool:
    from .env import secret_from_env

    given = secret_from_env(name)
    return given is not None and bool(CHECKS[name](given, name) == getattr(config, name))


def _remake(kind: type[Cache], arguments: dict[str, Any], secrets: tuple[str, ...]) -> Cache:
    if secrets:
        from .env import secret_from_env

        given = {name: Secret(secret_from_env(name)) for name in secrets}
        absent = [name for name, secret in given.items() if secret.reveal() is None]
        if absent:
            name = absent[0]
            raise ConfigError(f"VCACHE_{name.upper()}: not set, but the pickled Cache had {name}")
        arguments = arguments | given
    return kind(**revealed(arguments))
