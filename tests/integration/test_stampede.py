"""One computation over all threads and processes: R20, R21 and, of waits, R27."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from alone import run_alone
from load_faults import Faults, Step
from load_generator import Generator, Load
from load_source import Source
from nightly import NIGHTLY
from polling import wait_until
from redis_server import RedisServer
from running import Talking
from sync_points import LeaseWaiters, Waiters, in_threads

from vcache import Cache

Eventually = Callable[[Callable[[], object]], None]

WORKER = Path(__file__).parents[1] / "support" / "stampede_worker.py"
PATIENCE = 60.0


class Process(Talking):
    """A process that asks, as stampede_worker.py does."""

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self) -> None:
        self.spawn([sys.executable, str(WORKER), self._url])
        assert self.hear() == "ready"

    def ask(self, **task: Any) -> None:
        usual = {"threads": 1, "seconds": 0.2, "lease": 5.0}
        self.say(json.dumps(usual | task))

    def answers(self) -> list[Any]:
        answers: list[Any] = json.loads(self.hear())
        return answers


@pytest.fixture
def start(redis_server: RedisServer) -> Iterator[Callable[[int], list[Process]]]:
    """Starts processes, which end with the test."""
    with ExitStack() as processes:
        yield lambda count: [
            processes.enter_context(Process(redis_server.url)) for _ in range(count)
        ]


def calls(server: RedisServer, key: str) -> list[float]:
    """When the factory of a key was called."""
    return [float(at) for at in server.client().lrange(f"calls:{key}", 0, -1)]


def test_r20_threads_call_once(
    make_cache: Callable[..., Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiters, cache, called = Waiters(monkeypatch), make_cache(), []

    def factory() -> str:
        called.append(1)
        waiters.wait_for(63)
        return "value"

    got = in_threads(*[lambda: cache.get_or_set("k", factory)] * 64)
    assert (got, len(called)) == (["value"] * 64, 1)


def test_r20_64_threads_in_4_processes_call_once(
    redis_server: RedisServer, start: Callable[[int], list[Process]]
) -> None:
    processes = start(4)
    for key in ("a", "b", "c"):
        for process in processes:
            process.ask(key=key, threads=64)
        for process in processes:
            assert process.answers() == ["value"] * 64
        assert len(calls(redis_server, key)) == 1


def test_r20_the_next_one_computes_when_the_holder_is_killed(
    redis_server: RedisServer, start: Callable[[int], list[Process]], eventually: Eventually
) -> None:
    holder, waiter = start(2)
    holder.ask(key="k", seconds=PATIENCE, lease=1.0)
    eventually(lambda: len(calls(redis_server, "k")) == 1)
    waiter.ask(key="k", lease=1.0, seconds=0)
    holder.stop()
    assert waiter.answers() == ["value"]
    first, second = calls(redis_server, "k")
    assert second - first <= 1.0 + 0.2 + 0.5, "half a second for a busy machine"


def test_r20_a_failure_gives_up_the_lease(
    redis_server: RedisServer, start: Callable[[int], list[Process]], eventually: Eventually
) -> None:
    failing, waiter = start(2)
    failing.ask(key="k", seconds=0.5, fail=True, lease=PATIENCE)
    eventually(lambda: len(calls(redis_server, "k")) == 1)
    waiter.ask(key="k", lease=PATIENCE)
    assert failing.answers() == ["KeyError('down')"]
    assert waiter.answers() == ["value"]
    assert len(calls(redis_server, "k")) == 2


def test_r20_a_raising_factory_is_called_once_a_second(make_cache: Callable[..., Cache]) -> None:
    """With error_ttl=1: sixteen threads ask all the time, two of them on loops."""
    cache, now, called = make_cache(), [0.0], []
    cache._loader.clock.now = lambda: now[0]

    def factory() -> str:
        called.append(now[0])
        raise KeyError("down")

    def ask() -> None:
        for _ in range(20):
            with pytest.raises(KeyError):
                cache.get_or_set("k", factory, error_ttl=1)

    def ask_on_a_loop() -> None:
        for _ in range(20):
            with pytest.raises(KeyError):
                asyncio.run(cache.aget_or_set("k", factory, error_ttl=1))

    for tenth in range(25):
        now[0] = tenth / 10
        assert in_threads(*[ask] * 14, *[ask_on_a_loop] * 2) == [None] * 16
    assert called == [0.0, 1.0, 2.0]


def test_without_lease_each_process_computes(
    redis_server: RedisServer, start: Callable[[int], list[Process]]
) -> None:
    processes = start(2)
    for process in processes:
        process.ask(key="k", threads=4, seconds=1, lease=0)
    for process in processes:
        assert process.answers() == ["value"] * 4
    assert len(calls(redis_server, "k")) == 2


def lease_of(server: RedisServer, key: str, seconds: float = PATIENCE) -> None:
    """Holds the lease of a key in another's name."""
    assert server.client().set(f"vcache!lease:{key}", "another", px=int(seconds * 1000), nx=True)


