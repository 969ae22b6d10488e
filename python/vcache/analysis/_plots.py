"""Plots of what the other functions find. Each draws in `axes`, or in a new figure, and returns it.

What is given as `log` may be what the function of the same name gave, for no log to be read twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from ..durations import Duration
from ..ml import Predicted
from ..stats import Stats
from ._accesses import LogLike, accesses
from ._cells import seconds_of
from ._objects import costs, objects
from ._rates import hit_rates, latencies
from ._reuse import reuse_distances
from ._style import COLORS, PALETTE, bytes_axis, drawn, seconds_axis, share_axis
from ._what_if import what_if

__all__ = [
    "plot_costs",
    "plot_groups",
    "plot_hit_rates",
    "plot_latencies",
    "plot_reliability",
    "plot_reuse",
    "plot_sizes",
    "plot_what_if",
]

Table = npt.NDArray[Any]

_WINDOWS = 60  # of a log, unless one is given
_TIERS = (("memory", "memory"), ("redis", "Redis"))


def plot_hit_rates(
    log: LogLike, *, window: Duration | None = None, axes: Axes | None = None
) -> Axes:
    """The share of look-ups that each tier answered, over time (UTC).

    log: as for accesses(). window: as for hit_rates(); None: a sixtieth of the log. Stretches in
    which nothing was looked up are left blank.
    """
    found = accesses(log)
    seconds = _window(found) if window is None else seconds_of(window)
    rates = _with_gaps(hit_rates(found, window=seconds), seconds)
    times = (rates["time"] * 1e6).astype("datetime64[us]")
    with drawn(axes) as axes:
        below = np.zeros(len(rates))
        for tier, label in _TIERS:
            above = below + rates[f"{tier}_hit_rate"]
            axes.fill_between(
                times, below, above, step="post", color=COLORS[tier], linewidth=0, label=label
            )
            below = above
        axes.set_ylim(0, 1)
        share_axis(axes)
        axes.set_xlabel("time (UTC)")
        axes.set_ylabel("share of look-ups")
        axes.set_title("Hit rate by tier over time")
        _time_axis(axes)
        axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0.6, 1.0), borderaxespad=0.2)
    return axes


def _window(found: Table) -> float:
    span = float(found["time"][-1] - found["time"][0]) if len(found) else 0.0
    return max(span / _WINDOWS, 0.001)


def _with_gaps(rates: Table, seconds: float) -> Table:
    """With a row of NaN where stretches are missing, and the end of the last one."""
    if not len(rates):
        return rates
    ends = rates["time"] + seconds
    is_gap = np.append(rates["time"][1:] > ends[:-1] + seconds / 2, False)
    blank = rates[is_gap].copy()
    blank["time"] = ends[is_gap]
    for name in ("hit_rate", "memory_hit_rate", "redis_hit_rate"):
        blank[name] = np.nan
    last = rates[-1:].copy()
    last["time"] = ends[-1:]
    every = np.concatenate([rates, blank, last])
    return every[np.argsort(every["time"], kind="stable")]


def _time_axis(axes: Axes) -> None:
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def plot_groups(log: LogLike | Stats, *, most: int = 12, axes: Axes | None = None) -> Axes:
    """Where the look-ups of the `most` busiest key groups were answered, and how many there were.

    log: as for hit_rates(), or what that gave with by="group".
    """
    given = _table(log, "hit_rate")
    rates = (hit_rates(log, by="group") if given is None else given)[:most]
    names = [f"{row['group']}  ({row['requests']:,})" for row in rates]
    with drawn(axes) as axes:
        left: npt.NDArray[np.float64] = np.zeros(len(rates))
        for tier, label in (*_TIERS, ("miss", "miss")):
            share = 1 - left if tier == "miss" else rates[f"{tier}_hit_rate"]
            bars = axes.barh(names, share, left=left, color=COLORS[tier], label=label)
            texts = [f"{value:.0%}" if value >= 0.06 else "" for value in share]
            color = "white" if tier == "memory" else "#222222"
            axes.bar_label(bars, texts, label_type="center", color=color)
            left = left + share
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.grid(visible=False)
        share_axis(axes, "x")
        axes.set_xlabel("share of look-ups")
        axes.set_ylabel("key group (look-ups)")
        axes.set_title("Where look-ups were answered", pad=22)
        axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0)
    return axes


def plot_latencies(stats: Stats, *, axes: Axes | None = None) -> Axes:
    """How long calls took, by operation and tier: 50, 95 and 99 in 100 took no longer."""
    found = latencies(stats)
    names = [f"{row['operation']}, {row['tier']}" for row in found]
    with drawn(axes) as axes:
        axes.hlines(names, found["p50"], found["p99"], color="#BBBBBB", linewidth=2, zorder=1)
        for name, color, marker in zip(("p50", "p95", "p99"), PALETTE, "osD", strict=False):
            axes.scatter(found[name], names, color=color, marker=marker, label=name, zorder=2)
        axes.invert_yaxis()
        axes.margins(y=0.15)
        if len(found):
            seconds_axis(axes)
        axes.set_xlabel("time of one call")
        axes.set_ylabel("operation, tier")
        axes.set_title("Latency")
        axes.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1.0), borderaxespad=0)
    return axes


def plot_reuse(log: LogLike, *, axes: Axes | None = None) -> Axes:
    """The share of look-ups whose key came again with fewer other keys between: what LRU would hit.

    log: as for accesses(), or what reuse_distances() gave.
    """
    given = log if isinstance(log, np.ndarray) and log.dtype.kind == "i" else reuse_distances(log)
    again = np.sort(given[given >= 0])
    share = np.arange(1, len(again) + 1) / max(len(given), 1)
    with drawn(axes) as axes:
        axes.step(again + 1, share, where="post", color=COLORS["memory"])
        axes.set_xscale("log")
        axes.set_ylim(0, 1)
        share_axis(axes)
        axes.set_xlabel("entries of a cache under LRU")
        axes.set_ylabel("share of look-ups that hit")
        axes.set_title("Reuse distance")
    return axes


def plot_sizes(log: LogLike, *, most: int = 6, axes: Axes | None = None) -> Axes:
    """How many distinct objects are how large, by key group; the others beyond `most` are one.

    log: as for accesses(), or what objects() gave.
    """
    given = _table(log, "first")
    found = objects(log) if given is None else given
    known = found[found["size"] > 0]
    names, places = np.unique(known["group"], return_inverse=True)
    order = np.argsort(-np.bincount(places, minlength=len(names)), kind="stable")
    groups = [known["size"][places == place] for place in order]
    labels = [str(names[place]) for place in order[:most]]
    if len(groups) > most:
        groups = [*groups[:most], np.concatenate(groups[most:])]
        labels.append("others")
    with drawn(axes) as axes:
        if groups:
            edges = np.geomspace(known["size"].min() * 0.9, known["size"].max() * 1.1, 41).tolist()
            axes.hist(groups, edges, stacked=True, color=PALETTE[: len(groups)], label=labels)
            bytes_axis(axes)
            axes.legend(title="key group")
        axes.set_xlabel("size in memory")
        axes.set_ylabel("distinct objects")
        axes.set_title("Size of objects")
    return axes


def plot_costs(
    log: LogLike, *, unit: str = "seconds", most: int = 12, axes: Axes | None = None
) -> Axes:
    """What was saved and what was spent, for the `most` busiest key groups.

    log: as for accesses(), or what costs() gave. unit: of the costs, for the label.
    """
    given = _table(log, "cost_saved")
    found = (costs(log) if given is None else given)[:most]
    with drawn(axes) as axes:
        saved, spent = found["cost_saved"], found["cost_spent"]
        axes.barh(found["group"], saved, color=COLORS["memory"], label="saved by the cache")
        bars = axes.barh(found["group"], spent, left=saved, color=COLORS["miss"], label="spent")
        shares = saved / np.maximum(saved + spent, 1e-300)
        axes.bar_label(bars, [f"{share:.0%} saved" for share in shares], padding=3)
        axes.margins(x=0.15)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"cost of misses ({unit})")
        axes.set_ylabel("key group")
        unknown = int(found["unknown"].sum())
        told = f" ({unknown:,} more are of unknown cost)" if unknown else ""
        axes.set_title(f"What the look-ups cost{told}", pad=22)
        axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0)
    return axes


def plot_what_if(found: LogLike, *, unit: str = "bytes", axes: Axes | None = None) -> Axes:
    """The miss ratio of each policy over sizes.

    found: what what_if() gave, or a log for it. unit: of the sizes, "bytes" or "entries".
    """
    given = _table(found, "miss_ratio")
    rows = what_if(found, unit=_unit(unit)) if given is None else given
    policies = list(dict.fromkeys(rows["policy"].tolist()))
    with drawn(axes) as axes:
        colors = iter(PALETTE * (1 + len(policies) // len(PALETTE)))
        for policy in policies:
            of = rows[rows["policy"] == policy]
            is_bound = policy == "belady"
            color = COLORS["belady"] if is_bound else next(colors)
            style = ":" if is_bound else "-"
            label = "belady (knows the future)" if is_bound else policy
            axes.plot(of["capacity"], of["miss_ratio"], style, marker="o", color=color, label=label)
        if _unit(unit) == "bytes":
            bytes_axis(axes)
        else:
            axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        share_axis(axes)
        axes.set_xlabel(f"size of the cache ({unit})")
        axes.set_ylabel("share of look-ups missed")
        axes.set_title("Misses by policy and size")
        axes.legend()
    return axes


def plot_reliability(results: Sequence[Predicted], *, axes: Axes | None = None) -> Axes:
    """What a model predicted against what came true, of a Report of vcache.ml its `predicted`.

    Points on the dotted line are right; their areas are the shares of the predictions.
    """
    from ..ml._plot import draw_reliability

    with drawn(axes) as axes:
        draw_reliability(axes, results)
        axes.set_xlabel("predicted probability")
        axes.set_ylabel("share that was read")
        axes.set_title("Reliability of P(read)")
    return axes


def _table(given: object, field: str) -> Table | None:
    """What was given, if it is an array with that field."""
    is_one = isinstance(given, np.ndarray) and field in (given.dtype.names or ())
    return cast("Table", given) if is_one else None


def _unit(unit: str) -> Any:
    if unit not in ("bytes", "entries"):
        raise ValueError(f"unit={unit!r}: allowed are 'bytes' and 'entries'")
    return unit
