from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import least_user
import pytest
from chaos_proxy import ChaosProxy
from polling import wait_until
from redis_server import RedisServer, is_installed

from vcache import Cache

DEADLINE = 20.0  # seconds that a server may take to be noticed

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def redis_user() -> str:
    """Whom the URLs of the server name: the default user or the least user."""
    return "default"


@pytest.fixture
def redis_server(tmp_path: Path, redis_user: str) -> Iterator[RedisServer]:
    """A server of this test's own."""
    if not is_installed():
        pytest.skip("redis-server is not installed")
    if redis_user == "least":
        words = least_user.rules(("vcache", "ns", "elsewhere"))
        server = RedisServer(tmp_path, "--user", least_user.NAME, *words)
        server.credentials = f"{least_user.NAME}:{least_user.PASSWORD}@"
    else:
        server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[ChaosProxy]:
    """What spoils the answers of the server, as soon as it is told to."""
    with ChaosProxy(redis_server.port) as started:
        yield started


@pytest.fixture
def make_cache(redis_server: RedisServer) -> Iterator[Callable[..., Cache]]:
    """Makes caches on the server, closed after the test."""
    caches: list[Cache] = []

    def make(**arguments: object) -> Cache:
        defaults: dict[str, object] = {"redis": redis_server.url, "timeout": 5.0, "jitter": 0.0}
        caches.append(Cache(**(defaults | arguments)))  # type: ignore[arg-type]
        return caches[-1]

    yield make
    for cache in caches:
        cache.close()


@pytest.fixture
def eventually() -> Eventually:
    """Polls until a condition holds, and fails after the deadline."""

    def poll(condition: Callable[[], object]) -> None:
        wait_until(condition, DEADLINE)

    return poll
