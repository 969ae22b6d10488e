"""
The native core of vcache. Private: use the package.
"""

from __future__ import annotations
import collections.abc
import typing

__all__: list[str] = [
    "AccessLogOptions",
    "AdaptiveTtl",
    "CacheBase",
    "DEFAULT",
    "DefaultType",
    "FlatIndex",
    "Learning",
    "MISSING",
    "MODEL_HEADS",
    "MODEL_INPUTS",
    "ManualClock",
    "MissingType",
    "Model",
    "Packing",
    "RedisOptions",
    "Replay",
    "SmallOrHot",
    "TextCall",
    "TieredCache",
    "TlsOptions",
    "Trainer",
    "digest_vector",
    "normalize_rows",
    "query_redis",
    "replay_names",
    "set_object_codec",
    "use_torch",
]

class MissingType:
    """
    Type of MISSING: no value.
    """
    @staticmethod
    def __reduce__(*args, **kwargs): ...
    def __bool__(self):
        """
        True if self else False
        """
    def __repr__(self):
        """
        Return repr(self).
        """

class DefaultType:
    """
    Type of DEFAULT: the cache's own.
    """
    @staticmethod
    def __reduce__(*args, **kwargs): ...
    def __bool__(self):
        """
        True if self else False
        """
    def __repr__(self):
        """
        Return repr(self).
        """

