"""Miss ratios over sizes as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ._replay import Result

__all__ = ["write_plot"]

_WIDTH, _HEIGHT, _DPI = 6.0, 4.0, 120  # inches a trace


def write_plot(results: Sequence[tuple[str, Result]], path: Path) -> None:
    """One picture a trace, side by side, with a line a policy."""
    names = list(dict.fromkeys(name for name, _ in results))
    figure = Figure(figsize=(_WIDTH * len(names), _HEIGHT), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        lines: dict[str, list[tuple[int, float]]] = {}
        for of, result in results:
            if of == name:
                point = (result.capacity, result.miss_ratio)
                lines.setdefault(result.policy, []).append(point)
        for policy, points in lines.items():
            sizes, ratios = zip(*sorted(points), strict=True)
            axes.plot(sizes, ratios, ":" if policy == "belady" else "-", marker=".", label=policy)
        axes.set_xscale("log")
        axes.set_xlabel(results[0][1].unit)
        axes.set_ylabel("miss ratio")
        axes.set_title(name)
        axes.legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DPI)
