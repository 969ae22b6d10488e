"""Four processes of 64 threads each ask for the same missing key; it is computed once.

    python examples/stampede.py

Needs a Redis: one named by REDIS_URL, or a redis-server that the program starts. You will see how
many answers there were, how often the factory was called for them, and what it took.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from multiprocessing.synchronize import Barrier
from typing import Any
from uuid import uuid4

import servers

import vcache

PROCESSES, THREADS, SECONDS = 4, 64, 1.0
START_SECONDS = 60.0  # for all processes to be ready


def ask(url: str, namespace: str, ready: Barrier, calls: Any, answers: Any) -> None:
    """One process: all its threads ask at the same moment as those of the others."""
    cache = vcache.Cache(redis=url, namespace=namespace, ttl="1m", timeout=5)

    def compute() -> str:
        with calls.get_lock():
            calls.value += 1
        time.sleep(SECONDS)  # a model would be asked here
        return "forty-two"

    def one() -> None:
        ready.wait()
        if cache.get_or_set("question:7", compute) == "forty-two":
            with answers.get_lock():
                answers.value += 1

    threads = [threading.Thread(target=one) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.close()


def main() -> None:
    context = multiprocessing.get_context("spawn")
    calls, answers = context.Value("i", 0), context.Value("i", 0)
    ready = context.Barrier(PROCESSES * THREADS + 1, timeout=START_SECONDS)
    with servers.redis() as url:
        vcache.Cache(redis=url).close()  # says here what may be wrong with the URL
        given = (url, f"example-{uuid4().hex[:8]}", ready, calls, answers)
        processes = [context.Process(target=ask, args=given) for _ in range(PROCESSES)]
        for process in processes:
            process.start()
        try:
            ready.wait()
        except threading.BrokenBarrierError:
            sys.exit("wrong: not all processes began")
        start = time.perf_counter()
        for process in processes:
            process.join()
        taken = time.perf_counter() - start
    asked = PROCESSES * THREADS
    print(f"{asked} threads in {PROCESSES} processes asked for one missing key")
    print(f"right answers: {answers.value}, within {taken:.2f} s")
    print(f"calls of the factory, which takes {SECONDS} s: {calls.value}")
    if (answers.value, calls.value) != (asked, 1):
        sys.exit(f"wrong: wanted are {asked} answers and one call")


if __name__ == "__main__":
    main()
