"""How far a difference of miss ratios can be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from ._crossover import SPLITS, Counts

__all__ = ["BLOCKS", "LEAST_REQUESTS", "Estimate", "estimate"]

BLOCKS = 12
LEAST_REQUESTS = 1_200
_NORMAL = 1.959964  # quantile of the normal distribution, for 95 %

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """The shares that two policies missed, their difference, and where that is with a confidence of
    95 %. relative: the difference in terms of the second share. None: not known.
    """

    miss_ratio: float | None = None
    against_miss_ratio: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    relative: float | None = None


def estimate(counts: Counts) -> Estimate:
    """Nothing is known where the requests are too few, or cost nothing.

    The difference is the mean over SPLITS halvings of the keys, in each of which both policies had
    both halves: which half is the more popular one cancels out. Its variance is the sum of two:

    - over time: batch means, here of BLOCKS blocks of as many requests (Schmeiser, "Batch Size
      Effects in the Analysis of Simulation Output", Operations Research 30, 1982), of a ratio of
      sums, with the covariance of neighbouring blocks where that is positive, since what is asked
      for changes slowly;
    - over the halvings and the policies' own chance, which last as long as a cache does and so show
      in no block: the variance between the halvings, over SPLITS.

    The quantile is Student's t, at the degrees of freedom by Satterthwaite, "An Approximate
    Distribution of Estimates of Variance Components", Biometrics Bulletin 2, 1946.
    """
    whole = float(counts.weights.sum())
    if counts.requests.sum() < LEAST_REQUESTS or len(counts.requests) < BLOCKS or whole <= 0:
        return Estimate()
    of_arms = counts.missed.sum(axis=2)  # (n, splits, policies)
    differences = of_arms[:, :, 0] - of_arms[:, :, 1]  # (n, splits)
    by_split = differences.sum(axis=0) / whole
    over_time = _variance_over_time(counts, differences.mean(axis=1))
    between = float(by_split.var(ddof=1)) / SPLITS
    difference = float(by_split.mean())
    margin = _quantile(over_time, between) * sqrt(over_time + between)
    first, second = (of_arms.sum(axis=0).mean(axis=0) / whole).tolist()
    return Estimate(
        first,
        second,
        difference,
        difference - margin,
        difference + margin,
        difference / second if second else None,
    )


def _variance_over_time(counts: Counts, differences: Floats) -> float:
    ends = np.cumsum(counts.requests)
    middles = ends - counts.requests / 2
    block = np.minimum((BLOCKS * middles / ends[-1]).astype(np.intp), BLOCKS - 1)
    missed = np.bincount(block, differences, BLOCKS)
    weights = np.bincount(block, counts.weights, BLOCKS)
    rest = missed - missed.sum() / weights.sum() * weights
    squares = float(rest @ rest) + max(0.0, 2 * float(rest[1:] @ rest[:-1]))
    return squares * BLOCKS / (BLOCKS - 1) / float(weights.sum()) ** 2


def _quantile(over_time: float, between: float) -> float:
    """Of Student's t, for 95 %: Fisher and Cornish's series, within 1 % from 3 degrees on."""
    parts = over_time**2 / (BLOCKS - 1) + between**2 / (SPLITS - 1)
    if parts == 0:
        return _NORMAL
    degrees, z = (over_time + between) ** 2 / parts, _NORMAL
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    )