def test_leases_are_given_up_and_of_their_own_length(
    redis_server: RedisServer, make_cache: Callable[..., Cache]
) -> None:
    cache, seen = make_cache(lease=3), []

    def factory(keys: list[Any]) -> list[Any]:
        seen.extend(redis_server.client().pttl(f"vcache!lease:{key}") for key in keys)
        return keys

    assert cache.get_or_set_many(["a", "b"], factory) == ["a", "b"]
    assert len(seen) == 2
    assert all(2000 < left <= 3000 for left in seen)
    assert redis_server.client().keys("vcache!lease:*") == []


def test_the_lease_of_another_is_left_alone(
    redis_server: RedisServer, make_cache: Callable[..., Cache]
) -> None:
    cache, client = make_cache(), redis_server.client()

    def slow() -> str:  # the lease ran out meanwhile, and another took it
        client.set("vcache!lease:k", "another")
        return "value"

    assert cache.get_or_set("k", slow) == "value"
    assert client.get("vcache!lease:k") == b"another"


def test_a_batch_waits_for_what_others_compute_only(
    redis_server: RedisServer, make_cache: Callable[..., Cache]
) -> None:
    cache, other, asked = make_cache(), make_cache(lease=None), []
    lease_of(redis_server, "b")

    def factory(keys: list[Any]) -> list[Any]:
        asked.append(keys)
        other.set("b", "theirs")
        redis_server.client().delete("vcache!lease:b")
        return [f"ours {key}" for key in keys]

    assert cache.get_or_set_many(["a", "b", "c"], factory) == ["ours a", "theirs", "ours c"]
    assert asked == [["a", "c"]]
    stats = cache.stats()
    assert (stats.misses, stats.hits, stats.coalesced) == (3, 0, 1)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_lease_that_runs_out(
    redis_server: RedisServer, make_cache: Callable[..., Cache], is_async: bool
) -> None:
    cache = make_cache()
    lease_of(redis_server, "k", 0.3)
    started = time.monotonic()
    if is_async:
        assert asyncio.run(cache.aget_or_set("k", lambda: 1)) == 1
    else:
        assert cache.get_or_set("k", lambda: 1) == 1
    assert time.monotonic() - started > 0.2


