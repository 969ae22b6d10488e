"""What an EmbeddingCache counts of the texts that it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from copy import copy
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ._arguments import callable_argument, cost_argument
from ._locks import ForkLock
from ._messages import shown
from .costs import Bill, CostReport
from .errors import ConfigError
from .prices import Price, PriceTable

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["Asked", "CountTokens", "Meter", "counter_argument", "price_of"]

CountTokens = Callable[[str], int]


class _Counts:
    """0 until something is counted: of texts, calls of the model, tokens and seconds.

    calls_asked: calls of the model that there would have been without a cache.
    tokens, tokens_computed: of the texts whose tokens are known; `uncounted` are the other texts.
    """

    hits: int = 0
    misses: int = 0
    computed: int = 0
    calls: int = 0
    calls_asked: int = 0
    tokens: int = 0
    tokens_computed: int = 0
    uncounted: int = 0
    uncounted_computed: int = 0
    seconds: float = 0.0
    lookup_seconds: float = 0.0

    def take(self, other: _Counts) -> None:
        """Adds what the other has, which starts anew."""
        counts = vars(other)
        for name in [name for name in counts if name in _NAMES]:
            setattr(self, name, getattr(self, name) + counts.pop(name))


_NAMES = frozenset(_Counts.__annotations__)


class Asked(_Counts):
    """Counts of one call of embed(). Used by one task at a time.

    What it began for others too may end after it: that is handed to `late` as it comes.
    """

    _known: dict[str, int | None] | None = None  # tokens by key

    def __init__(self, count: CountTokens | None, late: Callable[[Asked], None]) -> None:
        self._count, self._late = count, late
        self.is_over = False

    def begin(self, names: Iterable[str], asked: Mapping[str, int]) -> None:
        """The next batch: each of its keys is a miss as often as it was asked for."""
        self._open = {name: asked[name] for name in names}  # what is not yet counted of it

    def computed_some(self, texts: Mapping[str, str], seconds: float) -> None:
        """One call of the model. Each text is a miss, once, as soon as it is computed."""
        self.calls += 1
        self.computed += len(texts)
        self.seconds += seconds
        for key, text in texts.items():
            self._open[key] = self._open.get(key, 0) - 1
            self.misses += 1
            self._add_tokens(key, text, 1, is_computed=True)
        if self.is_over:
            self.calls_asked = self.calls
            self._late(self)

    def end(self, texts: Mapping[str, str]) -> None:
        """The batch is done: what was not yet counted of it are duplicates, or of other callers."""
        for key, times in self._open.items():
            if times > 0:
                self.misses += times
                self._add_tokens(key, texts[key], times)
        self._open = {}

    def found(
        self, hits: int, keys: Iterable[str], texts: Iterable[str], computed: Container[str]
    ) -> None:
        """Those texts were in the cache whose keys are not among the `computed`."""
        self.hits = hits
        if self._count is not None:
            for key, text in zip(keys, texts, strict=True):
                if key not in computed:
                    self._add_tokens(key, text, 1)

    @property
    def has_hits_only(self) -> bool:
        """Whether nothing was missed, nor tokens counted, and so nothing is to come."""
        return self.hits > 0 and not (self.misses or self.calls) and self._count is None

    def tokens_of(self, key: str, text: str) -> int | None:
        """None where the user's function fails or returns no count."""
        if self._count is None:
            return None
        if self._known is None:
            self._known = {}
        if key not in self._known:
            self._known[key] = _counted(self._count, text)
        return self._known[key]

    def _add_tokens(self, key: str, text: str, times: int, *, is_computed: bool = False) -> None:
        tokens = self.tokens_of(key, text)
        if tokens is None:
            self.uncounted += times
            self.uncounted_computed += times * is_computed
        else:
            self.tokens += times * tokens
            self.tokens_computed += times * tokens * is_computed


def _counted(count: CountTokens, text: str) -> int | None:
    try:
        tokens = count(text)
        number = int(tokens)
    except Exception:  # of a user's function: what an answer costs is not to break the answer
        return None
    return number if number == tokens and number >= 0 else None


