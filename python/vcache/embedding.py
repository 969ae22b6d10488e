"""Embeddings of texts, each computed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._arguments import Key, callable_argument, ttl_argument
from ._callers import Caller, refuse_async, run_blocking
from ._calls import BLOCKING
from ._filling import Storing
from ._locks import ForkLock
from ._messages import shown
from ._meter import Asked, CountTokens, Meter, counter_argument, price_of
from ._source import Source
from .cache import Cache
from .costs import CostReport
from .durations import Duration
from .errors import ConfigError
from .prices import Price

__all__ = ["EmbeddingCache"]

Matrix = NDArray[np.float32]
Found = tuple[NDArray[Any], NDArray[np.bool_]]
LookUp = Callable[[Sequence[Key], int | None], Awaitable[Found]]

_MAX_MODEL = 512
_ALLOWED_TEXT = "allowed is text that UTF-8 can encode"


class EmbeddingCache:
    """Embeddings of one model, kept in a Cache. Thread-safe.

    embed: takes a list of n texts and returns n rows of d numbers: an array or a list of lists.
        It may be async, then aembed() and aembed_one() are to be used.
    model: name and version of the model; part of every key, as are `kind` (such as "document" or
        "query"), `dims` and `normalize`. No text is stored, only its SHA-256, or HMAC-SHA-256 under
        the `key_secret` of the cache.
    cache: where to keep them; vcache.get_cache() unless given.
    batch_size: most texts in one call of `embed`; what a call returned is stored at once.
    ttl: time to live of an embedding; None for no expiry.
    cost_per_embedding: what one costs, for report(); or
    prices: what the model costs, as a vcache.prices.Price, PriceTable, or mapping of models to
        prices, of which it takes that of `model`. Unless given, with the cache of the environment,
        its VCACHE_PRICES. Without a price the money in report() is None: none is built in.
    count_tokens: how many tokens a text has, for prices by token: called once for each distinct
        text of a call, also for hits, so it should be quick. Where it raises, or returns no number
        of 0 or more, the text has no known price, and that is all.
    normalize: scale every row to length 1; rows of zeros stay.
    dims: numbers in an embedding; learned from the first call of `embed` unless given.

    Raises ConfigError, also a ValueError, for an argument that is not allowed, and TypeError for an
    `embed` that cannot be called. Pickles as its arguments, if they do; counts start anew.
    """

    def __init__(
        self,
        embed: Callable[[list[str]], Any],
        *,
        model: str,
        cache: Cache | None = None,
        batch_size: int = 256,
        ttl: Duration | None = "30d",
        cost_per_embedding: float | None = None,
        prices: Price | Mapping[str, Any] | None = None,
        count_tokens: CountTokens | None = None,
        kind: str = "document",
        normalize: bool = False,
        dims: int | None = None,
    ) -> None:
        self._function = callable_argument(embed, "embed")
        self._arguments = {
            "model": model,
            "cache": cache,
            "batch_size": batch_size,
            "ttl": ttl,
            "cost_per_embedding": cost_per_embedding,
            "prices": prices,
            "count_tokens": count_tokens,
            "kind": kind,
            "normalize": normalize,
            "dims": dims,
        }
        _check_int("batch_size", batch_size)
        if dims is not None:
            _check_int("dims", dims)
        _check_text("model", model)
        _check_text("kind", kind)
        if not isinstance(normalize, bool):
            raise ConfigError(f"normalize={shown(normalize)}: allowed are True and False")
        price = price_of(model, cost_per_embedding, prices, of_environment=cache is None)
        self._meter = Meter(price, counter_argument(count_tokens))
        self._storing = _storing(ttl, self._meter.entry_cost)
        self._cache = cache_argument(cache)
        self._batch_size = batch_size
        self._normalize = normalize
        self._prefix = f"emb:{model}:"
        self._hash = self._cache._digest.new()
        for part in (model, kind, str(dims or ""), str(self._normalize)):
            self._hash.update(_prefixed(part.encode()))
        self._dims = dims
        self._lock = ForkLock()

    def embed(self, texts: Iterable[str]) -> Matrix:
        """Embeddings of `texts` as an (n, d) float32 matrix, in their order.

        Only texts that are in neither tier are computed, each once, `batch_size` at a time. Raises
        ValueError, storing nothing of that batch, if `embed` returns another number of rows, rows
        of another width than before, a masked array, or NaN or Inf.
        """
        refuse_async(self._function)
        return run_blocking(self._embed(BLOCKING, self._look_up, text_list(texts)))

    def embed_one(self, text: str) -> Matrix:
        """Embedding of one text, of shape (d,)."""
        row: Matrix = self.embed([text])[0]
        return row

    async def aembed(self, texts: Iterable[str]) -> Matrix:
        """Twin of embed(); a plain `embed` runs in a worker thread."""
        return await self._embed(self._cache._on_loop, self._alook_up, text_list(texts))

    async def aembed_one(self, text: str) -> Matrix:
        """Twin of embed_one()."""
        row: Matrix = (await self.aembed([text]))[0]
        return row

    def key(self, text: str) -> str:
        """The key of a text: emb:MODEL: and its digest."""
        if not isinstance(text, str):
            raise TypeError(f"text={shown(text)} of type {type(text).__name__}: allowed is a str")
        try:
            return self._key(text)
        except UnicodeEncodeError:
            raise ValueError(f"text={shown(text)}: {_ALLOWED_TEXT}") from None

    @property
    def model(self) -> str:
        """Name and version of the model."""
        return str(self._arguments["model"])

    def has(self, text: str) -> bool:
        """Whether the embedding of a text is cached, in either tier; counts nothing."""
        return self._cache.exists(self.key(text))

    def find(self, texts: Iterable[str]) -> Found:
        """Rows that are cached, else 0, as (n, d) float32, and as (n,) bool which these are."""
        return self._cache.get_vectors(self._keys(text_list(texts)), dim=self._dims)

    async def afind(self, texts: Iterable[str]) -> Found:
        """Twin of find()."""
        return await self._cache.aget_vectors(self._keys(text_list(texts)), dim=self._dims)

    def _key(self, text: str) -> str:
        hashed = self._hash.copy()
        hashed.update(_prefixed(text.encode()))
        return self._prefix + hashed.hexdigest()

    def report(self) -> CostReport:
        """What was asked for and saved since this object was made."""
        return self._meter.report(self._cache)

    async def _embed(self, caller: Caller, look_up: LookUp, texts: list[str]) -> Matrix:
        asked = self._meter.asked()
        try:
            matrix = await self._filled(caller, look_up, texts, asked)
            asked.calls_asked = -(-len(texts) // self._batch_size)
        except BaseException:
            asked.calls_asked = asked.calls  # it would have failed without a cache, too
            raise
        finally:
            self._meter.add(asked)
        return matrix

    async def _filled(
        self, caller: Caller, look_up: LookUp, texts: list[str], asked: Asked
    ) -> Matrix:
        keys, rows = self._keys(texts), dict[str, NDArray[Any]]()
        seen = self._cache._loader.flights.step
        modes = self._cache._modes
        if modes.are_on and modes.now() is not None:
            matrix, found = _nothing_found(len(keys), self._dims)
        else:
            began = perf_counter()
            matrix, found = await look_up(keys, self._dims)
            asked.lookup_seconds += perf_counter() - began
        while missing := _missing(keys, texts, found, rows):
            rows |= await self._compute(caller, missing, Counter(keys), seen, asked)
            if self._dims != matrix.shape[1]:
                if found.any():  # what is stored has another width than the model's rows
                    seen = self._cache._loader.flights.step
                    matrix, found = await look_up(keys, self._dims)
                else:
                    matrix = np.zeros((len(texts), self._dims or 0), np.float32)
        computed = [index for index, key in enumerate(keys) if key in rows] if rows else []
        for index in computed:
            matrix[index] = rows[keys[index]]
        asked.found(len(keys) - len(computed), keys, texts, rows)
        return matrix

    async def _compute(
        self,
        caller: Caller,
        texts: dict[str, str],
        wanted: Mapping[str, int],
        seen: int,
        asked: Asked,
    ) -> dict[str, NDArray[Any]]:
        """Rows of the texts by key; those of each batch are stored before the next is computed.

        Each text is a miss as often as it is `wanted`: once when it is computed, the others when
        its batch is done. So what a failing batch leaves behind adds up too.
        """
        source = self._source(texts, asked)
        rows: dict[str, NDArray[Any]] = {}
        keys = list(texts)
        for start in range(0, len(keys), self._batch_size):
            names = keys[start : start + self._batch_size]
            batch: dict[bytes, Key] = {key.encode(): key for key in names}
            asked.begin(names, wanted)
            outcomes = await self._cache._load(caller, batch, source, self._storing, seen)
            asked.end(texts)
            for key, outcome in outcomes.items():
                self._learn(len(outcome.value))
                rows[key.decode()] = outcome.value
        return rows

    def _source(self, texts: Mapping[str, str], asked: Asked) -> Source:
        """The model, whose calls are counted as they end."""
        given: dict[str, str] = {}  # the texts of its last call
        began = 0.0

        def arguments(keys: list[Key]) -> tuple[list[str]]:
            nonlocal given, began
            given = {str(key): texts[str(key)] for key in keys}
            began = perf_counter()
            return (list(given.values()),)

        def amend(_: Any, storing: Storing) -> Storing:
            return replace(storing, cost=self._meter.cost_of(asked, given, perf_counter() - began))

        source = Source(
            function=self._function,
            arguments=arguments,
            unpack=self._unpack,
            on_computed=lambda _, seconds: asked.computed_some(given, seconds),
        )
        return replace(source, amend=amend) if self._meter.varies else source

    def _unpack(self, result: Any, keys: list[Key]) -> Matrix:
        """What `embed` returned as a float32 matrix, checked."""
        matrix = _as_matrix(result, len(keys))
        self._learn(matrix.shape[1])
        return _core.normalize_rows(matrix) if self._normalize else matrix

    def _learn(self, width: int) -> None:
        """Takes the first rows' width for that of all; raises ValueError for another."""
        with self._lock:
            if self._dims is None:
                self._dims = width
            allowed = self._dims
        if width != allowed:
            raise ValueError(
                f"embed returned rows of {width} numbers: allowed are {allowed}, as given or as"
                " before"
            )

    def _keys(self, texts: list[str]) -> list[str]:
        prefix, copy, keys = self._prefix, self._hash.copy, list[str]()
        try:
            for text in texts:  # as _key() does; its calls would be a tenth of a hit
                data, hashed = text.encode(), copy()
                hashed.update(len(data).to_bytes(8, "little") + data)
                keys.append(prefix + hashed.hexdigest())
        except (AttributeError, TypeError, UnicodeEncodeError):
            raise _bad_text(texts) from None
        return keys

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), self._function, self._arguments)

    async def _look_up(self, keys: Sequence[Key], dims: int | None) -> Found:
        return self._cache.get_vectors(keys, dim=dims)

    async def _alook_up(self, keys: Sequence[Key], dims: int | None) -> Found:
        return await self._cache.aget_vectors(keys, dim=dims)


