from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import least_user
import pytest
from chaos_proxy import ChaosProxy
from polling import wait_until
from redis_server import MAKES, NO_VALKEY, RedisServer

from vcache import Cache

DEADLINE = 20.0  # seconds that a server may take to be noticed

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def redis_user() -> str:
    """Whom the URLs of the server name: the default user or the least user."""
    return "default"


@pytest.fixture
def server_make() -> str:
    """Whose server it is: one of MAKES."""
    return "redis"


@pytest.fixture
def redis_server(tmp_path: Path, redis_user: str, server_make: str) -> Iterator[RedisServer]:
    """A server of this test's own."""
    executable = MAKES[server_make]
    if executable is None:
        pytest.skip(NO_VALKEY if server_make == "valkey" else "redis-server is not installed")
    options: list[str] = []
    if redis_user == "least":
        words = least_user.rules(("vcache", "ns", "elsewhere"))
        options = ["--user", least_user.NAME, *words]
    server = RedisServer(tmp_path, *options, executable=executable)
    if redis_user == "least":
        server.credentials = f"{least_user.NAME}:{least_user.PASSWORD}@"
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
