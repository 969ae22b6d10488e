"""Progress bars of commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

__all__ = ["bar", "bars"]

Told = Callable[[str, float], Any]


@contextmanager
def bar(name: str, total: int) -> Iterator[Callable[[int], Any]]:
    """A progress bar on a terminal, where rich is installed; yields what moves it."""
    with _shown() as progress:
        if progress is None:
            yield lambda done: None
            return
        task = progress.add_task(name, total=total)
        yield lambda done: progress.advance(task, done)


@contextmanager
def bars() -> Iterator[Told]:
    """As bar(), with one for each name; yields what takes a name and the share done, 0 to 1."""
    with _shown() as progress:
        tasks: dict[str, Any] = {}

        def told(name: str, share: float) -> None:
            if progress is not None:
                if name not in tasks:
                    tasks[name] = progress.add_task(name, total=1.0)
                progress.update(tasks[name], completed=share)

        yield told


@contextmanager
def _shown() -> Iterator[Any]:
    """The bars of rich, None where they cannot be shown."""
    if not sys.stderr.isatty() or find_spec("rich") is None:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    columns = Progress.get_default_columns()  # description, bar, share done, time left
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress
