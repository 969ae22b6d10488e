from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from vcache.demo.figure import write_figure
from vcache.demo.pipeline import Run, Source, Work
from vcache.demo.report import Summary, duration, show


def run(name: str, sources: list[Source], seconds: list[float], computed: int) -> Run:
    return Run(name, np.array(seconds), sources, [[] for _ in sources], Work(computed, computed))


@pytest.fixture
def summary() -> Summary:
    cold = run("no cache", ["computed"] * 4, [0.010] * 4, 4)
    memory = run("memory", ["computed", "memory", "memory", "memory"], [0.010, 1e-5, 1e-5, 3e-5], 1)
    second = run(
        "second process", ["redis", "memory", "memory", "memory"], [2e-4, 1e-5, 1e-5, 1e-5], 0
    )
    return Summary(5, 1, 0.02, 1.0, cold, [memory, second], corpus_seconds_again=0.01)


def shown(summary: Summary) -> str:
    """What is printed on a terminal of 80 columns."""
    console = Console(file=StringIO(), width=80, record=True)
    show(summary, console)
    return console.export_text()


def test_ratios(summary: Summary) -> None:
    ratios = summary.ratios()
    assert ratios["memory_p50"] == pytest.approx(1000)
    assert ratios["redis_p50"] == pytest.approx(50)
    assert ratios["stream"] == pytest.approx(0.040 / 0.01005)


def test_a_tier_that_served_nothing_has_no_ratio(summary: Summary) -> None:
    summary.cached.pop()
    assert set(summary.ratios()) == {"memory_p50", "stream"}


def test_figures(summary: Summary) -> None:
    memory = summary.as_dict()["runs"][1]
    assert memory["embeddings_saved"] == 3
    assert memory["share"] == {"memory": 0.75, "redis": 0.0, "computed": 0.25}
    assert memory["latency"]["memory"]["count"] == 3
    assert memory["seconds_saved"] == pytest.approx(0.040 - 0.01005)


def test_the_table_fits_a_terminal_and_says_equal(summary: Summary) -> None:
    said = shown(summary)
    assert "1,000x" in said
    assert "8 answers through vcache equal the uncached ones to the bit" in said
    assert "embeddings saved" in said


def test_a_difference_is_shown(summary: Summary) -> None:
    summary.differing["memory"] = [2, 3]
    said = shown(summary)
    assert not summary.equal
    assert "memory: 2 answers differ, first at question 2" in said
    assert "equal the uncached" not in said


def test_the_picture_is_a_small_png(summary: Summary, tmp_path: Path) -> None:
    path = tmp_path / "new" / "demo.png"
    write_figure(summary, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < 150_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(12.34, "12.3 s"), (0.0123, "12.3 ms"), (1.5e-5, "15 µs"), (4.2e-8, "42 ns"), (0.0, "-")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words
