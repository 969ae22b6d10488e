"""Embeddings of texts, each computed once."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from hashlib import sha256
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._arguments import Key, callable_argument, cost_argument, ttl_argument
from ._callers import Caller, refuse_async, run_blocking
from ._calls import BLOCKING
from ._loading import Source, Storing
from .cache import Cache
from .costs import CostReport
from .durations import Duration
from .errors import ConfigError

__all__ = ["EmbeddingCache"]

Matrix = NDArray[np.float32]
Found = tuple[NDArray[Any], NDArray[np.bool_]]

_MAX_MODEL = 512


class EmbeddingCache:
    """Embeddings of one model, kept in a Cache. Thread-safe.

    embed: takes a list of n texts and returns n rows of d numbers: an array or a list of lists.
        It may be async, then aembed() and aembed_one() are to be used.
    model: name and version of the model; part of every key, as are `kind` (such as "document" or
        "query"), `dims` and `normalize`. No text is stored, only its SHA-256.
    cache: where to keep them; vcache.get_cache() unless given.
    batch_size: most texts in one call of `embed`; what a call returned is stored at once.
    ttl: time to live of an embedding; None for no expiry.
    cost_per_embedding: what one costs, for report().
    normalize: scale every row to length 1; rows of zeros stay.
    dims: numbers in an embedding; learned from the first call of `embed` unless given.

    Raises ConfigError, also a ValueError, for an argument that is not allowed.
    """

    def __init__(
        self,
        embed: Callable[[list[str]], Any],
        *,
        model: str,
        cache: Cache | None = None,
        batch_size: int = 256,
        ttl: Duration | None = "30d",
        cost_per_embedding: float = 0.0,
        kind: str = "document",
        normalize: bool = False,
        dims: int | None = None,
    ) -> None:
        self._function = callable_argument(embed, "embed")
        _check_int("batch_size", batch_size)
        if dims is not None:
            _check_int("dims", dims)
        _check_text("model", model)
        _check_text("kind", kind)
        if cache is None:
            from .env import get_cache

            cache = get_cache()
        self._cache = cache
        self._batch_size = batch_size
        self._normalize = bool(normalize)
        self._storing = Storing(ttl=ttl_argument(ttl), cost=cost_argument(cost_per_embedding))
        self._prefix = f"emb:{model}:"
        self._hash = sha256()
        for part in (model, kind, str(dims or ""), str(self._normalize)):
            self._hash.update(_prefixed(part.encode()))
        self._dims = dims
        self._lock = threading.Lock()
        self._hits = self._misses = self._computed = 0
        self._seconds = 0.0
        self._started = perf_counter()

    def embed(self, texts: Iterable[str]) -> Matrix:
        """Embeddings of `texts` as an (n, d) float32 matrix, in their order.

        Only texts that are in neither tier are computed, each once, `batch_size` at a time. Raises
        ValueError, storing nothing of that call, if `embed` returns another number of rows, rows
        of another width than before, or NaN or Inf.
        """
        refuse_async(self._function)
        return run_blocking(self._embed(BLOCKING, self._look_up, _text_list(texts)))

    def embed_one(self, text: str) -> Matrix:
        """Embedding of one text, of shape (d,)."""
        row: Matrix = self.embed([text])[0]
        return row

    async def aembed(self, texts: Iterable[str]) -> Matrix:
        """Twin of embed(); a plain `embed` runs in a worker thread."""
        return await self._embed(self._cache._on_loop, self._alook_up, _text_list(texts))

    async def aembed_one(self, text: str) -> Matrix:
        """Twin of embed_one()."""
        row: Matrix = (await self.aembed([text]))[0]
        return row

    def key(self, text: str) -> str:
        """The key of a text: emb:MODEL: and a SHA-256."""
        hashed = self._hash.copy()
        hashed.update(_prefixed(text.encode()))
        return self._prefix + hashed.hexdigest()

    def report(self) -> CostReport:
        """What was asked for and saved since this object was made."""
        with self._lock:
            each = self._seconds / self._computed if self._computed else 0.0
            requests = self._hits + self._misses
            return CostReport(
                hits=self._hits,
                misses=self._misses,
                computed=self._computed,
                cost_per_embedding=self._storing.cost,
                seconds_saved=(requests - self._computed) * each,
                seconds=perf_counter() - self._started,
            )

    async def _embed(
        self,
        caller: Caller,
        look_up: Callable[[Sequence[Key], int | None], Awaitable[Found]],
        texts: list[str],
    ) -> Matrix:
        keys = self._keys(texts)
        seen = self._cache._loader.flights.step
        matrix, found = await look_up(keys, self._dims)
        missing = {key: text for key, text, hit in zip(keys, texts, found, strict=True) if not hit}
        if missing:
            rows = await self._compute(caller, missing, seen)
            width = self._learn(rows)
            if width != matrix.shape[1]:
                if found.any():  # what is stored has another width than the model's rows
                    return await self._embed(caller, look_up, texts)
                matrix = np.zeros((len(texts), width), np.float32)
            for index in np.flatnonzero(~found):
                matrix[index] = rows[keys[index]]
        hits = int(found.sum())
        self._count(hits=hits, misses=len(texts) - hits)
        return matrix

    async def _compute(
        self, caller: Caller, texts: dict[str, str], seen: int
    ) -> dict[str, NDArray[Any]]:
        """Rows of the texts by key; those of each batch are stored before the next is computed."""
        source = Source(
            function=self._function,
            arguments=lambda keys: ([texts[str(key)] for key in keys],),
            unpack=self._unpack,
            on_computed=lambda count, seconds: self._count(computed=count, seconds=seconds),
        )
        rows: dict[str, NDArray[Any]] = {}
        keys = list(texts)
        for start in range(0, len(keys), self._batch_size):
            batch: dict[bytes, Key] = {
                key.encode(): key for key in keys[start : start + self._batch_size]
            }
            outcomes = await self._cache._loader.load(caller, batch, source, self._storing, seen)
            rows |= {key.decode(): outcome.value for key, outcome in outcomes.items()}
        return rows

    def _unpack(self, result: Any, keys: list[Key]) -> Matrix:
        """What `embed` returned as a float32 matrix, checked."""
        matrix = _as_matrix(result, len(keys))
        if self._dims is not None and matrix.shape[1] != self._dims:
            raise ValueError(
                f"embed returned rows of {matrix.shape[1]} numbers: allowed are {self._dims}, as"
                " given or as before"
            )
        return _core.normalize_rows(matrix) if self._normalize else matrix

    def _learn(self, rows: dict[str, NDArray[Any]]) -> int:
        """The one width of the rows, which later rows must have too."""
        widths = {row.shape for row in rows.values()}
        if len(widths) > 1:
            raise ValueError(f"embed returned rows of different shapes {sorted(widths)}")
        width: int = widths.pop()[0]
        with self._lock:
            if self._dims is None:
                self._dims = width
        return width

    def _keys(self, texts: list[str]) -> list[str]:
        try:
            return [self.key(text) for text in texts]
        except (AttributeError, TypeError, UnicodeEncodeError):
            raise _bad_text(texts) from None

    def _count(
        self, *, hits: int = 0, misses: int = 0, computed: int = 0, seconds: float = 0.0
    ) -> None:
        with self._lock:
            self._hits += hits
            self._misses += misses
            self._computed += computed
            self._seconds += seconds

    async def _look_up(self, keys: Sequence[Key], dims: int | None) -> Found:
        return self._cache.get_vectors(keys, dim=dims)

    async def _alook_up(self, keys: Sequence[Key], dims: int | None) -> Found:
        return await self._cache.aget_vectors(keys, dim=dims)


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "little") + data


def _text_list(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TypeError(f"texts={texts!r} of type {type(texts).__name__}: allowed is a list of str")
    return list(texts)


def _bad_text(texts: list[Any]) -> Exception:
    """Why one of the texts has no key."""
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            return TypeError(f"texts[{index}] of type {type(text).__name__}: allowed are str")
    return ValueError("texts: allowed is text that UTF-8 can encode")


def _as_matrix(result: Any, count: int) -> Matrix:
    """A float32 matrix of `count` finite rows, or a ValueError."""
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


def _check_int(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}={value!r}: allowed is an int of 1 or more")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not 1 <= len(value.encode(errors="replace")) <= _MAX_MODEL:
        raise ConfigError(f"{name}={value!r}: allowed is text of 1 to {_MAX_MODEL} bytes")
