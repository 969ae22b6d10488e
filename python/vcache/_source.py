"""Where missing values come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._arguments import Key, callable_argument
from ._filling import Rows, Storing

__all__ = ["Source", "aligned", "batch_source", "single_source"]


@dataclass(frozen=True, slots=True)
class Source:
    """A user's function, how to call it and how to read its results.

    `unpack` takes the result and the keys and returns one value for each key, in order, as a list
    or as the rows of a matrix; it raises ValueError or TypeError for a result that does not fit.
    `amend` takes the result and says what it changes in how it is stored.
    """

    function: Callable[..., Any]
    arguments: Callable[[list[Key]], tuple[Any, ...]]
    unpack: Callable[[Any, list[Key]], Rows]
    on_computed: Callable[[int, float], None] = lambda count, seconds: None
    amend: Callable[[Any, Storing], Storing] = lambda result, storing: storing


def single_source(factory: Callable[[], Any]) -> Source:
    return Source(
        function=callable_argument(factory, "factory"),
        arguments=lambda _: (),
        unpack=lambda result, _: [result],
    )


def batch_source(factory: Callable[[list[Key]], Any]) -> Source:
    return Source(
        function=callable_argument(factory, "factory"),
        arguments=lambda keys: (list(keys),),
        unpack=aligned,
    )


def aligned(result: Any, keys: Sequence[Any], what: str = "factory") -> Rows:
    """Values of `keys` in what `what` returned, such as that of get_or_set_many(), in their order.

    Raises ValueError for another number of them, and TypeError for what holds none.
    """
    if isinstance(result, Mapping):
        absent = [key for key in keys if key not in result]
        if absent:
            raise ValueError(
                f"{what} returned a mapping without {len(absent)} of {len(keys)} keys, the first"
                f" of them {absent[0]!r}: allowed is a mapping with every missing key"
            )
        return [result[key] for key in keys]
    is_array = isinstance(result, np.ndarray) and result.ndim > 0
    is_list = isinstance(result, Sequence) and not isinstance(result, (str, bytes, bytearray))
    if not is_array and not is_list:
        raise TypeError(
            f"{what} returned {type(result).__name__}: allowed is a mapping, a sequence or an"
            " array with one row for each key"
        )
    if len(result) != len(keys):
        raise ValueError(
            f"{what} returned {len(result)} values for {len(keys)} keys: allowed is one for each"
        )
    rows: Rows = result.tolist() if is_array and result.ndim == 1 else result
    return rows
