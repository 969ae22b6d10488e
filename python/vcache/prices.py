"""What models cost, as the user says: nothing is known of a model that is not named."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from numbers import Real
from pathlib import Path
from typing import Any, Self

from ._messages import shown
from .errors import ConfigError

__all__ = ["Price", "PriceTable", "amount", "price_argument"]

VARIABLE = "VCACHE_PRICES"

_MILLION = "per_million_tokens"
_ALLOWED = "allowed is a finite number of 0 or more"
_MOST = 1e30  # so that no sum of products overflows


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model, or any function, takes: the sum of its parts, all in one currency.

    per_call: for each call of the function, however much it is given.
    per_embedding: for each text, or other item, of a call.
    per_token: for each token, as the user's `count_tokens` counts them.
    per_second: for each second that the function runs, such as of a rented GPU.

    None: nothing is charged by it. One part at least is given, and 0 is free. Raises ConfigError,
    also a ValueError, for anything but finite numbers of 0 or more.
    """

    per_call: float | None = None
    per_embedding: float | None = None
    per_token: float | None = None
    per_second: float | None = None

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if value is not None:
                object.__setattr__(self, part.name, amount(value, part.name))
        if all(getattr(self, part.name) is None for part in fields(self)):
            names = ", ".join(part.name for part in fields(self))
            raise ConfigError(f"price of nothing: allowed is at least one of {names}")

    def of(
        self,
        *,
        calls: float = 0,
        embeddings: float = 0,
        tokens: float | None = None,
        seconds: float | None = None,
    ) -> float | None:
        """The price of so much; None where it goes by tokens or seconds that are not known."""
        parts = (
            (self.per_call, calls),
            (self.per_embedding, embeddings),
            (self.per_token, tokens),
            (self.per_second, seconds),
        )
        sum_ = 0.0
        for each, number in parts:
            if each is None:
                continue
            if number is None:
                return None
            sum_ += each * number
        return sum_


class PriceTable(Mapping[str, Price]):
    """Prices by the exact name of a model. Immutable.

    prices: by name, a number for each embedding, a Price, or a mapping with any of `per_call`,
        `per_embedding`, `per_token`, `per_million_tokens` and `per_second`; None for a model whose
        price is not known, which is as if it were not named.

    There are no built-in prices: they change, and differ by contract. `table.get(model)` is None
    for a model of which nothing is known. Raises ConfigError, also a ValueError, naming the model
    and what is allowed.
    """

    def __init__(self, prices: Mapping[str, Any] | None = None) -> None:
        if prices is not None and not isinstance(prices, Mapping):
            raise ConfigError(
                f"prices={shown(prices)} of type {type(prices).__name__}: allowed is a mapping of"
                " names of models to prices"
            )
        self._prices: dict[str, Price] = {}
        for name, given in (prices or {}).items():
            if not isinstance(name, str) or not name:
                raise ConfigError(f"prices: {shown(name)} is no name of a model: allowed is text")
            if given is not None:
                self._prices[name] = price_argument(given, f"prices[{name!r}]")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads a JSON file with an object such as {"MODEL": {"per_million_tokens": 0.02}}.

        Raises OSError where it cannot be read.
        """
        return cls._of_json(Path(path).read_bytes(), os.fspath(path))

    @classmethod
    def from_env(cls) -> Self:
        """What VCACHE_PRICES says, in the environment or `.env`: a path, or the JSON object itself.

        Empty where it is not set. Raises ConfigError naming the variable.
        """
        from .env import variable

        text = variable(VARIABLE)
        if text is None:
            return cls()
        if text.lstrip().startswith("{"):
            return cls._of_json(text.encode(), VARIABLE)
        try:
            return cls.load(text)
        except OSError as error:
            raise ConfigError(
                f"{VARIABLE}={shown(text)}: {error.strerror or error}: allowed is a JSON object, or"
                " the path of a file with one"
            ) from None

    @classmethod
    def _of_json(cls, data: bytes, where: str) -> Self:
        try:
            found = json.loads(data, object_pairs_hook=_object, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{where}: {error}: allowed is a JSON object of prices") from None
        if not isinstance(found, dict):
            kind = type(found).__name__
            raise ConfigError(f"{where} holds a JSON {kind}: allowed is an object of prices")
        try:
            return cls(found)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None

    def __getitem__(self, model: str) -> Price:
        return self._prices[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._prices)

    def __len__(self) -> int:
        return len(self._prices)

    def __repr__(self) -> str:
        return f"PriceTable({self._prices!r})"


def price_argument(given: object, name: str) -> Price:
    """A Price of what a PriceTable takes for one."""
    if isinstance(given, Price):
        return given
    if isinstance(given, Mapping):
        return _of_parts(given, name)
    return Price(per_embedding=amount(given, name))


def amount(value: object, name: str) -> float:
    """A finite number of 0 or more, of money or bytes. Raises ConfigError for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ConfigError(f"{name}={shown(value)} of type {type(value).__name__}: {_ALLOWED}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not 0 <= number <= _MOST:
        raise ConfigError(f"{name}={shown(value)}: {_ALLOWED}")
    return number


def _of_parts(given: Mapping[Any, Any], name: str) -> Price:
    parts = dict(given)
    if _MILLION in parts:
        if "per_token" in parts:
            raise ConfigError(f"{name}: allowed is one of per_token and {_MILLION}")
        parts["per_token"] = amount(parts.pop(_MILLION), f"{name}: {_MILLION}") / 1e6
    known = [part.name for part in fields(Price)]
    unknown = [part for part in parts if part not in known]
    if unknown:
        allowed = ", ".join([*known, _MILLION])
        raise ConfigError(
            f"{name}: {shown(unknown[0])} is no part of a price: allowed are {allowed}"
        )
    try:
        return Price(**parts)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shown(twice)} is there twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no price")
