"""The result of the demo as tables for people and as JSON for programs."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .pipeline import Run, Source, differences

TARGETS = {"memory_p50": 100.0, "redis_p50": 20.0, "stream": 4.0}
PERCENTILES = (50, 95, 99)
SOURCE_NAMES: dict[Source, str] = {"memory": "from memory", "redis": "from Redis"}
ROWS: tuple[tuple[str, Callable[[Run, Run], str]], ...] = (
    ("wall time", lambda cold, run: duration(run.wall)),
    ("times faster", lambda cold, run: f"{cold.wall / run.wall:.1f}x"),
    ("answered from memory", lambda cold, run: f"{run.share('memory'):.1%}"),
    ("answered from Redis", lambda cold, run: f"{run.share('redis'):.1%}"),
    ("computed", lambda cold, run: f"{run.share('computed'):.1%}"),
    ("embeddings saved", lambda cold, run: f"{cold.work.embeddings - run.work.embeddings:,}"),
    ("time saved", lambda cold, run: duration(cold.wall - run.wall)),
    ("  per million asked", lambda cold, run: hours(million(run, cold.wall - run.wall))),
    ("USD saved", lambda cold, run: f"{run.dollars_saved:.6f}"),
    ("  per million asked", lambda cold, run: f"{million(run, run.dollars_saved):.2f}"),
)


@dataclass
class Summary:
    """All that was measured: `cold` without a cache, `cached` through vcache."""

    passages: int
    distinct: int
    price: float
    corpus_seconds: float
    cold: Run
    cached: list[Run]
    corpus_seconds_again: float | None = None
    model_loaded_again: bool | None = None
    differing: dict[str, list[int]] = field(default_factory=dict)
    question: str = ""
    answer: str = ""

    def add(self, run: Run) -> None:
        """One more run through vcache; its answers are compared with the uncached ones."""
        self.differing[run.name] = differences(self.cold.answers, run.answers)
        self.cached.append(run)

    @property
    def equal(self) -> bool:
        return not any(self.differing.values())

    def hot(self, source: Source) -> NDArray[np.float64]:
        """Latencies of what one tier served, from the run in which that tier served most."""
        return max((run.latencies(source) for run in self.cached), key=len)

    def ratios(self) -> dict[str, float]:
        """How many times faster than without a cache; a tier that served nothing is left out."""
        cold = float(np.median(self.cold.seconds))
        found = {
            f"{source}_p50": cold / float(np.median(self.hot(source)))
            for source in SOURCE_NAMES
            if len(self.hot(source))
        }
        first_process = [run for run in self.cached if run.share("computed") > 0]
        if first_process:
            found["stream"] = min(self.cold.wall / run.wall for run in first_process)
        return found

    def as_dict(self) -> dict[str, Any]:
        return {
            "passages": self.passages,
            "questions": len(self.cold.seconds),
            "distinct_questions": self.distinct,
            "price_per_million_tokens": self.price,
            "corpus_seconds": self.corpus_seconds,
            "corpus_seconds_again": self.corpus_seconds_again,
            "model_loaded_again": self.model_loaded_again,
            "runs": [self._run_as_dict(run) for run in (self.cold, *self.cached)],
            "ratios": self.ratios(),
            "targets": TARGETS,
            "equal": self.equal,
            "differing": self.differing,
            "machine": {
                "cpu": cpu_name(),
                "python": platform.python_version(),
                "torch": version("torch"),
            },
        }

    def _run_as_dict(self, run: Run) -> dict[str, Any]:
        return {
            "name": run.name,
            "wall_seconds": run.wall,
            "speedup": self.cold.wall / run.wall,
            "share": {source: run.share(source) for source in ("memory", "redis", "computed")},
            "lookup_hit_rate": run.tiers,
            "embeddings_computed": run.work.embeddings,
            "embeddings_saved": self.cold.work.embeddings - run.work.embeddings,
            "searches_computed": run.work.searches,
            "seconds_saved": self.cold.wall - run.wall,
            "dollars_saved": run.dollars_saved,
            "latency": {
                source: percentiles(run.latencies(source))
                for source in ("memory", "redis", "computed")
                if len(run.latencies(source))
            },
        }


def percentiles(seconds: NDArray[np.float64]) -> dict[str, float]:
    found = {
        f"p{p}": float(value)
        for p, value in zip(PERCENTILES, np.percentile(seconds, PERCENTILES), strict=True)
    }
    return {"count": len(seconds), **found}


def show(summary: Summary, console: Console) -> None:
    console.print(f"[bold]Asked most:[/] {escape(summary.question)}")
    console.print(f"[bold]Best answer:[/] {escape(summary.answer)}\n", highlight=False)
    console.print(stream_table(summary))
    console.print(latency_table(summary))
    if summary.corpus_seconds_again is not None:
        console.print(
            f"Passages embedded in {duration(summary.corpus_seconds)}; "
            f"the second process had them from Redis in {duration(summary.corpus_seconds_again)}"
            + ("." if summary.model_loaded_again else " and never loaded the model.")
        )
    console.print(
        f"[dim]USD assumes {summary.price:g} per million tokens (--price); this model is local.[/]"
    )
    answers = sum(len(run.answers) for run in summary.cached)
    if summary.equal:
        console.print(
            f"[green]✓[/] {answers:,} answers through vcache equal the uncached ones to the bit."
        )
    for name, numbers in summary.differing.items():
        if numbers:
            console.print(
                f"[red]✗ {name}: {len(numbers)} answers differ, first at question {numbers[0]}[/]"
            )


def stream_table(summary: Summary) -> Table:
    cold = summary.cold
    asked = f"{len(cold.seconds):,} questions ({summary.distinct:,} distinct)"
    table = Table(title=f"{asked} over {summary.passages:,} passages", title_justify="left")
    table.add_column("")
    for run in (cold, *summary.cached):
        table.add_column(run.name, justify="right")
    for name, cell in ROWS:
        table.add_row(name, *(cell(cold, run) for run in (cold, *summary.cached)))
    return table


def million(run: Run, amount: float) -> float:
    return amount * 1e6 / len(run.seconds)


def latency_table(summary: Summary) -> Table:
    table = Table(title="One answer", title_justify="left")
    table.add_column("served")
    for heading in ("answers", "p50", "p95", "p99", "p50 faster"):
        table.add_column(heading, justify="right")
    cold = float(np.median(summary.cold.seconds))
    for name, seconds in served(summary).items():
        found = np.percentile(seconds, PERCENTILES)
        times = f"{cold / found[0]:,.0f}x" if name in SOURCE_NAMES.values() else "-"
        table.add_row(name, f"{len(seconds):,}", *map(duration, found), times)
    return table


def served(summary: Summary) -> dict[str, NDArray[np.float64]]:
    """Latencies by what served the answer."""
    found = {"no cache": summary.cold.seconds}
    found |= {name: summary.hot(source) for source, name in SOURCE_NAMES.items()}
    return {name: seconds for name, seconds in found.items() if len(seconds)}


def duration(seconds: float) -> str:
    if seconds <= 0:
        return "-"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 0 else "-"


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
