"""Ctrl-C, and handlers of other signals, while the main thread waits for Redis."""

from __future__ import annotations

import pytest
from alone import run_alone
from redis_server import RedisServer

# A server that takes connections and says nothing holds each call for 5 s, unless a signal ends it.
PRELUDE = """
import atexit, os, signal, sys, threading, time
import numpy as np
import vcache

def send(number, after):
    timer = threading.Timer(after, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
    return time.monotonic() + after

cache = vcache.Cache(redis=sys.argv[1], timeout=5, connect_timeout=5, memory=0)
cache.set("k", 1)
os.kill(int(sys.argv[2]), signal.SIGSTOP)
calls = {  # each of keys of its own: a write that waits for Redis answers for its key
    "get": lambda: cache.get("k"),
    "lookup": lambda: cache.lookup("k"),
    "set": lambda: cache.set("k", 2),
    "set_general": lambda: cache.set("general", 2, metadata={"a": 1}),
    "mget": lambda: cache.mget(["m", "n"]),
    "mset": lambda: cache.mset({"o": 1, "p": 2}),
    "get_vectors": lambda: cache.get_vectors(["v"], dim=3),
    "set_vectors": lambda: cache.set_vectors(["w"], np.ones((1, 3), "f4")),
    "get_or_set": lambda: cache.get_or_set("loaded", lambda: 3),
    "delete": lambda: cache.delete("gone"),
    "mdelete": lambda: cache.mdelete(["gone too"]),
    "touch": lambda: cache.touch("touched", 5),
    "exists": lambda: cache.exists("there"),
    "clear": lambda: cache.clear(),
    "healthy": lambda: cache.healthy(),
}
"""

INTERRUPTED = """
late = {}
for name, call in calls.items():
    due = send(signal.SIGINT, 0.15)
    try:
        call()
    except KeyboardInterrupt:
        late[name] = time.monotonic() - due
    else:
        sys.exit(f"{name} went on")
stats = cache.stats()
assert stats.redis["errors"].get("timeout", 0) == 0, stats.redis
assert stats.redis["breaker"] == "closed"
assert stats.redis["connections"] <= 1
os.kill(int(sys.argv[2]), signal.SIGCONT)
cache.set("k", 5)
assert cache.get("k") == 5
print(max(late.values()))
"""

TIMER = """
ticks = 0
def tick(*_):
    global ticks
    ticks += 1
signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)  # Python lets go of its handlers first
"""


def run(server: RedisServer, script: str) -> str:
    return run_alone(PRELUDE + script, server.url, str(server.pid))


@pytest.mark.parametrize("timer", ["", TIMER])
def test_ctrl_c_ends_every_call_soon(redis_server: RedisServer, timer: str) -> None:
    assert float(run(redis_server, timer + INTERRUPTED)) < 2.0, "0.1 s where nothing else runs"


def test_a_timer_of_1_khz_disturbs_nothing(redis_server: RedisServer) -> None:
    script = """
os.kill(int(sys.argv[2]), signal.SIGCONT)
for index in range(300):
    cache.set("k", index)
    assert cache.get("k") == index
fresh = vcache.Cache(redis=sys.argv[1].replace("127.0.0.1", "localhost"), timeout=5, memory=0)
assert fresh.get("k") == 299
assert not cache.stats().redis["errors"], cache.stats().redis
print(ticks)
"""
    assert int(run(redis_server, TIMER + script)) > 10


def test_a_handler_runs_and_the_call_goes_on(redis_server: RedisServer) -> None:
    script = """
ran = []
signal.signal(signal.SIGUSR1, lambda *_: (ran.append(time.monotonic()), resume()))
def resume():
    os.kill(int(sys.argv[2]), signal.SIGCONT)
due = send(signal.SIGUSR1, 0.1)
assert cache.get("k") == 1
print(ran[0] - due)
"""
    assert float(run(redis_server, script)) < 2.0, "0.1 s where nothing else runs"


def test_a_handler_may_use_the_cache(redis_server: RedisServer) -> None:
    script = """
def handle(*_):
    os.kill(int(sys.argv[2]), signal.SIGCONT)
    cache.set("other", 7)
    raise LookupError("enough")
signal.signal(signal.SIGUSR1, handle)
send(signal.SIGUSR1, 0.1)
try:
    cache.get("k")
except LookupError as error:
    assert cache.get("other") == 7
    print(error)
"""
    assert run(redis_server, script) == "enough"
