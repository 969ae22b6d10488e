"""A migration over one cache in memory, and jobs of it that a test waits for."""

from __future__ import annotations

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
        progress = job.wait(DEADLINE)
        assert progress.state != "running"
        return progress

    def close(self) -> None:
        job = self.migration._job
        if job is not None:
            job.cancel()
            job.wait(DEADLINE)
        self.cache.close()
