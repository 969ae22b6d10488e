"""What learned eviction does where a process forks or ends."""

from __future__ import annotations

import pytest
from alone import run_alone

from vcache._model import torch_library

pytestmark = pytest.mark.skipif(torch_library() is None, reason="torch is not installed")

PRELUDE = """
import os, signal, threading
import numpy as np
import vcache

cache = vcache.Cache(policy="learned", memory="2MiB")
value = np.ones(384, np.float32)

def replay(requests, seed=0):
    random = np.random.default_rng(seed)
    for key in (5000 * random.random(requests) ** 3).astype(int).tolist():
        if cache.get(f"v:{key}") is None:
            cache.set(f"v:{key}", value)

def exit_code(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    killer = threading.Timer(60, os.kill, (pid, signal.SIGKILL))  # of a child that hangs
    killer.start()
    status = os.waitpid(pid, 0)[1]
    killer.cancel()
    return os.waitstatus_to_exitcode(status)
"""

CHILD = """
def child():
    replay(3000, seed=1)
    assert cache.predict("v:0") > 0
    assert cache.explain("v:0") is not None
    assert cache.retrain(wait=True) in ("published", "refused"), cache.stats().model
    cache.pin_expert("frozen")
    replay(1000, seed=2)
    with vcache.Cache(policy="learned", memory="1MiB") as another:
        another.set("k", value)
    cache.close()
"""

IDLE = """
replay(40_000)
assert cache.retrain(wait=True) in ("published", "refused")
print([exit_code(child) for _ in range(3)])
replay(5000, seed=3)
"""

BUSY = """
replay(40_000)
done = threading.Event()

def work(seed):
    while not done.is_set():
        replay(500, seed)
        cache.retrain()
        cache.stats()

threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
for thread in threads:
    thread.start()
codes = [exit_code(child) for _ in range(5)]
done.set()
for thread in threads:
    thread.join()
print(codes)
"""


def test_a_child_goes_on_learning() -> None:
    assert run_alone(PRELUDE + CHILD + IDLE, quiet=True) == "[0, 0, 0]"


def test_a_child_of_a_parent_that_learns_goes_on_learning() -> None:
    assert run_alone(PRELUDE + CHILD + BUSY) == "[0, 0, 0, 0, 0]"


def test_a_child_of_a_closed_cache_starts_no_thread() -> None:
    script = """
replay(20_000)
cache.close()

def child():
    cache.retrain()
    cache.stats()
    assert len(os.listdir("/proc/self/task")) == 1

print(exit_code(child))
"""
    assert run_alone(PRELUDE + script, quiet=True) == "0"


ENDS = {
    "at the end": "print('end')",
    "by sys.exit": "import sys; print('end'); sys.exit(0)",
    "with the cache gone": "del cache; print('end')",
    "with the cache closed": "cache.close(); print('end')",
}


@pytest.mark.parametrize("how", ENDS)
def test_a_process_ends_while_a_model_is_fitted(how: str) -> None:
    script = "replay(40_000)\ncache.retrain()\n"
    assert run_alone(PRELUDE + script + ENDS[how], quiet=True) == "end"


def test_daemon_threads_that_ask_for_models_do_not_end_the_process() -> None:
    script = """
replay(20_000)
started = threading.Barrier(5)

def work():
    started.wait()
    while True:
        cache.retrain(wait=True); cache.stats(); cache.predict("v:1"); cache.set("a", value)

for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
started.wait()
replay(2000, seed=1)
print("end")
"""
    assert run_alone(PRELUDE + script) == "end"
