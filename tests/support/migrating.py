"""A migration over one cache in memory, and jobs of it that a test waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from clocked import ClockedCache
from sync_points import DEADLINE
from two_models import NEW, OLD, Model, embeddings

from vcache.migration import Migration, Progress

TEXTS = [f"text {number}" for number in range(40)]


class Two:
    """Both models over one cache."""

    def __init__(self, **options: Any) -> None:
        self.cache = ClockedCache(ttl=None, memory_ttl=None)
        self.old_model, self.new_model = Model(OLD), Model(NEW)
        self.old = embeddings(self.cache, self.old_model, "old")
        self.new = embeddings(self.cache, self.new_model, "new")
        self.migration = self.join(**options)

    def join(self, **options: Any) -> Migration:
        """One more process would have one like it."""
        return Migration(self.old, self.new, **({"check_every": None} | options))

    def run(self, texts: Any = TEXTS, **options: Any) -> Progress:
        job = self.migration.start(texts, **({"retries": 0} | options))
        with suppress(LookupError, TypeError):  # which the progress names
            job.wait(DEADLINE)
        assert job.done
        return job.progress

    def close(self) -> None:
        job = self.migration._job
        if job is not None:
            job.cancel()
            with suppress(LookupError, TypeError):
                job.wait(DEADLINE)
        self.cache.close()


Make = Callable[..., Two]


@contextmanager
def made() -> Iterator[Make]:
    """Makes them, and closes them at its end."""
    with ExitStack() as stack:

        def two(**options: Any) -> Two:
            each = Two(**options)
            stack.callback(each.close)
            return each

        yield two
