"""The result of the demo as one picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .pipeline import Source
from .report import PERCENTILES, Summary, duration, served

COLORS = {"no cache": "#b3423a", "computed": "#b3423a", "memory": "#2b6cb0", "redis": "#dd8a2c"}
SERVED_COLORS = {"no cache": "#b3423a", "from memory": "#2b6cb0", "from Redis": "#dd8a2c"}
SOURCES: tuple[Source, ...] = ("memory", "redis", "computed")
SOURCE_LABELS = {"memory": "memory", "redis": "Redis", "computed": "computed"}
WIDTH, HEIGHT, DPI = 11.0, 3.8, 100


def write_figure(summary: Summary, path: Path) -> None:
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        latency, tiers, wall = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
        _draw_latency(latency, summary)
        _draw_tiers(tiers, summary)
        _draw_wall(wall, summary)
        figure.suptitle(
            f"{len(summary.cold.seconds):,} questions over {summary.passages:,} passages",
            fontweight="bold",
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI)


def _draw_latency(axes: Axes, summary: Summary) -> None:
    groups = served(summary)
    width = 0.8 / len(groups)
    for place, (name, seconds) in enumerate(groups.items()):
        values = np.percentile(seconds, PERCENTILES)
        x = np.arange(len(PERCENTILES)) + (place - (len(groups) - 1) / 2) * width
        bars = axes.bar(x, values, width * 0.92, label=name, color=SERVED_COLORS[name])
        axes.bar_label(bars, [duration(value) for value in values], fontsize=7, padding=2)
    axes.set_yscale("log")
    axes.set_ylim(top=axes.get_ylim()[1] * 12)
    axes.set_xticks(range(len(PERCENTILES)), [f"p{p}" for p in PERCENTILES])
    axes.set_ylabel("seconds (log)")
    axes.set_title("Latency of one answer")
    axes.legend(frameon=False, ncols=len(groups), loc="upper center", fontsize=8)


def _draw_tiers(axes: Axes, summary: Summary) -> None:
    names = [run.name for run in summary.cached]
    left = np.zeros(len(names))
    for source in SOURCES:
        shares = np.array([run.share(source) for run in summary.cached])
        bars = axes.barh(
            names, shares, left=left, color=COLORS[source], label=SOURCE_LABELS[source]
        )
        axes.bar_label(
            bars,
            [f"{share:.0%}" if share >= 0.05 else "" for share in shares],
            label_type="center",
            color="white",
        )
        left += shares
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.set_title("Where the answers came from")
    axes.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.08), fontsize=8)


def _draw_wall(axes: Axes, summary: Summary) -> None:
    runs = [summary.cold, *summary.cached]
    bars = axes.barh(
        [run.name for run in runs],
        [run.wall for run in runs],
        color=[COLORS["no cache"]] + ["#2b6cb0"] * len(summary.cached),
    )
    labels = [f"{duration(run.wall)}  ({summary.cold.wall / run.wall:.1f}x)" for run in runs]
    labels[0] = duration(summary.cold.wall)
    axes.bar_label(bars, labels, padding=3)
    axes.set_xlim(right=summary.cold.wall * 1.3)
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.set_title("Wall time of the whole stream")
