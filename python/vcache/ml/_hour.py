"""How right P(a key is read within the next hour) is, over a trace that carries times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..sim._trace import Trace

__all__ = ["HOUR", "Bin", "Predicted", "nanoseconds", "predicted", "span_of"]

HOUR = 3600.0
_BINS = 10
_MOST = 2.0**62


@dataclass(frozen=True)
class Bin:
    """Predictions of a tenth of [0, 1]: how many, their mean, and the share that came true."""

    samples: int
    predicted: float
    read: float


@dataclass(frozen=True)
class Predicted:
    """How right a cache of one size was about what is read within `seconds`, over one trace.

    seconds: an hour, or a quarter of a trace of less than two, to the span of which the same
        calibration is then applied.
    samples: predictions whose span was over before the trace was; without any the rest is None.
        Half are of the key just read, half of one that was read earlier within the span; all of
        keys that the cache remembers.
    base_rate: the share of them that were read.
    accuracy: the share of which it was right, where p >= 0.5 says that they are read.
    brier: mean of (p - outcome)**2; base_brier: that of always saying the base rate.
    calibration_error: mean over ten bins of p of |mean p - share read|, by the bins' samples.
    bins: those that are not empty, from the least p up.
    """

    trace: str
    size: str
    seconds: float
    samples: int
    base_rate: float | None = None
    accuracy: float | None = None
    brier: float | None = None
    base_brier: float | None = None
    calibration_error: float | None = None
    bins: tuple[Bin, ...] = ()


def nanoseconds(trace: Trace) -> npt.NDArray[np.int64] | None:
    """Times since the first request, as a replay takes them; None where the trace has none."""
    if trace.times is None:
        return None
    since = (trace.times - trace.times[0]) * 1e9
    whole: npt.NDArray[np.int64] = np.clip(since, -_MOST, _MOST).astype(np.int64)
    return whole


def span_of(trace: Trace) -> float:
    """The seconds that predictions over the trace are for."""
    if trace.times is None:
        return HOUR
    length = float(trace.times.max() - trace.times.min())
    return HOUR if length >= 2 * HOUR or length <= 0 else length / 4


def predicted(
    trace: str,
    size: str,
    seconds: float,
    chances: npt.NDArray[np.float64],
    are_read: npt.NDArray[np.bool_],
) -> Predicted:
    """The figures of predictions and what became of them."""
    if not len(chances):
        return Predicted(trace, size, seconds, 0)
    outcomes = are_read.astype(np.float64)
    places = np.minimum((chances * _BINS).astype(np.intp), _BINS - 1)
    counts = np.bincount(places, minlength=_BINS)
    sums = np.bincount(places, chances, _BINS)
    reads = np.bincount(places, outcomes, _BINS)
    base = float(outcomes.mean())
    return Predicted(
        trace,
        size,
        seconds,
        len(chances),
        base_rate=base,
        accuracy=float(((chances >= 0.5) == are_read).mean()),
        brier=float(((chances - outcomes) ** 2).mean()),
        base_brier=base * (1 - base),
        calibration_error=float(np.abs(sums - reads).sum() / len(chances)),
        bins=tuple(
            Bin(int(n), float(p / n), float(y / n))
            for n, p, y in zip(counts, sums, reads, strict=True)
            if n
        ),
    )
