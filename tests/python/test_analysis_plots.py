"""Plots say what they show, and are made of anything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from drifting_ids import drifting_ids
from look_ups import look_ups, of_keys

from vcache import Cache
from vcache import analysis as an
from vcache.ml import Bin, Predicted

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")

MANY = look_ups(
    (3.0 * n, n % 50, f"group{n % 20}", ("", "memory", "redis")[n % 3], 64 + n % 50, 0.5)
    for n in range(600)
)
HOUR = [
    Predicted("log", "10%", 3600, 20, calibration_error=0.1, bins=(Bin(5, 0.2, 0.3),)),
    Predicted("log", "30%", 3600, 0),
]


def stats_of_some_calls() -> Any:
    with Cache() as cache:
        cache.set("emb:a", 1)
        cache.mget(["emb:a", "search:b"])
        return cache.stats()


PLOTS: list[Callable[[np.ndarray], Any]] = [
    an.plot_hit_rates,
    an.plot_groups,
    an.plot_reuse,
    an.plot_sizes,
    an.plot_costs,
    lambda log: an.plot_latencies(stats_of_some_calls()),
    lambda log: an.plot_groups(stats_of_some_calls()),
    lambda log: an.plot_reliability(HOUR),
]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("log", [MANY, MANY[:1], MANY[:0]], ids=["many", "one", "none"])
def test_plots_are_drawn_and_labelled(plot: Callable[[np.ndarray], Any], log: np.ndarray) -> None:
    axes = plot(log)
    axes.figure.canvas.draw()
    assert axes.get_title() or axes.get_title("left")
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    assert axes.figure.get_facecolor() == (1, 1, 1, 1)


def test_they_draw_where_they_are_told() -> None:
    figure, (left, right) = pyplot.subplots(1, 2)
    assert an.plot_groups(MANY, axes=left) is left
    assert an.plot_reuse(MANY, axes=right) is right
    assert pyplot.get_fignums() == [figure.number]


def test_what_is_known_already_is_not_found_again() -> None:
    """Of an array that is no log only what it says is drawn."""
    assert an.plot_groups(an.hit_rates(MANY, by="group"), most=3).containers[0].patches
    an.plot_sizes(an.objects(MANY))
    an.plot_costs(an.costs(MANY), unit="USD")
    an.plot_reuse(an.reuse_distances(MANY))
    rows = an.what_if(of_keys(drifting_ids(3_000, seed=1)), ["lru", "belady"], ["1%", "10%"])
    axes = an.plot_what_if(rows)
    assert [line.get_label() for line in axes.lines] == ["lru", "belady (knows the future)"]
    with pytest.raises(ValueError, match="unit='kB'"):
        an.plot_what_if(rows, unit="kB")


def test_the_hit_rate_over_time_is_blank_where_nothing_was_looked_up() -> None:
    log = look_ups((t, 1, "emb", "memory", 1, 0) for t in (0.0, 1.0, 5.0))
    axes = an.plot_hit_rates(log, window=1)
    memory = axes.collections[0]
    assert memory.get_datalim(axes.transData).y1 == 1
    assert len(memory.get_paths()) == 2  # from 0 to 2, and from 5 to 6


def test_the_style_ends_with_the_plot() -> None:
    before = dict(matplotlib.rcParams)
    an.plot_groups(MANY)
    assert dict(matplotlib.rcParams) == before


def test_neither_matplotlib_nor_pandas_is_imported_before_its_use() -> None:
    code = (
        "import sys, vcache.analysis as an\n"
        "print(sorted({'matplotlib', 'pandas', 'torch'} & set(sys.modules)))\n"
        "sys.modules['matplotlib'] = None\n"
        "try: an.plot_sizes\n"
        "except ImportError as error: print(error)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [
        "[]",
        "plot_sizes() needs matplotlib: pip install 'vcache[analysis]'",
    ]