class Meter:
    """Adds up what the calls of one EmbeddingCache count. Thread-safe."""

    def __init__(self, price: Price | None, count_tokens: CountTokens | None) -> None:
        self._price = price
        self._count_tokens = count_tokens
        self._lock = ForkLock()
        self._sum = _Counts()
        self._started = perf_counter()

    @property
    def entry_cost(self) -> float:
        """What each embedding is stored with as its cost; 0: not known, or not the same for all."""
        price = self._price
        return 0.0 if price is None or self.varies else price.per_embedding or 0.0

    @property
    def varies(self) -> bool:
        """Whether what an embedding costs depends on the call that made it."""
        price = self._price
        parts = () if price is None else (price.per_call, price.per_token, price.per_second)
        return any(part is not None for part in parts)

    def asked(self) -> Asked:
        return Asked(self._count_tokens, self.add)

    def add(self, asked: Asked) -> None:
        """Takes over what was counted; `asked` starts anew."""
        with self._lock:
            if asked.has_hits_only:  # a part of the time of a hit
                self._sum.hits += asked.hits
                self._sum.calls_asked += asked.calls_asked
                self._sum.lookup_seconds += asked.lookup_seconds
            else:
                self._sum.take(asked)
            asked.is_over = True

    def cost_of(self, asked: Asked, texts: Mapping[str, str], seconds: float) -> float:
        """What each text of one call of the model cost, as its mean; 0: not known."""
        if self._price is None or not texts:
            return 0.0
        known = [asked.tokens_of(key, text) for key, text in texts.items()]
        tokens = None if None in known else sum(each or 0 for each in known)
        count = len(texts)
        cost = self._price.of(calls=1, embeddings=count, tokens=tokens, seconds=seconds)
        return (cost or 0.0) / count

    def report(self, cache: Cache) -> CostReport:
        with self._lock:
            sum_ = copy(self._sum)
        requests, computed = sum_.hits + sum_.misses, sum_.computed
        saved = requests - computed
        each = sum_.seconds / computed if computed else None
        counts = self._count_tokens is not None
        held = cache.stats()
        return CostReport(
            hits=sum_.hits,
            misses=sum_.misses,
            computed=computed,
            cost_per_embedding=None if self._price is None else _plain(self._price),
            seconds_saved=saved * each if each is not None else (None if saved else 0.0),
            seconds=perf_counter() - self._started,
            calls=sum_.calls,
            tokens=sum_.tokens if counts and not sum_.uncounted else None,
            tokens_computed=sum_.tokens_computed if counts and not sum_.uncounted else None,
            lookup_seconds=sum_.lookup_seconds,
            memory_bytes=held.memory_bytes + held.pinned_bytes,
            bill=self._bill(sum_, each),
        )

    def _bill(self, sum_: _Counts, each: float | None) -> Bill | None:
        """None where all is by `cost_per_embedding`, or nothing is known."""
        price, requests = self._price, sum_.hits + sum_.misses
        if price is None or not self.varies:
            return None
        by_token = price.per_token is not None
        if by_token and (self._count_tokens is None or sum_.uncounted == requests > 0):
            return Bill(None, None, requests)
        unpriced = sum_.uncounted if by_token else 0
        priced = requests - unpriced
        total = price.of(
            calls=sum_.calls_asked,
            embeddings=priced,
            tokens=sum_.tokens,
            seconds=each * priced if each is not None else (None if priced else 0.0),
        )
        spent = price.of(
            calls=sum_.calls,
            embeddings=sum_.computed - (sum_.uncounted_computed if by_token else 0),
            tokens=sum_.tokens_computed,
            seconds=sum_.seconds,
        )
        if total is None or spent is None:
            return Bill(None, None, requests)
        return Bill(total, spent, unpriced)


def _plain(price: Price) -> float | None:
    """What each embedding costs, where it costs nothing else."""
    parts = (price.per_call, price.per_token, price.per_second)
    return price.per_embedding if all(part is None for part in parts) else None


def price_of(model: str, cost: object, prices: object, *, of_environment: bool) -> Price | None:
    """The price of a model by what an EmbeddingCache was given; None where it is not known.

    Raises ConfigError where both are given.
    """
    if cost is not None and prices is not None:
        raise ConfigError(f"cost_per_embedding={shown(cost)} and prices: allowed is one of the two")
    if cost is not None:
        try:
            return Price(per_embedding=cost_argument(cost, "cost_per_embedding"))
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from None
    if prices is None:
        return PriceTable.from_env().get(model) if of_environment else None
    if isinstance(prices, Price):
        return prices
    table: Any = prices if isinstance(prices, PriceTable) else PriceTable(prices)  # type: ignore[arg-type]
    found: Price | None = table.get(model)
    return found


def counter_argument(given: object) -> CountTokens | None:
    if given is None:
        return None
    try:
        return callable_argument(given, "count_tokens")
    except TypeError as error:
        raise ConfigError(str(error)) from None
