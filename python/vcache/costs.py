"""What a cache saves, and what it costs itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .prices import amount

__all__ = ["Bill", "CacheCosts", "CostReport", "Period", "Savings", "Upkeep"]

Period = Literal["hour", "day", "month", "year"]

_HOURS: dict[str, float] = {"hour": 1, "day": 24, "month": 24 * 365 / 12, "year": 24 * 365}
_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What a cache costs itself, in the currency of the prices. None: not known, and not counted.

    redis: all of Redis, a month.
    memory: a GiB of this process' memory, a month.
    second: a second that a caller spends on looking up.
    """

    redis: float | None = None
    memory: float | None = None
    second: float | None = None

    def __post_init__(self) -> None:
        for name in ("redis", "memory", "second"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, amount(value, name))


@dataclass(frozen=True, slots=True)
class Savings:
    """What is saved in one period, and what of that the cache takes. None: not known.

    gross: what the requests would have cost without the cache, less what they cost with it.
    redis, memory, lookups: what the cache costs, as Upkeep has it.
    is_partial: some requests have no known price, so that `gross` and `net` are at least so much,
        were the upkeep all known.
    """

    period: Period
    requests: float
    gross: float | None
    redis: float | None
    memory: float | None
    lookups: float | None
    is_partial: bool = False

    @property
    def net(self) -> float | None:
        """`gross` less all upkeep that is known; `unknown` names the rest."""
        if self.gross is None:
            return None
        return self.gross - sum(each or 0.0 for each in self._upkeep.values())

    @property
    def unknown(self) -> tuple[str, ...]:
        """Parts of the upkeep that are not known, and so not subtracted."""
        return tuple(name for name, value in self._upkeep.items() if value is None)

    @property
    def _upkeep(self) -> dict[str, float | None]:
        return {"redis": self.redis, "memory": self.memory, "lookups": self.lookups}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"net": self.net, "unknown": list(self.unknown)}

    def __str__(self) -> str:
        if self.net is None:
            return f"saved a {self.period}: not known, for want of a price"
        least = "at least " if self.is_partial else ""
        known = [
            f"{name} {value:,.6g}" for name, value in self._upkeep.items() if value is not None
        ]
        text = f"saved a {self.period}: {least}{self.net:,.6g} net"
        text += f" ({self.gross:,.6g} less {', '.join(known)})" if known else ""
        return text + (f"; not known of {', '.join(self.unknown)}" if self.unknown else "")


