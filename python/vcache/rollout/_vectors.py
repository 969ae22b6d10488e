"""Matrices whose rows are in two caches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._arguments import Key, dim_argument, dtype_name
from .._messages import shown

if TYPE_CHECKING:
    from ._sides import Ask, Sides

__all__ = ["Found", "get_vectors", "set_vectors"]

Found = tuple[NDArray[Any], NDArray[np.bool_]]


async def get_vectors(
    sides: Sides,
    ask: Ask,
    keys: Sequence[Key],
    dim: int | None,
    dtype: DTypeLike,
    out: NDArray[Any] | None,
) -> Found:
    """As of a Cache: rows that are not found are 0, and all have one width."""
    parts = sides._split(keys)
    if not all(parts):  # all keys are one side's, which checks the arguments
        side = 1 if parts[1] else 0
        matrix, found = await ask(
            sides._sides[side], "get_vectors", keys, dim=dim, dtype=dtype, out=out
        )
        sides._note(side, hits=int(found.sum()), misses=int(len(keys) - found.sum()))
        return matrix, found
    kind = dtype_name(dtype)
    width = _checked(out, len(keys), dim_argument(dim), kind)
    found_of = [
        await _part(sides, ask, keys, part, side, width, kind) for side, part in enumerate(parts)
    ]
    if width is None:
        width = _width_of_first_hit(parts, found_of)
        for side, part in enumerate(parts):
            if found_of[side][0].shape[1] not in (0, width):  # these are of another width
                found_of[side] = await _part(sides, ask, keys, part, side, width, kind)
    result = np.zeros((len(keys), width or 0), kind) if out is None else out
    result[...] = 0
    found = np.zeros(len(keys), np.bool_)
    for side, (part, (rows, hit)) in enumerate(zip(parts, found_of, strict=True)):
        indexes = np.array(part)
        found[indexes] = hit
        result[indexes[hit]] = rows[hit]
        sides._note(side, hits=int(hit.sum()), misses=int(len(part) - hit.sum()))
    return result, found


async def _part(
    sides: Sides,
    ask: Ask,
    keys: Sequence[Key],
    indexes: list[int],
    side: int,
    dim: int | None,
    dtype: str,
) -> Found:
    named = [keys[index] for index in indexes]
    found: Found = await ask(sides._sides[side], "get_vectors", named, dim=dim, dtype=dtype)
    return found


def _width_of_first_hit(parts: list[list[int]], found_of: list[Found]) -> int:
    firsts = [
        (part[int(hit.argmax())], rows.shape[1])
        for part, (rows, hit) in zip(parts, found_of, strict=True)
        if hit.any()
    ]
    return min(firsts)[1] if firsts else 0


def _checked(out: Any, count: int, dim: int | None, dtype: str) -> int | None:
    """The width that is asked for. Raises for an `out` that a Cache would refuse."""
    if out is None:
        return dim
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out={shown(out)} of type {type(out).__name__}: allowed is an array")
    width = out.shape[1] if out.ndim == 2 and dim is None else dim
    if out.shape != (count, width) or out.dtype != dtype or not out.flags.carray:
        raise ValueError(
            f"out of shape {out.shape} and dtype {out.dtype}: allowed is a writeable, C-contiguous"
            f" array of shape ({count}, {'d' if dim is None else dim}) and dtype {dtype}"
        )
    return width


async def set_vectors(
    sides: Sides, ask: Ask, keys: Sequence[Key], matrix: Any, named: dict[str, Any]
) -> None:
    parts = sides._split(keys)
    is_matrix = isinstance(matrix, np.ndarray) and matrix.ndim == 2 and len(matrix) == len(keys)
    if not all(parts) or not is_matrix:  # one side checks the arguments
        side = 1 if parts[1] else 0
        if is_matrix:
            await sides._forget(ask, side, list(keys))
        await ask(sides._sides[side], "set_vectors", keys, matrix, **named)
        return
    for side, part in enumerate(parts):
        some = [keys[index] for index in part]
        await sides._forget(ask, side, some)
        await ask(sides._sides[side], "set_vectors", some, matrix[part], **named)
