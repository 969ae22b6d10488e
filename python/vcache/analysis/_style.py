"""How plots look: a light ground, few lines, and colours that the colour-blind tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

__all__ = ["COLORS", "PALETTE", "bytes_axis", "drawn", "seconds_axis", "share_axis"]

# Okabe, Ito, "Color Universal Design", 2008.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
COLORS = {"memory": "#0072B2", "redis": "#E69F00", "miss": "#BBBBBB", "belady": "#666666"}
_STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": "#666666",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "axes.prop_cycle": cycler(color=PALETTE),
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.8,
    "font.size": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "text.color": "#222222",
}
_INCHES, _DPI = (7.0, 3.6), 100
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@contextmanager
def drawn(axes: Axes | None) -> Iterator[Axes]:
    """The axes to draw in: those given, or of a new figure of pyplot."""
    before = {name: mpl.rcParams[name] for name in _STYLE}
    mpl.rcParams.update(_STYLE)  # no rc_context(): what a backend sets at its first use is to stay
    try:
        if axes is None:
            _, axes = pyplot.subplots(figsize=_INCHES, dpi=_DPI, layout="constrained")
        yield axes
    finally:
        mpl.rcParams.update(before)


def share_axis(axes: Axes, which: str = "y") -> None:
    """The axis shows shares of 0 to 1 as percent."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_formatter(PercentFormatter(1.0))


def bytes_axis(axes: Axes) -> None:
    """The horizontal axis shows bytes in units that are read at a glance; it is logarithmic."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _bytes(value)))


def seconds_axis(axes: Axes) -> None:
    """The same for seconds."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _seconds(value)))


def _bytes(value: float) -> str:
    power = 0
    while value >= 1024 and power < len(_BYTES) - 1:
        value, power = value / 1024, power + 1
    return f"{value:.3g} {_BYTES[power]}"


def _seconds(value: float) -> str:
    scale, unit = next((each for each in _SECONDS if value >= each[0] * 0.999), _SECONDS[-1])
    return f"{value / scale:.3g} {unit}"
