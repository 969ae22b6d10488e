"""What other caches got wrong, over a Redis."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
from chaos_proxy import ChaosProxy
from polling import wait_until
from redis_answers import SERVER_ERRORS
from redis_figures import figure
from redis_server import RedisServer
from running import Talking
from similar_searches import FIRST, ONE_QUESTION, OTHER_QUESTIONS, turned, who_answers

from vcache import Cache, EmbeddingCache

MakeCache = Callable[..., Cache]
VECTOR = np.arange(8, dtype="f4")

# Stores batches all the time, in each way there is, and says when it has begun.
WRITER = """
import sys
import numpy as np
from vcache import Cache, EmbeddingCache

cache = Cache(redis=sys.argv[1], memory=0, timeout=5)
embeddings = EmbeddingCache(lambda texts: np.ones((len(texts), 8)), model="m", cache=cache, ttl=60)
print("ready", flush=True)
for turn in range(10**9):
    keys = [f"{turn}:{number}" for number in range(50)]
    cache.mset(dict.fromkeys(keys, "v"), ttl=60)
    cache.set_vectors([f"v{key}" for key in keys], np.ones((50, 8), "f4"), ttl=60)
    cache.get_or_set_many([f"m{key}" for key in keys], lambda keys: keys, ttl=60)
    cache.get_or_set(f"t{turn}", lambda: 1, ttl=60, tags=["t"])
    embeddings.embed(keys)
