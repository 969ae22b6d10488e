"""What live traffic says of a similarity threshold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._locks import ForkLock
from ._similar_records import SimilarAdvice, SimilarBand

__all__ = ["Traffic", "overlap"]

_BANDS = 100  # between similarities 0 and 1
_CHECKED_HITS = 32  # of so many answers one is computed all the same
_ALWAYS = 256  # comparisons of a band before only some are made
_SOMETIMES = 16
_ENOUGH = 50  # comparisons
_MAX_ROWS = 1000
_ROWS_NAMES = ("ids", "matches", "points", "hits", "results", "documents", "data")
_ID_NAMES = ("id", "_id", "doc_id", "key", "pk")


@dataclass(slots=True)
class _Counts:
    seen: int = 0
    answered: int = 0
    compared: int = 0
    overlaps: float = 0.0


@dataclass(slots=True)
class Traffic:
    """Counts of one search. Thread-safe."""

    bands: dict[int, _Counts] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    lock: ForkLock = field(default_factory=ForkLock)

    def is_check_due(self) -> bool:
        """Whether the next answer is to be computed all the same. Counts it."""
        with self.lock:
            self.answered += 1
            return self.answered % _CHECKED_HITS == 0

    def note(self, similarity: float, *, answered: bool) -> bool:
        """Whether the result is worth a comparison."""
        with self.lock:
            counts = self.bands.setdefault(_band(similarity), _Counts())
            counts.seen += 1
            counts.answered += answered
            return counts.compared < _ALWAYS or counts.seen % _SOMETIMES == 0

    def note_refused(self, reason: str) -> None:
        with self.lock:
            self.refused[reason] += 1

    def compare(self, similarity: float, share: float) -> None:
        with self.lock:
            counts = self.bands.setdefault(_band(similarity), _Counts())
            counts.compared += 1
            counts.overlaps += share

    def clear(self) -> None:
        with self.lock:
            self.bands, self.refused, self.answered = {}, Counter(), 0

    def advice(self, precision: float, similar: float) -> SimilarAdvice:
        with self.lock:
            ordered = sorted(self.bands.items(), reverse=True)
            bands = tuple(_public(number, counts) for number, counts in ordered)
            refused = dict(self.refused)
        return SimilarAdvice(
            threshold=_threshold(bands, precision),
            similar=similar,
            precision=precision,
            compared=sum(band.compared for band in bands),
            bands=bands,
            refused=refused,
        )


def _band(similarity: float) -> int:
    return min(max(int(similarity * _BANDS + 1e-4), 0), _BANDS - 1)


def _public(number: int, counts: _Counts) -> SimilarBand:
    return SimilarBand(
        low=number / _BANDS,
        high=(number + 1) / _BANDS,
        seen=counts.seen,
        answered=counts.answered,
        compared=counts.compared,
        precision=counts.overlaps / counts.compared if counts.compared else None,
    )


def _threshold(bands: Iterable[SimilarBand], wanted: float) -> float | None:
    """Goes down as long as all above are precise enough together, each band by what it sees."""
    found: float | None = None
    compared, seen, precise = 0, 0, 0.0
    for band in bands:
        if band.precision is None:
            continue
        compared += band.compared
        seen += band.seen
        precise += band.seen * band.precision
        if compared < _ENOUGH:
            continue
        if precise < wanted * seen:
            return 1.0 if found is None else found
        found = band.low
    return found


def overlap(cached: Any, fresh: Any, rows: Callable[[Any], Any] | None = None) -> float | None:
    """Which share of the rows of `cached` is among those of `fresh`; None where none can be told.

    `rows` returns what identifies the rows of a result; without it rows count by an id they have,
    or all they are but floats.
    """
    try:
        ours, theirs = (Counter(_identities(each, rows)) for each in (cached, fresh))
    except Exception:  # of a user's function or object, whatever it raises
        return None
    most = max(ours.total(), theirs.total())
    return (ours & theirs).total() / most if most else 1.0


def _identities(result: Any, rows: Callable[[Any], Any] | None) -> Iterator[str]:
    listed = list(rows(result)) if rows is not None else _rows(result)
    return (repr(_identity(each)) for each in listed[:_MAX_ROWS])


def _rows(result: Any) -> list[Any]:
    if isinstance(result, Mapping):
        named = next((result[name] for name in _ROWS_NAMES if name in result), None)
        return [result] if named is None else _rows(named)
    if not (_is_list(result) or isinstance(result, tuple)):
        return [result]
    rows = list(result)
    if rows and all(map(_is_list, rows)):
        columns = [list(each) for each in rows if not all(map(_is_float, each))]
        if len(rows) == 1 or 0 < len(columns) < len(rows):  # of one query; ids beside scores
            return (columns or [list(rows[0])])[0]
    return rows


def _identity(row: Any) -> Any:
    if isinstance(row, Mapping):
        named = next((row[name] for name in _ID_NAMES if row.get(name) is not None), None)
        if named is not None:
            return named
        return sorted((repr(k), repr(v)) for k, v in row.items() if not _is_float(v))
    if isinstance(row, np.generic):
        return row.item()
    if _is_list(row) or isinstance(row, tuple):
        parts = list(row)
        return [_identity(part) for part in parts if not _is_float(part)] or parts
    own = getattr(row, "id", None)
    return row if own is None or callable(own) else own


def _is_list(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _is_float(value: Any) -> bool:
    return isinstance(value, (float, np.floating))
