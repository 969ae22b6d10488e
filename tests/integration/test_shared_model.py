"""Caches on one Redis that fails, in any order: what each may answer, and must in the end."""

from __future__ import annotations

from chaos_proxy import ChaosProxy
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from nightly import examples
from redis_server import RedisServer
from shared_model import SharedModel


def test_caches_that_share_a_redis(redis_server: RedisServer, proxy: ChaosProxy) -> None:
    class Shared(SharedModel):
        server = redis_server

    Shared.proxy = proxy
    limits = settings(
        max_examples=examples(30),
        stateful_step_count=40,
        deadline=None,
        report_multiple_bugs=False,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Shared, settings=limits)
