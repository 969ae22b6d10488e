"""Children forked while other threads are inside the core."""

from __future__ import annotations

from alone import run_alone

BUSY_PARENT = """
import os, signal, threading
import numpy as np
import vcache

cache = vcache.Cache(memory="16MiB")
keys = [f"key:{i}" for i in range(512)]
matrix = np.ones((512, 32), np.float32)
cache.set_vectors(keys, matrix)
done = threading.Event()

def work():
    while not done.is_set():
        cache.get_vectors(keys, dim=32)
        cache.set_vectors(keys, matrix)

def child():
    signal.alarm(30)  # ends a child that hangs
    for key in keys:
        cache.get(key)
        cache.set(key, matrix[0])
        cache.get(f"none{key}")
    cache.stats()
    cache.get_vectors(keys, dim=32)
    vcache.Cache(memory="1MiB").close()

def exit_code():
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
codes = {exit_code() for _ in range(40)}
done.set()
for thread in threads:
    thread.join()
print(codes)
"""


def test_a_child_of_a_busy_parent_answers() -> None:
    assert run_alone(BUSY_PARENT) == "{0}"


HELD_LOCKS = """
import contextlib, os, signal, threading
import numpy as np
import vcache
from vcache import env

cache = vcache.Cache(memory="1MiB")
embeddings = vcache.EmbeddingCache(lambda texts: np.ones((len(texts), 4), "f4"), model="m",
                                   cache=cache)
log = cache._loader.failures
held, done = threading.Event(), threading.Event()

def hold():
    with contextlib.ExitStack() as stack:
        for owner in (embeddings, cache._names, log):
            stack.enter_context(owner._lock)
        stack.enter_context(env._lock)
        held.set()
        done.wait()

def child():
    signal.alarm(10)  # ends a child that hangs
    embeddings.embed(["a"])
    embeddings.report()
    cache.cached(key_prefix="f")(len).cache_clear()
    log.note(KeyError())
    vcache.get_cache()

holder = threading.Thread(target=hold)
holder.start()
held.wait()
pid = os.fork()
if pid == 0:
    code = 1
    try:
        child()
        code = 0
    finally:
        os._exit(code)
code = os.waitpid(pid, 0)[1]
done.set()
holder.join()
print(code)
"""


def test_a_child_waits_for_no_lock_of_a_thread_that_it_lacks() -> None:
    assert run_alone(HELD_LOCKS) == "0"
