"""Arrays and records as pandas DataFrames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._messages import shown
from ..stats import Stats
from ._accesses import FIELDS, LogLike, accesses

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["frame"]

_NO_PANDAS = "frame() needs pandas: pip install 'vcache[analysis]'"
_TIMES = ("time", "first", "last")


def frame(source: LogLike | Stats | Sequence[Stats]) -> pd.DataFrame:
    """A DataFrame of look-ups, of Stats, or of what the other functions here give.

    source: a path, a Cache or an array of look-ups, as for accesses(): a row for each, with the
        columns time (UTC), key (uint64), group (category), tier (category of "memory", "redis" and
        "miss"), size (uint32, bytes), cost (float32) and hit (bool).
        Stats, or a sequence of them: a row for each, with a column for each of its numbers.
        Any other structured array: its fields as columns; times, in seconds since the epoch, become
        UTC timestamps, of a resolution of microseconds.

    Raises ImportError without pandas, and TypeError for anything else.
    """
    pandas = _pandas()
    if isinstance(source, Stats):
        source = [source]
    if isinstance(source, Sequence) and not isinstance(source, (str, bytes)):
        return pandas.DataFrame([_numbers(stats) for stats in source])
    if isinstance(source, np.ndarray) and not set(FIELDS) <= set(source.dtype.names or FIELDS):
        return _of_table(pandas, source)
    found = accesses(source)
    tiers = np.where(found["tier"] == "", "miss", found["tier"])
    columns: dict[str, Any] = {name: found[name] for name in FIELDS}
    columns["time"] = _timestamps(pandas, found["time"])
    columns["group"] = pandas.Categorical(found["group"])
    columns["tier"] = pandas.Categorical(tiers, ["memory", "redis", "miss"])
    return pandas.DataFrame(columns | {"hit": found["tier"] != ""})


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError(_NO_PANDAS, name="pandas") from error
    return pandas


def _numbers(stats: object) -> dict[str, int | float]:
    if not isinstance(stats, Stats):
        raise TypeError(
            f"source holds {shown(stats)} of type {type(stats).__name__}: allowed are Stats"
        )
    values = {field.name: getattr(stats, field.name) for field in fields(stats)}
    return {name: value for name, value in values.items() if isinstance(value, (int, float))}


def _of_table(pandas: Any, source: npt.NDArray[Any]) -> pd.DataFrame:
    if source.ndim != 1:
        raise TypeError(f"source of shape {source.shape}: allowed is one dimension")
    names = source.dtype.names or ()
    columns: dict[str, Any] = {name: source[name] for name in names}
    for name in _TIMES:
        if name in columns:
            columns[name] = _timestamps(pandas, columns[name])
    return pandas.DataFrame(columns)


def _timestamps(pandas: Any, seconds: npt.NDArray[np.float64]) -> Any:
    whole = np.round(seconds * 1e6).astype("i8").astype("datetime64[us]")
    return pandas.DatetimeIndex(whole, tz="UTC")
