"""R01 to R09: never a wrong answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from chaos_proxy import ChaosProxy
from load_faults import Faults, Step
from load_generator import Generator, Load
from nightly import NIGHTLY, examples
from polling import wait_until
from redis_figures import error_kinds
from redis_server import RedisServer

from vcache import MISSING, Cache, EmbeddingCache

MakeCache = Callable[..., Cache]

# Each fault lasts half a second; "heal" ends those of the proxy.
PROXY_FAULTS = (
    "latency 0.2",
    "slices",
    "drip 0.01",
    "reset_after 700",
    "cut_after 700",
    "flip_chance 0.3",
    "duplicate",
    "black_hole",
    "freeze",
    "refuse",
)
MATRIX = {fault.split()[0]: f"t=0.5 {fault}; t=1 heal" for fault in PROXY_FAULTS} | {
    "kill": "t=0.5 kill; t=0.7 start",
    "pause": "t=0.5 pause; t=1 resume",
}
UNSENT = ("pool", "breaker_open")
CHECKED = 10_000_000  # reads, over all faults
DOUBTS = ("corrupt", "mismatch", "version", "foreign", "too_big")


@pytest.mark.timeout(3600 if NIGHTLY else 600)
@pytest.mark.parametrize(
    ("fault", "memory"),
    [
        (fault, memory)
        for turn, fault in enumerate(MATRIX)
        for memory in ((0, "1MiB") if NIGHTLY else ((0, "1MiB")[turn % 2],))
    ],
)
def test_r01_no_wrong_vector_under_any_fault(
    redis_server: RedisServer, proxy: ChaosProxy, fault: str, memory: Any
) -> None:
    """Runs of one fault each, until enough of what they read was checked."""
    least = CHECKED / len(MATRIX)
    faults = Faults(redis_server, proxy)
    seconds, checked, seed = (30.0 if NIGHTLY else 1.5), 0, 0
    settling = 3.0 if NIGHTLY else 1.0
    load = {"threads": 8, "keys": 500, "batch": 128, "settling": settling, "dim": 16}
    # A doubled reply that comes late ends its connection, and no call: not each round notices it.
    noticed, unnoticed = 0, {"slices"}
    with Cache(redis=proxy.url, memory=memory, timeout=0.1) as cache:
        while checked < least or not (noticed or fault in unnoticed):
            seed += 1
            assert seed <= 100, "too little is read, or nobody notices the fault"
            run = Load(**load, seconds=seconds, seed=seed, prefix=f"r01-{seed}")  # type: ignore[arg-type]
            steps = faults.steps(MATRIX[fault])
            report = Generator(cache, run, steps, faults.counts).run()
            assert report.faults[fault_name(fault)] > 0
            assert report.failures(expects_faults=False, recovery=10.0) == []
            checked += report.checked
            noticed += report.noticed


def fault_name(fault: str) -> str:
    return {"flip_chance": "flip"}.get(fault, fault)


@pytest.mark.timeout(600)
def test_r02_no_crossed_reply_after_deadlines(redis_server: RedisServer) -> None:
    """A tenth of the calls that are sent meet their deadline; 64 threads share four connections."""
    least, deadline = 100_000, 0.025
    load = Load(threads=64, keys=500, mix={"get": 1}, rate=5_000, seconds=0, fill=False)
    with (
        ChaosProxy(redis_server.port) as proxy,
        Cache(redis=f"{proxy.url}?pool_size=4", memory=0, timeout=deadline, metrics=False) as cache,
    ):

        def sent() -> int:
            requests = cache.stats().requests  # first: what is skipped meanwhile is not sent
            return requests - sum(error_kinds(cache)[kind] for kind in UNSENT)

        until_enough = Step(0, "send", lambda: wait_until(lambda: sent() >= least, 600))
        generator = Generator(cache, load, [until_enough])
        generator.fill()
        proxy.set(latency=2 * deadline, share=0.1)
        report = generator.run()
        counts, late, calls = proxy.counts(), error_kinds(cache)["timeout"], sent()
    assert report.wrong.total() == report.exceptions.total() == 0, report.examples
    assert calls >= least
    assert report.checked > 0.8 * calls
    assert min(late, counts["latency"]) > 0.095 * calls
    assert counts["connections"] + 4 >= late, "a timed-out connection was used again"


def test_r03_altered_values_are_counted_misses(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """1 to 3 turned bits, or a cut, anywhere in what lies under real keys."""
    cache = make_cache(memory=0, namespace="ns")
    random = np.random.default_rng(3)
    values: dict[str, Any] = {f"v{i}": random.random(33, "f4") for i in range(24)}
    values |= {f"o{i}": {"n": i, "text": "x" * (10 * i)} for i in range(8)}
    with redis_server.client() as redis:
        for _ in range(examples(60)):
            cache.mset(values)
            before = error_kinds(cache)
            for key in values:
                alter(redis, f"ns:{key}".encode(), random)
            assert cache.mget(list(values), MISSING) == [MISSING] * len(values)
            doubts = error_kinds(cache) - before
            assert sum(doubts[kind] for kind in DOUBTS) == len(values)
            assert doubts["corrupt"] > 0
            cache.set("good", 1)
            # Calls with doubtful answers stay below the share that keeps all calls away.
            assert [cache.get("good") for _ in range(3)] == [1, 1, 1]


def alter(redis: Any, key: bytes, random: np.random.Generator) -> None:
    stored = redis.get(key)
    if random.random() < 0.25:
        redis.set(key, stored[: random.integers(1, len(stored))])
        return
    for bit in random.choice(8 * len(stored), random.integers(1, 4), replace=False).tolist():
        byte = redis.getrange(key, bit // 8, bit // 8)[0]
        redis.setrange(key, bit // 8, bytes([byte ^ (1 << bit % 8)]))


def test_r05_another_keys_bytes_are_a_mismatch(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """Under another key, in another namespace, of another model."""
    cache, other = make_cache(memory=0, namespace="one"), make_cache(memory=0, namespace="two")
    cache.set("a", np.arange(4, dtype="f4"))
    cache.set("object", {"secret": 1})
    models = [
        EmbeddingCache(lambda texts, n=n: [[float(n)]] * len(texts), model=f"m{n}", cache=cache)
        for n in (1, 2)
    ]
    for model in models:
        model.embed(["text"])
    with redis_server.client() as redis:
        of_models = [key for key in redis.keys("one:*") if b"m1" in key or b"m2" in key]
        assert len(of_models) == 2
        assert redis.copy("one:a", "one:b")
        assert redis.copy("one:object", "one:objects")
        assert redis.copy("one:a", "two:a")
        redis.restore(b"two:object", 0, redis.dump(b"one:object"))
        redis.copy(of_models[0], of_models[1], replace=True)
    assert cache.mget(["b", "objects"], MISSING) == [MISSING] * 2
    assert [other.get("a", MISSING), other.get("object", MISSING)] == [MISSING] * 2
    assert sorted(float(model.embed(["text"])[0, 0]) for model in models) == [1.0, 2.0]
    assert error_kinds(cache)["mismatch"] == 3
    assert error_kinds(other)["mismatch"] == 2


@pytest.mark.parametrize("policy", ["s3fifo", "lru"])
def test_r09_arrays_stay_as_they_were(make_cache: MakeCache, policy: str) -> None:
    """Through eviction, overwriting, deletion, clear and close, in random order on 4 threads."""
    cache = make_cache(memory="1MiB", policy=policy)
    failures: list[BaseException] = []
    steps = examples(25_000)
    kept: list[list[tuple[Any, bytes]]] = [[] for _ in range(4)]

    def work(number: int) -> None:
        try:
            random = np.random.default_rng((9, number))
            for _ in range(steps):
                use_an_array(cache, random, kept[number])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert cache.stats().evictions > 0
    cache.close()
    held = [pair for pairs in kept for pair in pairs]
    assert len(held) > 100
    assert all(array.tobytes() == content for array, content in held)


def use_an_array(cache: Cache, random: np.random.Generator, kept: list[tuple[Any, bytes]]) -> None:
    key = f"k{random.integers(400)}"
    turn = random.random()
    if turn < 0.4:
        cache.set(key, random.random(int(random.integers(1, 2000)), "f4"))
    elif turn < 0.9:
        found = cache.get(key)
        if found is not None:
            assert not found.flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                found[0] = 1
            kept.append((found, found.tobytes()))
    elif turn < 0.999:
        cache.delete(key)
    else:
        cache.clear()
    if len(kept) > 100:
        array, content = kept.pop(int(random.integers(len(kept))))
        assert array.tobytes() == content
