"""A cache in memory against a plain dict."""

from __future__ import annotations

from cache_model import CacheModel
from clocked import ClockedCache
from hypothesis import settings
from nightly import examples


class InMemory(CacheModel):
    memory_ttl = 301.0

    def open(self) -> ClockedCache:
        return ClockedCache(memory_ttl=self.memory_ttl)


class TestInMemory(InMemory.TestCase):
    settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
