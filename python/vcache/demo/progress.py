"""What the user sees meanwhile: a bar for the stage under way, a line for each one done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Stages:
    """Draws only when told to: a refreshing thread would disturb the latencies being measured."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Yields the callback that moves the bar; leaves a line with the time taken."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        start = time.perf_counter()
        with Progress(
            *columns,
            console=self.console,
            transient=True,
            auto_refresh=False,
            disable=not self.console.is_terminal,
        ) as progress:
            task = progress.add_task(title, total=total)

            def advance(done: int) -> None:
                progress.update(task, completed=done, refresh=True)

            advance(0)
            yield advance
        self.console.print(f"  [green]✓[/] {title} [dim]{time.perf_counter() - start:.1f} s[/]")
