"""Answers of vector searches from those for more rows: how these are stored and cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

__all__ = ["Found", "TooSmall", "has_rows", "packed", "unpacked"]


class TooSmall(Exception):
    """What is stored is of a smaller `top_k`, and not all there is; or only of another."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search for `top_k` rows returned."""

    top_k: int
    result: Any


# How what is stored can be cut: by rows, by the rows of each of its columns, or not at all.
_ROWS, _COLUMNS, _WHOLE = range(3)


def has_rows(values: Iterable[Any]) -> bool:
    """Whether one of the arguments is a matrix, so that the call is several queries."""
    return any(map(_is_matrix, values))


def _is_matrix(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and _is_vector(value[0])
    return _dimensions(value) > 1


def _is_vector(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and isinstance(value[0], Real)
    return _dimensions(value) > 0


def _dimensions(value: Any) -> int:
    ndim = getattr(value, "ndim", 0)
    return ndim if isinstance(ndim, int) else 0


def packed(encode: Callable[[Any], Any] | None, found: Found) -> Any:
    """What is stored of the result of a search."""
    top_k, result = found.top_k, found.result
    cut = _cut_of(result)
    plain = result if encode is None else encode(result)
    if cut != _WHOLE and encode is not None and not _is_alike(plain, result, cut):
        cut = _WHOLE
    return [top_k, cut, list(plain) if cut == _COLUMNS else plain]


def _is_alike(plain: Any, result: Any, cut: int) -> bool:
    """Whether what was encoded has the rows of the result, or its columns."""
    if not isinstance(plain, (list, tuple, np.ndarray)) or len(plain) != len(result):
        return False
    return cut != _COLUMNS or all(_is_column(column) for column in plain)


def _cut_of(result: Any) -> int:
    if isinstance(result, tuple) and result and all(map(_is_column, result)):
        return _COLUMNS if len(set(map(len, result))) == 1 else _WHOLE
    if isinstance(result, (list, tuple)):
        # One list alone may be a row, or the rows of the one query.
        return _WHOLE if len(result) == 1 and _is_column(result[0]) else _ROWS
    if isinstance(result, np.ndarray) and result.ndim > 0:
        return _WHOLE if result.ndim > 1 and len(result) == 1 else _ROWS
    return _WHOLE


def _is_column(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 0)


def unpacked(top_k: int, decode: Callable[[Any], Any] | None, stored: Any) -> Any:
    """The first `top_k` rows of what is stored. Raises TooSmall where that are not enough."""
    of, cut, rows = stored
    if top_k != of:
        known = -1 if cut == _WHOLE else len(rows[0] if cut == _COLUMNS else rows)
        if cut == _WHOLE or (top_k > of and known >= of):
            raise TooSmall
    if top_k < of:
        rows = [column[:top_k] for column in rows] if cut == _COLUMNS else rows[:top_k]
    if decode is not None:
        return decode(rows)
    return tuple(rows) if cut == _COLUMNS else rows
