"""Filling a cache before it is asked: what memory lacks, from Redis or from a factory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from ._arguments import Key
from ._callers import Caller
from ._core import MISSING
from ._filling import Storing
from ._flight import normal_key
from ._messages import shown
from ._source import Source

if TYPE_CHECKING:
    from ._calls import Calls

__all__ = ["Batch", "batches", "check_key", "count_argument", "fill", "share_argument"]

MOST_BATCH = 65_536

T = TypeVar("T")


@dataclass(slots=True)
class Batch:
    """What became of some keys."""

    present: int = 0
    """In memory, or in Redis and now in memory."""
    loaded: int = 0
    """Made by the factory and stored."""
    absent: int = 0
    """In neither tier, without a factory."""
    failed: list[Key] = field(default_factory=list)
    error: Exception | None = None


async def fill(
    cache: Calls, caller: Caller, keys: Sequence[Key], source: Source | None, storing: Storing
) -> Batch:
    """Has memory have what is in Redis, and both what is in neither. Counts no look-up.

    What fails is told of by the batch; keys that are none fail alone.
    """
    batch = Batch()
    distinct: dict[bytes, Key] = {}
    for key in keys:
        try:
            distinct[check_key(key)] = key
        except (TypeError, ValueError) as error:
            batch.failed.append(key)
            batch.error = error
    try:
        await _fill(cache, caller, distinct, source, storing, batch)
    except Exception as error:
        batch.failed += list(distinct.values())
        batch.error = error
    return batch


async def _fill(
    cache: Calls,
    caller: Caller,
    keys: dict[bytes, Key],
    source: Source | None,
    storing: Storing,
    batch: Batch,
) -> None:
    if not keys:
        return
    seen = cache._loader.flights.step
    found = await caller.core(cache._tiers.find_again, list(keys.values()), False)
    lacking = {
        normal: key
        for (normal, key), each in zip(list(keys.items()), found, strict=True)
        if each is MISSING
    }
    batch.present += len(keys) - len(lacking)
    for normal in list(keys):
        if normal not in lacking:
            del keys[normal]  # done, whatever becomes of the rest
    if source is None or not lacking:
        batch.absent += len(lacking)
        return
    outcomes = await cache._loader.load(caller, lacking, source, storing, seen)
    refused = [lacking[key] for key, outcome in outcomes.items() if outcome.refused is not None]
    batch.failed += refused
    batch.loaded += len(lacking) - len(refused)
    errors = [each.refused for each in outcomes.values() if each.refused is not None]
    batch.error = errors[0] if errors else batch.error


def check_key(key: object) -> bytes:
    """Its one form. Raises TypeError or ValueError for what is no key."""
    if not isinstance(key, (str, bytes)):
        raise TypeError(f"key={shown(key)} of type {type(key).__name__}: allowed are str and bytes")
    normal = normal_key(key)
    if not 1 <= len(normal) <= 1024:
        raise ValueError(f"key={shown(key)} of {len(normal)} bytes: allowed are 1 to 1024")
    return normal


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of at most `size`."""
    each = iter(items)
    while batch := list(islice(each, size)):
        yield batch


def count_argument(value: object, name: str, most: int = MOST_BATCH) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{name}={shown(value)}: allowed is an int from 1 to {most}")
    return value


def share_argument(value: object, name: str) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1:  # type: ignore[operator]
        raise ValueError(f"{name}={shown(value)}: allowed is a number from 0 to 1")
    return float(value)  # type: ignore[arg-type]
