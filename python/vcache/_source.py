"""Where missing values come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._arguments import Key
from ._filling import Rows

__all__ = ["Source", "aligned"]


@dataclass(frozen=True, slots=True)
class Source:
    """A user's function, how to call it and how to read its results.

    `unpack` takes the result and the keys and returns one value for each key, in order, as a list
    or as the rows of a matrix; it raises ValueError or TypeError for a result that does not fit.
    """

    function: Callable[..., Any]
    arguments: Callable[[list[Key]], tuple[Any, ...]]
    unpack: Callable[[Any, list[Key]], Rows]
    on_computed: Callable[[int, float], None] = lambda count, seconds: None


def aligned(result: Any, keys: list[Key]) -> Rows:
    """Values of `keys` in what the factory of get_or_set_many() returned, in their order."""
    if isinstance(result, Mapping):
        absent = [key for key in keys if key not in result]
        if absent:
            raise ValueError(
                f"factory returned a mapping without {len(absent)} of {len(keys)} keys, the first"
                f" of them {absent[0]!r}: allowed is a mapping with every missing key"
            )
        return [result[key] for key in keys]
    is_array = isinstance(result, np.ndarray) and result.ndim > 0
    is_list = isinstance(result, Sequence) and not isinstance(result, (str, bytes, bytearray))
    if not is_array and not is_list:
        raise TypeError(
            f"factory returned {type(result).__name__}: allowed is a mapping, a sequence or an"
            " array with one row for each key"
        )
    if len(result) != len(keys):
        raise ValueError(
            f"factory returned {len(result)} values for {len(keys)} keys: allowed is one for each"
        )
    rows: Rows = result.tolist() if is_array and result.ndim == 1 else result
    return rows