class FlatIndex:
    """
    Vectors of one width, searched by looking at all. Thread-safe.
    """
    def __init__(
        self,
        *,
        width: typing.SupportsInt | typing.SupportsIndex,
        max_bytes: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def __len__(self) -> int: ...
    def add(self, vector: typing.Any) -> int | None:
        """
        The id of a 1-d float64 array; None for zeros and what is not finite.
        """
    def nearest(
        self,
        vector: typing.Any,
        *,
        at_least: typing.SupportsFloat | typing.SupportsIndex,
        most: typing.SupportsInt | typing.SupportsIndex,
    ) -> list:
        """
        Ids and cosine similarities, the nearest first.
        """
    def remove(self, id: typing.SupportsInt | typing.SupportsIndex) -> bool:
        """
        Whether it was there.
        """
    def take_oldest(self) -> tuple:
        """
        Ids and unit vectors of the oldest block, which leaves.
        """
    @property
    def memory_bytes(self) -> int: ...
    @property
    def oldest(self) -> int:
        """
        Ids below have left.
        """

class Model:
    """
    The weights of a model, without LibTorch. Immutable.
    """
    def __init__(self, data: bytes) -> None: ...

class Replay:
    """
    A cache of metadata only to which a trace is replayed.
    """
    def __init__(
        self,
        *,
        policy: str,
        capacity: typing.SupportsInt | typing.SupportsIndex,
        in_bytes: bool,
        seed: typing.SupportsInt | typing.SupportsIndex,
        model: Model = None,
        by_cost: bool = False,
        examples: typing.SupportsInt | typing.SupportsIndex = 0,
        learns: bool = False,
        pinned: str = "",
        span: typing.SupportsFloat | typing.SupportsIndex = 3600.0,
    ) -> None: ...
    def examples(self) -> dict:
        """
        Of "learned", a random part of what could have been learned: float32 features of
        shape (n, inputs), uint8 heads, bool labels and float32 weights of shape (n,).
        """
    def experts(self) -> dict:
        """
        Of "learned": who leads, and the misses of each.
        """
    def outcomes(self) -> tuple:
        """
        Of "learned", where the trace has times: float64 P(the key is read within `span`
        seconds) of sampled keys, and bool whether it was, each of shape (n,).
        """
    def run(
        self,
        ids: typing.Any,
        sizes: typing.Any,
        costs: typing.Any,
        next_uses: typing.Any,
        times: typing.Any = None,
    ) -> None:
        """
        The next stretch of the trace: uint64 ids, uint32 sizes or None, float32 costs or
        None, uint64 next_uses for belady, else None, int64 times in nanoseconds or None;
        each of one dimension.
        """
    def totals(self) -> dict: ...

class AccessLogOptions:
    """
    Where look-ups are written to.
    """
    def __init__(
        self,
        *,
        path: bytes,
        seed: typing.SupportsInt | typing.SupportsIndex,
        file_bytes: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

class SmallOrHot:
    """
    Which values may enter memory.
    """
    def __init__(
        self,
        *,
        bytes: typing.SupportsInt | typing.SupportsIndex,
        hits: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

class AdaptiveTtl:
    """
    Times to live by the use of keys.
    """
    def __init__(
        self,
        *,
        memory_ttl: typing.SupportsFloat | typing.SupportsIndex,
        hot_memory_ttl: typing.SupportsFloat | typing.SupportsIndex,
        cold_memory_ttl: typing.SupportsFloat | typing.SupportsIndex,
        hot_hits: typing.SupportsInt | typing.SupportsIndex,
        cold_hits: typing.SupportsInt | typing.SupportsIndex,
        ttl: typing.Any,
        warm_ttl: typing.Any,
        hot_ttl: typing.Any,
        warm_reads: typing.SupportsInt | typing.SupportsIndex,
        hot_reads: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

class Packing:
    """
    In what form values are stored.
    """
    def __init__(
        self,
        *,
        compression: str,
        storage_dtype: str | None,
        encryption_keys: collections.abc.Sequence[bytes],
    ) -> None: ...

class TlsOptions:
    """
    How a server proves who it is, and we to it.
    """
    def __init__(
        self, *, ca_file: str = "", cert_file: str = "", key_file: str = "", verify: bool = True
    ) -> None: ...

class RedisOptions:
    """
    How to reach one Redis node.
    """
    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: typing.SupportsInt | typing.SupportsIndex = 6379,
        unix_socket: str = "",
        db: typing.SupportsInt | typing.SupportsIndex = 0,
        username: str = "",
        password: str = "",
        pool_size: typing.SupportsInt | typing.SupportsIndex = 16,
        timeout: typing.SupportsFloat | typing.SupportsIndex = 0.25,
        connect_timeout: typing.SupportsFloat | typing.SupportsIndex = 0.5,
        tls: TlsOptions | None = None,
        tracking: bool = True,
        layout: str = "one",
        seeds: collections.abc.Sequence[tuple[str, typing.SupportsInt | typing.SupportsIndex]] = [],
        shards: collections.abc.Sequence[RedisOptions] = [],
        read_replicas: bool = False,
        service: str = "",
        sentinel_username: str = "",
        sentinel_password: str = "",
    ) -> None: ...

class ManualClock:
    """
    A clock that stands still until advanced.
    """
    def __init__(self, now: typing.SupportsFloat | typing.SupportsIndex = 1000000000.0) -> None: ...
    def advance(self, seconds: typing.SupportsFloat | typing.SupportsIndex) -> None: ...

class Learning:
    """
    How the policy "learned" learns.
    """
    def __init__(
        self,
        *,
        model: Model = None,
        model_path: str = "",
        model_sha256: str = "",
        torch_library: str = "",
        interval: typing.SupportsFloat | typing.SupportsIndex = 0.0,
        minimizes_cost: bool = False,
        pinned: str = "",
    ) -> None: ...

class TieredCache:
    """
    Both tiers of one namespace.
    """
    class LeaseWait:
        """
        A wait for leases that others hold.
        """
        def changed(self, seconds: typing.SupportsFloat | typing.SupportsIndex) -> bool:
            """
            True when a lease or its key may have changed; False after `seconds`.
            """
        def due(self) -> bool:
            """
            False when changed(0) would only return False.
            """

    class Moment:
        """
        When the making of a value with tags began.
        """

    class Page:
        """
        Where a walk through the keys of Redis is.
        """
        def __init__(self) -> None: ...
        @property
        def is_last(self) -> bool: ...

    @staticmethod
    def matches_glob(pattern: bytes, text: bytes) -> bool: ...
    def __init__(
        self,
        *,
        memory_bytes: typing.SupportsInt | typing.SupportsIndex,
        max_entries: typing.SupportsInt | typing.SupportsIndex,
        policy: str,
        namespace: str,
        ttl: typing.Any,
        memory_ttl: typing.Any,
        jitter: typing.SupportsFloat | typing.SupportsIndex,
        grace: typing.SupportsFloat | typing.SupportsIndex,
        max_value: typing.SupportsInt | typing.SupportsIndex,
        promotion_threshold: typing.SupportsInt | typing.SupportsIndex,
        admit: SmallOrHot | None,
        adaptive_ttl: AdaptiveTtl | None,
        strict: bool,
        metrics: bool,
        redis: RedisOptions | None,
        packing: Packing,
        access_log: AccessLogOptions | None = None,
        clock: ManualClock = None,
        seed: typing.SupportsInt | typing.SupportsIndex = 0,
        learning: Learning | None = None,
    ) -> None: ...
    def accesses(self, most: typing.SupportsInt | typing.SupportsIndex) -> tuple: ...
    def adopt_model(self, model: Model) -> bool: ...
    def begin(
        self, tags: collections.abc.Sequence[bytes], ttl: typing.Any
    ) -> TieredCache.Moment: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...
    def close_access_log(self) -> None: ...
    def count_coalesced(self, n: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def count_source(
        self,
        calls: typing.SupportsInt | typing.SupportsIndex,
        seconds: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...
    def count_stale(self, key: typing.Any, tier: str) -> None: ...
    def delete(self, key: typing.Any) -> bool: ...
    def erase_blob(self, name: str) -> None: ...
    def exists(self, key: typing.Any) -> bool: ...
    def explain(self, key: typing.Any) -> typing.Any: ...
    def find_again(self, keys: typing.Any, stale: bool) -> list: ...
    def find_timed(self, keys: typing.Any, memory_only: bool) -> list: ...
    def fitted_model(self) -> typing.Any: ...
    def get_vectors(
        self,
        keys: typing.Any,
        dim: typing.SupportsInt | typing.SupportsIndex | None,
        dtype: str,
        out: typing.Any,
    ) -> tuple: ...
    def give_up_leases(self, keys: typing.Any, token: bytes) -> None: ...
    def health(self) -> dict: ...
    def hot_keys(self, n: typing.SupportsInt | typing.SupportsIndex) -> list: ...
    def invalidate(self, pattern: bytes) -> int: ...
    def invalidate_tags(self, tags: collections.abc.Sequence[bytes]) -> None: ...
    def is_over(self, tags: collections.abc.Sequence[bytes], made: TieredCache.Moment) -> bool: ...
    def is_unwritten(
        self, key: typing.Any, writes: typing.SupportsInt | typing.SupportsIndex
    ) -> bool: ...
    def learning(self) -> typing.Any: ...
    def lookup(self, key: typing.Any) -> tuple: ...
    def mdelete(self, keys: typing.Any) -> int: ...
    def memory_get_many(
        self, keys: typing.Any, default: typing.Any, fresh: bool = False
    ) -> list: ...
    def memory_has(self, keys: typing.Any) -> bool: ...
    def memory_keys(
        self, prefix: bytes, place: typing.SupportsInt | typing.SupportsIndex
    ) -> tuple: ...
    def mexists(self, keys: typing.Any) -> list: ...
    def mget(self, keys: typing.Any, default: typing.Any, fresh: bool = False) -> list: ...
    def mput(
        self,
        keys: typing.Any,
        values: typing.Any,
        ttl: typing.Any,
        memory_ttl: typing.Any,
        cost: typing.SupportsFloat | typing.SupportsIndex,
        seconds: typing.SupportsFloat | typing.SupportsIndex,
        tags: collections.abc.Sequence[bytes] = [],
    ) -> None: ...
    def peek_times(self, keys: typing.Any) -> list:
        """
        Of each key that memory has its age, the seconds left, which is None for no
        expiry, and whether it has tags; else None. Counts nothing.
        """
    def pin_expert(self, expert: str) -> bool: ...
    def predict(self, key: typing.Any) -> typing.Any: ...
    def put(
        self,
        key: typing.Any,
        value: typing.Any,
        ttl: typing.Any,
        memory_ttl: typing.Any,
        metadata: bytes,
        cost: typing.SupportsFloat | typing.SupportsIndex,
        seconds: typing.SupportsFloat | typing.SupportsIndex,
        tags: collections.abc.Sequence[bytes] = [],
        made: TieredCache.Moment | None = None,
    ) -> None: ...
    def read_blob(self, name: str, most: typing.SupportsInt | typing.SupportsIndex) -> bytes:
        """
        The first bytes under NAMESPACE!name, empty if there are none. As the next three
        raises RedisError.
        """
    def redis_keys(self, prefix: bytes, page: TieredCache.Page, required: bool) -> list: ...
    def replace_blob(
        self,
        name: str,
        expected: bytes,
        data: bytes,
        seconds: typing.SupportsFloat | typing.SupportsIndex,
    ) -> bool:
        """
        Writes if the bytes are the expected ones; whether it did.
        """
    def restore_snapshot(self, path: bytes, packing: Packing, keep_unconfirmed: bool) -> dict: ...
    def retrain(self, wait: typing.SupportsFloat | typing.SupportsIndex) -> str: ...
    def roll_back_model(self) -> bool: ...
    def save_snapshot(self, path: bytes, packing: Packing) -> dict:
        """
        Writes memory to a file. As the next one raises OSError and SnapshotError.
        """
    def set_vectors(
        self,
        keys: typing.Any,
        matrix: typing.Any,
        ttl: typing.Any,
        memory_ttl: typing.Any,
        cost: typing.SupportsFloat | typing.SupportsIndex,
        seconds: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...
    def stats(self) -> dict: ...
    def take_leases(
        self,
        keys: typing.Any,
        token: bytes,
        seconds: typing.SupportsFloat | typing.SupportsIndex,
        unless_stored: bool,
    ) -> list: ...
    def take_reads(self) -> list:
        """
        The keys that were read since the last call, 4,096 at most, the oldest first.
        """
    def touch(self, key: typing.Any, ttl: typing.Any) -> bool: ...
    def unwatch_all(self) -> None: ...
    def unwatch_fills(self, keys: typing.Any) -> None: ...
    def watch_fills(self, keys: typing.Any) -> list: ...
    def watch_leases(self, keys: typing.Any) -> TieredCache.LeaseWait: ...
    def watch_reads(self, on: bool) -> None:
        """
        Has the keys of reads be noted, or no longer.
        """
    def write_blob(
        self, name: str, data: bytes, seconds: typing.SupportsFloat | typing.SupportsIndex
    ) -> None: ...

class CacheBase:
    """
    Fast calls of vcache.Cache over a TieredCache.
    """
    @staticmethod
    def __new__(type, *args, **kwargs):
        """
        Create and return a new object.  See help(type) for accurate signature.
        """
    def _fresh_get(self, key, default=None):
        """
        get() that returns no expired value, whatever Redis answers.
        """
    def _fresh_memory_get(self, key, default=None):
        """
        _memory_get() that returns no unverified value, whether Redis answers or not.
        """
    def _memory_get(self, key, default=None):
        """
        get() that asks memory only and counts no miss.
        """
    def get(self, key, default=None):
        """
        The value under `key`, from memory or Redis, or `default`.

        A vector is a read-only array that stays valid after eviction; an object is decoded anew.
        Raises TypeError or ValueError for a key that is not 1 to 1024 bytes of str or bytes.
        """
    def set(
        self,
        key,
        value,
        *,
        ttl=...,
        memory_ttl=...,
        metadata=None,
        tags=tuple(),
        cost=None,
        volatility=None,
    ):
        """
        Stores a vector (float32, float16, float64, int8, uint8, int32 or int64, 0 to 4 dimensions)
        or an object that MessagePack can hold, in both tiers.

        ttl, memory_ttl: seconds, timedelta or "1h30m"; None: no expiry; omitted: the cache's own.
        volatility: how soon the source changes, instead of ttl: "high" (1 day), "medium" (7) or
        "low" (30).
        tags: up to 64 of str or bytes, of 1 to 256 bytes each, for invalidate_tags().
        cost: what a miss costs, in the caller's unit. Raises SerializationError for other types,
        ValueError for values over max_value and TTLs not above 0.
        """

class TextCall:
    """
    A function whose results for a str are cached; with `tails` those for vectors and others.
    """
    @staticmethod
    def __new__(type, *args, **kwargs):
        """
        Create and return a new object.  See help(type) for accurate signature.
        """
    @staticmethod
    def __reduce__(*args, **kwargs): ...
    def __call__(self, *args, **kwargs):
        """
        Call self as a function.
        """
    def __get__(self, instance, owner=None):
        """
        Return an attribute of instance, which is of type owner.
        """
    def hits(self):
        """
        Calls answered without `general`.
        """
    def restart(self, head):
        """
        Takes another head and counts hits from 0.
        """

class Trainer:
    """
    Fits a model of the cache's shape to examples, with LibTorch and without the GIL. Thread-safe.
    """
    def __init__(
        self,
        *,
        batch_size: typing.SupportsInt | typing.SupportsIndex,
        learning_rate: typing.SupportsFloat | typing.SupportsIndex,
        seed: typing.SupportsInt | typing.SupportsIndex,
        weights: typing.Any,
    ) -> None:
        """
        float32 weights to start from, or None.
        """
    def archive(self) -> bytes:
        """
        The model as the bytes of a TorchScript file.
        """
    def fit(
        self,
        features: typing.Any,
        heads: typing.Any,
        labels: typing.Any,
        weights: typing.Any,
        passes: typing.SupportsInt | typing.SupportsIndex,
    ) -> None:
        """
        Steps over float32 features of shape (n, inputs), uint8 heads, float32 labels and
        weights. ModelError where a number is not finite or not allowed; the model is then
        as before.
        """
    def loss(
        self, features: typing.Any, heads: typing.Any, labels: typing.Any, weights: typing.Any
    ) -> float:
        """
        The weighted mean of the cross entropy, in nats.
        """
    def weights(self) -> typing.Any:
        """
        The model's float32 weights, layer after layer.
        """

def digest_vector(
    values: typing.Any, precision: typing.SupportsInt | typing.SupportsIndex | None
) -> bytes:
    """
    16 bytes that identify a query vector by shape and values, whatever its dtype.
    """

def normalize_rows(matrix: typing.Any) -> typing.Any:
    """
    A float32 copy with each row scaled to length 1; rows of zeros stay.
    """

def query_redis(
    options: RedisOptions, commands: collections.abc.Sequence[collections.abc.Sequence[str]]
) -> list:
    """
    The replies to commands, sent on a connection of their own; an error reply is a
    RedisError among them.
    """

def replay_names() -> list[str]:
    """
    Every policy that a Replay can have.
    """

def set_object_codec(encode: collections.abc.Callable, decode: collections.abc.Callable) -> None:
    """
    Registers what turns an object into MessagePack bytes, and a memoryview back.
    """

def use_torch(capsule: typing.Any) -> None:
    """
    Has LibTorch's functions called by the table in vcache._torch.
    """

DEFAULT: DefaultType
MISSING: MissingType
MODEL_HEADS: int = 5
MODEL_INPUTS: int = 17
__version__: str = "0.1.0"