def _missing(
    keys: list[str], texts: list[str], found: NDArray[np.bool_], rows: Mapping[str, Any]
) -> dict[str, str]:
    """Texts by key that were neither found nor computed, each once."""
    if found.all():
        return {}
    pairs = zip(keys, texts, found, strict=True)
    return {key: text for key, text, hit in pairs if not hit and key not in rows}


def _nothing_found(count: int, dims: int | None) -> Found:
    return np.zeros((count, dims or 0), np.float32), np.zeros(count, np.bool_)


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "little") + data


def text_list(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TypeError(
            f"texts={shown(texts)} of type {type(texts).__name__}: allowed is a list of str"
        )
    return list(texts)


def _bad_text(texts: list[Any]) -> Exception:
    """Why one of the texts has no key."""
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            return TypeError(f"texts[{index}] of type {type(text).__name__}: allowed are str")
        if not _is_utf8(text):
            return ValueError(f"texts[{index}]={shown(text)}: {_ALLOWED_TEXT}")
    raise AssertionError("all texts have a key")


def _as_matrix(result: Any, count: int) -> Matrix:
    """A float32 matrix of `count` finite rows, or a ValueError."""
    if isinstance(result, np.ma.MaskedArray):
        raise ValueError("embed returned a masked array: allowed are plain arrays (fill it first)")
    try:
        array = np.asarray(result)
        is_numeric = array.dtype.kind in "fiu"
    except (TypeError, ValueError):
        is_numeric = False
    if not is_numeric or array.ndim != 2 or len(array) != count or array.shape[1] == 0:
        shape = array.shape if is_numeric else type(result).__name__
        raise ValueError(
            f"embed returned {shape} for {count} texts: allowed is one row of numbers for each,"
            f" of shape ({count}, d)"
        )
    with np.errstate(over="ignore"):
        matrix = np.ascontiguousarray(array, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if bad.size:
        raise ValueError(f"embed returned NaN or Inf in row {bad[0]}: allowed are finite numbers")
    return matrix


def cache_argument(given: object) -> Cache:
    if isinstance(given, Cache):
        return given
    if given is None:
        from .env import get_cache

        return get_cache()
    raise ConfigError(
        f"cache={shown(given)} of type {type(given).__name__}: allowed are None and a Cache"
    )


def _storing(ttl: object, cost: float) -> Storing:
    try:
        return Storing(ttl=ttl_argument(ttl), cost=cost)
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from None


def _check_int(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}={shown(value)}: allowed is an int of 1 or more")


def _check_text(name: str, value: object) -> None:
    is_text = isinstance(value, str) and _is_utf8(value)
    if not is_text or not 1 <= len(str(value).encode()) <= _MAX_MODEL:
        allowed = f"allowed is text of 1 to {_MAX_MODEL} bytes of UTF-8"
        raise ConfigError(f"{name}={shown(value)}: {allowed}")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _remake(
    kind: type[EmbeddingCache], embed: Callable[[list[str]], Any], arguments: dict[str, Any]
) -> EmbeddingCache:
    return kind(embed, **arguments)
