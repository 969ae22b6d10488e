"""A cache in memory against a plain dict: what it must answer."""

from __future__ import annotations

from typing import Any

import pytest
from cache_model_computed import ComputingModel
from clocked import ClockedCache
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from nightly import examples

from vcache import _core

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "grace": {"grace": 60.0},
    "few": {"max_entries": 4},
    "learned": {"policy": "learned", "memory": "8MiB"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_in_memory(variant: str) -> None:
    arguments = VARIANTS[variant]

    class InMemory(ComputingModel):
        memory_ttl = 301.0
        grace = arguments.get("grace", 0.0)
        evicts = "max_entries" in arguments

        def open(self, clock: _core.ManualClock, namespace: str) -> ClockedCache:
            return ClockedCache(clock, namespace=namespace, memory_ttl=self.memory_ttl, **arguments)

    limits = settings(
        max_examples=examples(100 if variant == "plain" else 30),
        stateful_step_count=40,
        deadline=None,
        report_multiple_bugs=False,
        database=None,
    )
    run_state_machine_as_test(InMemory, settings=limits)
