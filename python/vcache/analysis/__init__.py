"""What a cache did, as arrays, DataFrames and plots: of its Stats and of its access log.

Functions take the path of an access log, a Cache that writes one, or an array of look-ups, and give
structured arrays; frame() makes DataFrames of them, and the plot_... functions draw them.

>>> import vcache
>>> cache = vcache.Cache(access_log="access_patterns.jsonl")  # doctest: +SKIP
>>> frame(hit_rates(cache, by="group"))  # doctest: +SKIP
>>> plot_hit_rates("access_patterns.jsonl", window="5m")  # doctest: +SKIP

pandas and matplotlib are imported with their first use: pip install 'vcache[analysis]'.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._accesses import LogLike, accesses
from ._frame import frame
from ._objects import costs, objects, sizes
from ._rates import hit_rates, latencies
from ._reuse import reuse_distances, reuse_times
from ._what_if import recommend_size, trace, what_if

if TYPE_CHECKING:
    from ._plots import (
        plot_costs,
        plot_groups,
        plot_hit_rates,
        plot_latencies,
        plot_reliability,
        plot_reuse,
        plot_sizes,
        plot_what_if,
    )

__all__ = [
    "LogLike",
    "accesses",
    "costs",
    "frame",
    "hit_rates",
    "latencies",
    "objects",
    "plot_costs",
    "plot_groups",
    "plot_hit_rates",
    "plot_latencies",
    "plot_reliability",
    "plot_reuse",
    "plot_sizes",
    "plot_what_if",
    "recommend_size",
    "reuse_distances",
    "reuse_times",
    "sizes",
    "trace",
    "what_if",
]


def __getattr__(name: str) -> Any:
    if not name.startswith("plot_") or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        plots = import_module("._plots", __name__)
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        raise ImportError(
            f"{name}() needs matplotlib: pip install 'vcache[analysis]'", name="matplotlib"
        ) from error
    return getattr(plots, name)


def __dir__() -> list[str]:
    return list(__all__)
