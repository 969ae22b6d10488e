"""R15: what a cache does at each error answer of a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from answering_proxy import AnsweringProxy
from polling import wait_until
from redis_answers import SERVER_ERRORS, ServerError
from redis_figures import breaker, error_kinds
from redis_server import RedisServer

from vcache import MISSING, Cache

MakeCache = Callable[..., Cache]
VECTOR = np.arange(8, dtype="f4")
POOL = 4


@contextmanager
def answering(error: ServerError, server: RedisServer, proxy: AnsweringProxy) -> Iterator[None]:
    if error.make is not None:
        with error.make(server):
            yield
    else:
        proxy.answer = error.answer or proxy.answer
        yield
        proxy.answer = lambda command: None


def use(cache: Cache) -> None:
    """Reads and writes; none raises, and what is found is right."""
    for found in (cache.get("k", MISSING), *cache.mget(["k", "j"], MISSING)):
        assert found is MISSING or np.array_equal(found, VECTOR)
    cache.set("k", VECTOR)
    cache.set_vectors(["k", "j"], np.stack([VECTOR, VECTOR]))
    assert np.array_equal(cache.get_or_set("j", lambda: VECTOR), VECTOR)
    cache.delete("none")


@pytest.mark.parametrize("name", SERVER_ERRORS)
def test_r15_server_errors(redis_server: RedisServer, name: str) -> None:
    """A miss or skipped, counted by kind, with the right effect on the breaker, and no storm."""
    error = SERVER_ERRORS[name]
    with (
        AnsweringProxy(redis_server.port) as proxy,
        Cache(
            redis=f"{proxy.url}?pool_size={POOL}",
            memory=0,
            timeout=0.25,
            jitter=0.0,
        ) as cache,
    ):
        use(cache)
        assert np.array_equal(cache.get("k"), VECTOR)
        assert sum(cache.stats().redis["errors"].values()) == 0  # type: ignore[index]
        with answering(error, redis_server, proxy):
            made, started = proxy.connections, time.monotonic()

            def is_counted() -> bool:
                use(cache)
                return error_kinds(cache)[error.kind] > 0

            wait_until(is_counted, what=f"{error.kind}; {cache.stats().redis}")
            for _ in range(10):
                use(cache)
            if error.opens:
                wait_until(lambda: use(cache) or breaker(cache) != "closed")  # type: ignore[func-returns-value]
            else:
                assert breaker(cache) == "closed"
            most = (POOL + 2) * (1 + 2 * (time.monotonic() - started))  # the link, probes
            assert proxy.connections - made <= most, "a storm of connections"
        if error.is_over:
            wait_until(lambda: use(cache) or np.array_equal(cache.get("k", 0), VECTOR))  # type: ignore[func-returns-value]
        stats = cache.stats()
        assert stats.errors + stats.skipped > 0
        assert stats.hits + stats.misses == stats.requests


def test_r15_all_of_them() -> None:
    assert len(SERVER_ERRORS) == 22
