"""What is remembered of failures, by many threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vcache._freshness import Backoff


class Meddled(dict[Any, Any]):
    """Another thread writes between two steps of whoever looks at it."""

    def meddle(self) -> None:
        self[len(self)] = float("inf"), None

    def __iter__(self) -> Any:
        steps = super().__iter__()
        self.meddle()
        return steps

    def items(self) -> Any:
        meddle, items = self.meddle, super().items()

        class Items:
            def __iter__(self) -> Any:
                steps = iter(items)
                meddle()
                return steps

        return Items()


def test_failures_are_noted_by_many_threads() -> None:
    backoff, written = Backoff(lambda: 0.0), Meddled()
    meddle: Callable[[], None] = written.meddle

    def once() -> None:
        vars(written)["meddle"] = lambda: None
        meddle()

    vars(written)["meddle"] = once
    backoff._held = written
    backoff.note([b"k"], 1.0)
    assert backoff.holds(b"k")