"""


class Writer(Talking):
    def __init__(self, url: str) -> None:
        self._url = url

    def start(self) -> None:
        self.spawn([sys.executable, "-c", WRITER, self._url])
        assert self.hear() == "ready"


def without_time_to_live(server: RedisServer) -> set[bytes]:
    """All such keys but the two counters that a namespace has."""
    with server.client() as connection:
        lasting = {key for key in connection.scan_iter(count=1000) if connection.pttl(key) < 0}
    return lasting - {b"vcache!gen", b"vcache!stamp"}


def test_every_key_of_a_batch_has_a_time_to_live_also_after_a_kill(
    redis_server: RedisServer,
) -> None:
    """The writer is killed five times, wherever it is by then."""
    for turn in range(5):
        with Writer(redis_server.url) as writer:
            stored = redis_server.call("DBSIZE")
            wait_until(lambda stored=stored: redis_server.call("DBSIZE") > stored + 500)  # type: ignore[misc]
            os.kill(writer.pid, signal.SIGKILL)
        assert without_time_to_live(redis_server) == set(), f"after {turn + 1} kills"


def gone(server: RedisServer, _: ChaosProxy) -> Iterator[None]:
    server.stop()
    yield
    server.start()


def frozen(server: RedisServer, _: ChaosProxy) -> Iterator[None]:
    with server.paused():
        yield


def slow(_: RedisServer, proxy: ChaosProxy) -> Iterator[None]:
    proxy.set(latency=0.5)
    yield
    proxy.heal()


def answers(name: str) -> Callable[[RedisServer, ChaosProxy], Iterator[None]]:
    def block(server: RedisServer, _: ChaosProxy) -> Iterator[None]:
        make = SERVER_ERRORS[name].make
        assert make is not None
        with make(server):
            yield

    return block


FAULTS = {
    "gone": gone,
    "frozen": frozen,
    "slow": slow,
    "read-only": answers("READONLY"),
    "out of memory": answers("OOM"),
    "failing over": answers("MASTERDOWN"),
    "loading": answers("LOADING"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_request_is_answered_whatever_redis_does_and_the_figures_say_so(
    redis_server: RedisServer, proxy: ChaosProxy, make_cache: MakeCache, fault: str
) -> None:
    cache = make_cache(redis=proxy.url, timeout=0.2, memory=0)
    embeddings = EmbeddingCache(lambda texts: [[1.0] * 8 for _ in texts], model="m", cache=cache)

    @cache.cached
    def function(x: int) -> int:
        return x + 1

    def use(turn: int) -> None:
        assert cache.get_or_set(f"k{turn}", lambda: VECTOR).tolist() == VECTOR.tolist()
        assert function(turn) == turn + 1
        assert embeddings.embed([f"text {turn}"]).tolist() == [[1.0] * 8]
        assert asyncio.run(cache.aget_or_set(f"a{turn}", lambda: turn)) == turn
        cache.set("k", turn)

    use(0)
    before = cache.stats()
    assert before.errors + before.skipped == 0
    with contextmanager(FAULTS[fault])(redis_server, proxy):
        for turn in range(1, 6):
            use(turn)
        during = cache.stats()
        assert during.errors + during.skipped > 0
        assert during.redis is not None
        assert sum(during.redis["errors"].values()) > 0
        assert during.hits + during.misses == during.requests
    wait_until(lambda: figure(cache, "breaker") == "closed" and figure(cache, "waiting") == 0)
    wait_until(lambda: cache.get("k") == 5)


@pytest.mark.filterwarnings("ignore:Redis refuses CLIENT TRACKING")  # by the second cache too
def test_a_server_that_denies_client_commands_is_used_all_the_same(
    redis_server: RedisServer, make_cache: MakeCache
) -> None:
    """Without CLIENT there is no tracking: copies in memory are short-lived, and one warning."""
    redis_server.call("ACL", "SETUSER", "default", "-client")
    cache = make_cache()
    with pytest.warns(RuntimeWarning, match="refuses CLIENT TRACKING") as told:
        wait_until(lambda: cache.get("any") or len(told))
    assert figure(cache, "coherence") == "ttl"
    cache.set("k", VECTOR)
    assert cache.get("k").tolist() == VECTOR.tolist()
    assert make_cache(memory=0).get("k").tolist() == VECTOR.tolist()
    assert cache.lookup("k").ttl <= 5


def connections(server: RedisServer) -> set[int]:
    """Ports of the clients there are."""
    with server.client() as connection:
        return {int(client["addr"].rsplit(":", 1)[1]) for client in connection.client_list()}


def test_after_a_fork_no_connection_is_shared_and_both_work(
    redis_server: RedisServer, make_cache: MakeCache
) -> None:
    cache = make_cache(memory=0)
    cache.set("k", "parent's")
    before = connections(redis_server)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert cache.get("k") == "parent's"
            cache.set("child", "child's")
            new = connections(redis_server) - before
            os.write(writing, str(len(new)).encode())
            assert asyncio.run(cache.aget("child")) == "child's"
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert int(os.read(reading, 9)) >= 2, "one of the child's own, and the one that counts"
    assert cache.mget(["k", "child"]) == ["parent's", "child's"]
    with ExitStack() as files:
        for each in (reading, writing):
            files.callback(os.close, each)


def test_one_cache_serves_loop_after_loop_and_loops_at_once(make_cache: MakeCache) -> None:
    """Nothing of a loop that is closed is used by the next."""
    cache = make_cache(memory=0)

    async def use(number: int) -> Any:
        await cache.aset(f"k{number}", number)
        made = [cache.aget_or_set(f"m{number}", lambda: number) for _ in range(8)]
        return await cache.aget(f"k{number}"), set(await asyncio.gather(*made))

    for number in range(20):
        assert asyncio.run(use(number)) == (number, {number})

    async def nested() -> list[Any]:
        in_threads = [asyncio.to_thread(asyncio.run, use(number)) for number in range(100, 108)]
        return await asyncio.gather(use(99), *in_threads)

    assert asyncio.run(nested()) == [(number, {number}) for number in range(99, 108)]


def test_over_redis_a_threshold_decides_the_same_in_sync_and_async(make_cache: MakeCache) -> None:
    """And decides right, also of queries a ten-thousandth apart."""
    cache = make_cache(memory=0)
    degrees = np.concatenate([np.linspace(0.9, 1.0, 50), 0.95 + np.linspace(-1e-4, 1e-4, 10)])
    answered: dict[bool, list[bool]] = {False: [], True: []}
    # In parts, since of each 32 answers one is computed all the same.
    for number, part in enumerate(np.array_split(degrees, 6)):
        queries = [(ONE_QUESTION, turned(float(each))) for each in part]
        for is_async, turn in answered.items():
            name = f"{number} {is_async}"
            turn += who_answers(cache, queries, is_async=is_async, similar=0.95, name=name)
    assert answered[False] == answered[True] == (degrees > 0.95).tolist()


@pytest.mark.parametrize("is_async", [False, True])
def test_over_redis_another_question_with_the_same_vector_is_no_hit(
    make_cache: MakeCache, is_async: bool
) -> None:
    cache = make_cache(memory=0)
    for kind, (first, other, same) in OTHER_QUESTIONS.items():
        asked = [(other, FIRST), (same, FIRST)]
        answered = who_answers(cache, asked, first=first, is_async=is_async, similar=0.9, name=kind)
        assert answered == [False, True], kind
