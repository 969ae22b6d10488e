"""What was predicted against what came true, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._hour import Predicted

__all__ = ["draw_reliability", "write_reliability"]

_INCHES, _DPI = 4.5, 120
_LARGEST = 200.0  # of a point, in square points


def draw_reliability(axes: Axes, results: Sequence[Predicted]) -> None:
    """A reliability plot: a line a cache, whose points are as large as their share of samples."""
    axes.plot([0, 1], [0, 1], ":", color="grey")
    for each in results:
        if not each.bins:
            continue
        x = [b.predicted for b in each.bins]
        y = [b.read for b in each.bins]
        label = f"{each.trace} {each.size}, {each.seconds:,.0f} s: {each.calibration_error:.3f}"
        (line,) = axes.plot(x, y, label=label)
        areas = [_LARGEST * b.samples / each.samples for b in each.bins]
        axes.scatter(x, y, areas, color=line.get_color())
    axes.set_xlabel("predicted")
    axes.set_ylabel("read")
    axes.legend(frameon=False, fontsize=8)


def write_reliability(results: Sequence[Predicted], path: Path) -> None:
    """The same as a file."""
    figure = Figure(figsize=(_INCHES, _INCHES), layout="constrained")
    draw_reliability(figure.subplots(), results)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DPI)