@dataclass(frozen=True, slots=True)
class Bill:
    """Money for what was asked for. None: not known.

    total: what it would have cost without a cache; spent: what was computed did cost.
    unpriced: requests that are in neither, since their price is not known.
    """

    total: float | None
    spent: float | None
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class CostReport:
    """What was asked for so far, and what the cache saved of it.

    `hits` were found in the cache, `misses` were not; `computed` of those came of the function, in
    `calls` calls of it, and the rest were duplicates or already under way. What only refreshed an
    entry is in `computed` too.

    cost_per_embedding: where that is the price.
    seconds_saved: what the function would have taken for the others, by its mean; None: it never
        ran here, so that this is not known.
    seconds: the time these figures span.
    tokens, tokens_computed: of all that was asked for, and of what was computed. None: not counted.
    lookup_seconds: what was spent on looking up. None: not measured.
    memory_bytes: what the whole cache has in memory now, be it for others. None: not known.
    bill: the money; of `cost_per_embedding` unless given.

    Money is in the currency of the prices, and None where no price is known: never 0 for that.
    Where the price of some requests is known and that of others is not, `unpriced` says of how many
    and the sums are of those that are known: at least so much is saved.
    """

    hits: int
    misses: int
    computed: int
    cost_per_embedding: float | None = None
    seconds_saved: float | None = 0.0
    seconds: float = 0.0
    calls: int = 0
    tokens: int | None = None
    tokens_computed: int | None = None
    lookup_seconds: float | None = None
    memory_bytes: int | None = None
    bill: Bill | None = None

    @property
    def requests(self) -> int:
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float:
        """Share of requests found in the cache, 0 to 1."""
        return self.hits / self.requests if self.requests else 0.0

    @property
    def cost_total(self) -> float | None:
        """What all requests would have cost without a cache."""
        return self._bill.total

    @property
    def cost_spent(self) -> float | None:
        """What was paid for all that was computed."""
        return self._bill.spent

    @property
    def cost_saved(self) -> float | None:
        total, spent = self._bill.total, self._bill.spent
        return None if total is None or spent is None else total - spent

    @property
    def cost_reduction(self) -> float:
        """Saved share of `cost_total`, 0 to 1; of the requests, where no cost is known or it is 0.

        Below 0 where more was computed than asked for, as by refreshing.
        """
        total, saved = self.cost_total, self.cost_saved
        is_billed = self.bill is not None and not self.unpriced
        if is_billed and total is not None and saved is not None and total > 0:
            return saved / total
        return 1 - self.computed / self.requests if self.requests else 0.0

    @property
    def unpriced(self) -> int:
        """Requests whose price is not known."""
        return self._bill.unpriced

    @property
    def is_partial(self) -> bool:
        """Whether the price of some requests is known, and that of others is not."""
        return self.cost_saved is not None and self.unpriced > 0

    @property
    def seconds_net(self) -> float | None:
        """`seconds_saved` less what was spent on looking up; None where one is not known."""
        if self.seconds_saved is None or self.lookup_seconds is None:
            return None
        return self.seconds_saved - self.lookup_seconds

    def savings(
        self,
        period: Period = "month",
        *,
        requests: float | None = None,
        upkeep: Upkeep | None = None,
    ) -> Savings:
        """What is saved in a period, gross and net of the upkeep of the cache.

        `requests` are those of the period; as many as come at the pace so far, unless given. What
        each saves, and the bytes in memory, are taken to be as they were so far.
        """
        if period not in _HOURS:
            raise ValueError(f"period={period!r}: allowed are {', '.join(_HOURS)}")
        hours, paid = _HOURS[period], upkeep or Upkeep()
        count = self._pace(hours) if requests is None else amount(requests, "requests")
        months = hours / _HOURS["month"]
        saved, seeking = self._saved_each, self._seeking_each
        return Savings(
            period=period,
            requests=count,
            gross=None if saved is None else count * saved,
            redis=None if paid.redis is None else paid.redis * months,
            memory=_product(paid.memory, self.memory_bytes, months / _GIB),
            lookups=_product(paid.second, seeking, count),
            is_partial=self.is_partial,
        )

    def monthly(
        self, requests: float, redis_cost: float = 0.0, *, upkeep: Upkeep | None = None
    ) -> float | None:
        """What is saved a month at `requests` a month, less what Redis and the rest of it cost.

        redis_cost: of Redis a month, unless `upkeep` has it. None where no price is known.
        """
        paid = upkeep or Upkeep()
        redis = amount(redis_cost, "redis_cost") if paid.redis is None else paid.redis
        whole = Upkeep(redis=redis, memory=paid.memory, second=paid.second)
        return self.savings("month", requests=requests, upkeep=whole).net

    def annual(self, queries_per_hour: float, *, upkeep: Upkeep | None = None) -> float | None:
        """What is saved a year at this many queries an hour, round the clock, less the upkeep."""
        count = amount(queries_per_hour, "queries_per_hour") * _HOURS["year"]
        return self.savings("year", requests=count, upkeep=upkeep).net

    def roi_months(
        self,
        setup_cost: float,
        *,
        monthly_saving: float | None = None,
        upkeep: Upkeep | None = None,
    ) -> float | None:
        """Months until `setup_cost` is earned back, at the pace seen so far unless given.

        `monthly_saving` is what monthly() returns; else that of the pace, less the upkeep. Infinite
        where nothing is saved, None where it is not known what is.
        """
        amount(setup_cost, "setup_cost")
        saving = monthly_saving
        if saving is None:
            saving = self.savings("month", upkeep=upkeep).net
        if saving is None:
            return None
        return setup_cost / saving if saving > 0 else math.inf

    def as_dict(self) -> dict[str, Any]:
        """All figures by name, flat, so that a DataFrame takes a list of them."""
        numbers = asdict(self)
        numbers.pop("bill")
        derived = (
            *("requests", "hit_rate", "cost_total", "cost_spent", "cost_saved", "cost_reduction"),
            *("unpriced", "is_partial", "seconds_net"),
        )
        return numbers | {name: getattr(self, name) for name in derived}

    def rows(self) -> list[dict[str, Any]]:
        """as_dict() as the one row of a table."""
        return [self.as_dict()]

    def __str__(self) -> str:
        from ._cost_text import text_of

        return text_of(self)

    @classmethod
    def together(cls, reports: Iterable[CostReport]) -> CostReport:
        """The sum of reports over one Cache. Raises ValueError for none."""
        given = list(reports)
        if not given:
            raise ValueError("reports=[]: allowed is at least one")
        prices = {report.cost_per_embedding for report in given}
        seconds = [report.seconds_saved for report in given if report.requests]
        return cls(
            hits=sum(report.hits for report in given),
            misses=sum(report.misses for report in given),
            computed=sum(report.computed for report in given),
            cost_per_embedding=prices.pop() if len(prices) == 1 else None,
            seconds_saved=_sum_known(seconds),
            seconds=max(report.seconds for report in given),
            calls=sum(report.calls for report in given),
            tokens=_whole(_sum_known(report.tokens for report in given)),
            tokens_computed=_whole(_sum_known(report.tokens_computed for report in given)),
            lookup_seconds=_sum_known(report.lookup_seconds for report in given),
            memory_bytes=_greatest_known(report.memory_bytes for report in given),
            bill=_bill_of(given),
        )

    @property
    def _bill(self) -> Bill:
        if self.bill is not None:
            return self.bill
        if self.cost_per_embedding is None:
            return Bill(None, None, self.requests)
        each = self.cost_per_embedding
        return Bill(self.requests * each, self.computed * each)

    @property
    def _saved_each(self) -> float | None:
        if self.cost_saved is None:
            return None
        return self.cost_saved / self.requests if self.requests else 0.0

    @property
    def _seeking_each(self) -> float | None:
        if self.lookup_seconds is None:
            return None
        return self.lookup_seconds / self.requests if self.requests else 0.0

    def _pace(self, hours: float) -> float:
        """Requests in so many hours, as they came so far."""
        return self.requests / self.seconds * hours * 3600 if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class CacheCosts:
    """What a whole cache saved. Money is as in a CostReport.

    groups: by the part of a key before its first ":", as in Stats.groups, each by its own price.
        A miss counts as one call of the function: what several callers shared is not known here.
    total: of them together; its times are those that were measured of factories.
    recorded: what the entries that were hit had as their `cost`, in whatever unit that was given;
        entries without one are not in it. None: none had one.
    """

    total: CostReport
    groups: dict[str, CostReport]
    recorded: float | None

    def rows(self) -> list[dict[str, Any]]:
        """A row for each group and one for all, named by "group", for a DataFrame."""
        named = [*self.groups.items(), ("total", self.total)]
        return [{"group": name} | report.as_dict() for name, report in named]

    def as_dict(self) -> dict[str, Any]:
        groups = {name: report.as_dict() for name, report in self.groups.items()}
        return {"total": self.total.as_dict(), "groups": groups, "recorded": self.recorded}

    def __str__(self) -> str:
        from ._cost_text import table

        text = table([*self.groups.items(), ("total", self.total)])
        recorded = "none" if self.recorded is None else f"{self.recorded:,.6g}"
        return f"{text}\ncost recorded with entries that were hit: {recorded}"


def _bill_of(reports: list[CostReport]) -> Bill:
    """Their sum, over those whose price is known; the requests of the others are unpriced."""
    known = [report._bill for report in reports if report.cost_saved is not None]
    others = sum(report.requests for report in reports if report.cost_saved is None)
    if not known:
        return Bill(None, None, others)
    total = math.fsum(bill.total or 0.0 for bill in known)
    spent = math.fsum(bill.spent or 0.0 for bill in known)
    return Bill(total, spent, others + sum(bill.unpriced for bill in known))


def _sum_known(numbers: Iterable[float | None]) -> float | None:
    """None where one is."""
    given = list(numbers)
    return None if any(each is None for each in given) else math.fsum(each or 0 for each in given)


def _greatest_known(numbers: Iterable[int | None]) -> int | None:
    return max((each for each in numbers if each is not None), default=None)


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _product(price: float | None, number: float | None, factor: float) -> float | None:
    return None if price is None or number is None else price * number * factor