def test_who_waits_on_a_loop_holds_up_nobody(
    redis_server: RedisServer, make_cache: Callable[..., Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiters, cache = LeaseWaiters(monkeypatch), make_cache()
    for i in range(64):
        lease_of(redis_server, f"k{i}")

    async def main() -> None:
        waiting = [
            asyncio.create_task(cache.aget_or_set(f"k{i}", lambda: "mine")) for i in range(64)
        ]
        await asyncio.to_thread(waiters.wait_for, 64)
        for _ in range(20):
            assert await asyncio.wait_for(cache.aget("other"), PATIENCE) is None
        waiting[0].cancel()
        redis_server.client().delete(*[f"vcache!lease:k{i}" for i in range(64)])
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1:] == ["mine"] * 63

    asyncio.run(main())


def test_without_redis_nobody_waits(
    redis_server: RedisServer, make_cache: Callable[..., Cache]
) -> None:
    cache = make_cache()
    redis_server.stop()
    assert [cache.get_or_set(f"k{i}", lambda: "mine") for i in range(3)] == ["mine"] * 3


def test_redis_stops_while_somebody_waits(
    redis_server: RedisServer, make_cache: Callable[..., Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiters, cache, got = LeaseWaiters(monkeypatch), make_cache(), []
    lease_of(redis_server, "k")
    thread = threading.Thread(target=lambda: got.append(cache.get_or_set("k", lambda: 1)))
    thread.start()
    waiters.wait_for(1)
    redis_server.stop()
    thread.join(PATIENCE)
    assert got == [1]


def test_a_user_without_watch_keeps_what_it_took_until_it_runs_out(
    redis_server: RedisServer, make_cache: Callable[..., Cache]
) -> None:
    redis_server.client().execute_command(
        "ACL", "SETUSER", "limited", "on", ">pw", "+@all", "-watch", "-multi", "-eval", "~vcache*"
    )
    url = redis_server.url.replace("redis://", "redis://limited:pw@")
    cache = make_cache(redis=url, lease=0.3)
    assert cache.get_or_set("k", lambda: 1) == 1
    assert cache.delete("k")
    assert cache.get_or_set("k", lambda: 2) == 2


def test_a_stale_value_in_redis_stands_in(
    redis_server: RedisServer, make_cache: Callable[..., Cache], eventually: Eventually
) -> None:
    def fail() -> int:
        raise KeyError("down")

    one, other = make_cache(ttl=0.2, grace=PATIENCE), make_cache(ttl=0.2, grace=PATIENCE)
    assert one.get_or_set("k", lambda: 1) == 1
    eventually(lambda: other.get("k") is None)
    assert redis_server.client().pttl("vcache:k") > 1000
    assert other.get_or_set("k", fail) == 1
    assert other.stats().stale_served == 1
    without = make_cache(ttl=0.2)
    assert without.get("k") is None, "a cache without grace goes by the expiry too"
    assert one.delete("k") is False, "it was expired"
    with pytest.raises(KeyError):
        make_cache(grace=PATIENCE).get_or_set("k", fail)


def test_memory_stands_in_while_redis_gives_no_answer(
    redis_server: RedisServer, make_cache: Callable[..., Cache], eventually: Eventually
) -> None:
    cache = make_cache(ttl=0.2, grace=PATIENCE)
    cache.set("k", 1)
    eventually(lambda: cache.get("k") is None)
    assert not cache.lookup("k").hit
    redis_server.stop()
    found = cache.lookup("k")
    assert (found.value, found.hit, found.stale, found.tier, found.ttl) == (
        1,
        True,
        True,
        "memory",
        0,
    )
    assert cache.mget(["k", "none"]) == [1, None]
    assert cache.get_or_set("k", lambda: 2) == 2, "a factory is preferred"


def test_touch_keeps_the_grace(redis_server: RedisServer, make_cache: Callable[..., Cache]) -> None:
    cache, client = make_cache(ttl=5, grace=100), redis_server.client()
    cache.set("k", 1)
    assert 104_000 < client.pttl("vcache:k") <= 105_000
    assert cache.touch("k", 10)
    assert 109_000 < client.pttl("vcache:k") <= 110_000
    left = make_cache(memory=None).lookup("k").ttl
    assert left is not None
    assert 9 < left <= 10


def test_r21_a_slow_source_recovers_from_an_empty_cache(
    redis_server: RedisServer, make_cache: Callable[..., Cache]
) -> None:
    """Sixteen threads over 50 keys; the source takes 50 calls a second, one at a time.

    Every request hits before the flush; timed is from when on nine of ten do again.
    """
    threads, keys, source = 16, 50, Source(rate=50)
    one, other = (make_cache(memory_ttl=0.05, timeout=5) for _ in range(2))
    faults, calls = Faults(redis_server), dict[str, int]()

    def all_hit(moment: str, least: int) -> None:
        wait_until(
            lambda: source.asked.calls >= least and generator.rates.lately() == 1.0,
            PATIENCE,
            "a second of hits only",
        )
        calls[moment] = source.asked.calls

    steps = [
        Step(0, "fill", lambda: all_hit("before", keys)),
        *faults.steps("t=0 flush"),
        Step(0, "serve", lambda: all_hit("after", 2 * keys)),
    ]
    load = Load(threads=threads, keys=keys, zipf=0, mix={"get_or_set": 1}, seconds=0, fill=False)
    generator = Generator(one, load, steps, faults.counts, others=[other], source=source)
    report = generator.run()
    busy = 0.0 if NIGHTLY else 2.0
    assert report.failures(expects_faults=True, recovery=2 * keys / 50 + busy) == []
    assert calls["before"] == keys
    assert calls["after"] - calls["before"] <= keys + 5, "each key is computed once"
    assert report.source.most <= threads
    assert report.source.most_of_a_key == 1, "by both caches together"


INTERRUPTED = """
import os, signal, sys, threading, time
from vcache import Cache
from vcache._callers import Blocking

cache = Cache(redis=sys.argv[1], timeout=5, lease=5 if sys.argv[2] == "lease" else None)
if sys.argv[2] == "flight":
    hold, leading = threading.Event(), threading.Event()
    lead = lambda: leading.set() or hold.wait()
    threading.Thread(target=lambda: cache.get_or_set("k", lead), daemon=True).start()
    leading.wait()

waits = threading.Event()
for name in ("lease", "wait"):
    def noted(*arguments, wait=getattr(Blocking, name)):
        waits.set()
        return wait(*arguments)
    setattr(Blocking, name, noted)

def is_asleep():  # a signal between the look for one and the sleep would be seen after it
    with open(f"/proc/self/task/{os.getpid()}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"

def interrupt():
    waits.wait()
    while not is_asleep():
        pass
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

sent = []
threading.Thread(target=interrupt).start()
try:
    cache.get_or_set("k", lambda: 1)
except KeyboardInterrupt:
    print(time.monotonic() - sent[0])
if sys.argv[2] == "lease":
    assert cache.get_or_set("other", lambda: 2) == 2
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize("wait", ["lease", "flight"])
def test_r27_ctrl_c_ends_a_wait(redis_server: RedisServer, wait: str) -> None:
    """Long before the wait looks up by itself, which it does each half second."""
    if wait == "lease":
        lease_of(redis_server, "k")
    took = float(run_alone(INTERRUPTED, redis_server.url, wait))
    assert took <= 0.1 + 0.2, "a fifth of a second for a busy machine"


EXITING = """
import os, sys, time
from vcache import Cache

cache = Cache(redis=sys.argv[1], ttl=100, grace=10)
cache.get_or_set("k", lambda: 1)
assert cache.get_or_set("k", lambda: time.sleep(600), refresh_ahead=1e-9) == 1
try:
    cache.get_or_set("other", lambda: time.sleep(600), hard_timeout=0.01)
except Exception as error:
    print(type(error).__name__)
"""


def test_background_work_ends_no_later_than_the_program(redis_server: RedisServer) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", EXITING, redis_server.url],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "FactoryTimeout\n", "")
    assert time.monotonic() - started < 30
