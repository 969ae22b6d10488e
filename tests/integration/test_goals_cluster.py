"""R22 to R25: clusters, replicas and Sentinel."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from load_faults import Step
from load_generator import Generator, Load
from nightly import NIGHTLY
from polling import wait_until
from redis_cluster import RedisCluster
from redis_groups import Sentinels
from redis_server import is_installed

from vcache import MISSING, Cache, RedisOptions

pytestmark = pytest.mark.skipif(not is_installed(), reason="redis-server is not installed")

LOAD = {"threads": 8, "keys": 2000, "batch": 32, "dim": 16, "settling": 0.5}
REFRESHES_A_SECOND = 10
VECTOR = np.arange(8, dtype="f4")
LAG = 0.1  # seconds that a replica may be behind, at most


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path) as started:
        yield started


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    with Sentinels(tmp_path) as started:
        yield started


@pytest.fixture
def open_cache() -> Iterator[Callable[..., Cache]]:
    """Opens caches, closed after the test."""
    caches: list[Cache] = []

    def make(redis: Any, **arguments: Any) -> Cache:
        caches.append(Cache(redis=redis, **({"timeout": 0.25, "jitter": 0.0} | arguments)))
        return caches[-1]

    yield make
    for cache in caches:
        cache.close()


OpenCache = Callable[..., Cache]


def refreshes(cluster: RedisCluster) -> int:
    """How often the nodes that run were asked for the map of the slots."""
    total = 0
    for node in cluster.nodes:
        if node.is_running:
            for name, figures in node.info("commandstats").items():
                if name in ("cmdstat_cluster|shards", "cmdstat_cluster|slots"):
                    total += int(figures["calls"])
    return total


def test_r22_a_master_is_killed_under_load(cluster: RedisCluster, open_cache: OpenCache) -> None:
    """No exception, no wrong value; Redis is used at once when the cluster is whole again."""
    cache = open_cache(cluster.url, memory=0)
    usable: dict[str, float] = {}

    def recover() -> None:
        wait_until(lambda: cluster.is_master(3) and cluster.is_usable(), 60)
        usable["at"] = time.monotonic()
        wait_until(lambda: cache.get("load:0") is not None or rewritten(cache), 30)
        usable["served"] = time.monotonic()

    def rewritten(cache: Cache) -> bool:
        return all(found is not None for found in cache.mget([f"load:{i}" for i in range(50)]))

    steps = [
        Step(0.5, "kill", lambda: cluster.kill(0)),
        Step(0.6, "promotion", recover, ends_fault=True),
    ]
    seconds = 30.0 if NIGHTLY else 6.0
    load = Load(**LOAD, seconds=seconds, mix={"get": 3, "get_vectors": 3, "set_vectors": 4})  # type: ignore[arg-type]
    before, started = refreshes(cluster), time.monotonic()
    report = Generator(cache, load, steps, lambda: Counter(kill=1)).run()
    elapsed = time.monotonic() - started
    assert report.failures(expects_faults=True, recovery=5.0) == []
    assert usable["served"] - usable["at"] < (1.0 if NIGHTLY else 5.0)
    assert refreshes(cluster) - before <= REFRESHES_A_SECOND * elapsed + 5
    assert report.checked > 0


def test_r22_many_threads_start_few_refreshes(cluster: RedisCluster, open_cache: OpenCache) -> None:
    """200 threads meet a node without its slots at once."""
    cache = open_cache(cluster.url, memory=0, timeout=1.0)
    keys = [f"k{i}" for i in range(500)]
    cache.mset({key: key for key in keys})
    cluster.failover(3)
    cluster.failover(4)
    before, started = refreshes(cluster), time.monotonic()
    start, failures = threading.Barrier(200), []

    def read(number: int) -> None:
        try:
            start.wait()
            for key in random.Random(number).sample(keys, 20):
                assert cache.get(key, MISSING) in (key, MISSING)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert refreshes(cluster) - before <= REFRESHES_A_SECOND * (time.monotonic() - started + 1)
    wait_until(lambda: cache.mget(keys) == keys, what="all keys")


def test_r23_slots_move_under_load(cluster: RedisCluster, open_cache: OpenCache) -> None:
    """With their keys, there and back; MOVED and ASK were met, and no CROSSSLOT."""
    cache = open_cache(cluster.url, memory=0, timeout=1.0)
    slots = 500 if NIGHTLY else 30
    moved: Counter[str] = Counter()

    def move(source: int, target: int) -> None:
        moved["keys"] += cluster.migrate_slots(slots, source, target)

    steps = [
        Step(0.5, "move", lambda: move(0, 1)),
        Step(0.6, "move back", lambda: move(1, 2), ends_fault=True),
    ]
    load = Load(**LOAD, seconds=60.0 if NIGHTLY else 4.0)  # type: ignore[arg-type]
    before = cluster.errors_told()
    report = Generator(cache, load, steps, lambda: moved).run()
    met = cluster.errors_told() - before
    assert report.failures(expects_faults=False, recovery=10.0) == []
    assert report.faults["keys"] > 0
    assert met["MOVED"] > 0
    assert met["ASK"] > 0
    assert met["CROSSSLOT"] == 0
    assert report.noticed < report.requests / 20


def test_r23_a_batch_that_meets_every_redirection(
    cluster: RedisCluster, open_cache: OpenCache
) -> None:
    """One slot on the move with half of its keys, one moved: all keys are found."""
    cache = open_cache(cluster.url, memory=0, timeout=2.0)
    keys = [f"k{i}" for i in range(3000)]
    cache.mset({key: key for key in keys})
    moving, gone = busiest_slots(cluster, 0, keys)
    cluster.begin_migration(moving, 0, 1)
    cluster.migrate_keys(moving, 0, 1, most=1)
    cluster.begin_migration(gone, 0, 2)
    cluster.migrate_keys(gone, 0, 2)
    cluster.end_migration(gone, 0, 2)
    before = cluster.errors_told()
    assert cache.mget(keys) == keys
    assert cache.mget(keys) == keys
    met = cluster.errors_told() - before
    assert met["MOVED"] > 0
    assert met["ASK"] > 0
    assert cache.mdelete(keys) == len(keys)
    assert cache.mget(keys, MISSING) == [MISSING] * len(keys)
    assert cache.stats().errors + cache.stats().skipped == 0


def busiest_slots(cluster: RedisCluster, node: int, keys: list[str]) -> list[int]:
    """Two slots of the node with the most of what the cache stored."""
    counts: Counter[int] = Counter()
    for key in cluster.nodes[node].call("KEYS", "*"):
        counts[cluster.slot_of(key)] += 1
    return [slot for slot, _ in counts.most_common(2)]


def test_r24_a_replica_that_lags_is_not_read(cluster: RedisCluster, open_cache: OpenCache) -> None:
    """A reader never goes back behind what it wrote itself."""
    options = RedisOptions.from_url(cluster.url + "?replicas=yes")
    cache = open_cache(options, memory=0, timeout=1.0)
    replicas = cluster.nodes[3:]
    before = sum(reads_of(node) for node in replicas)
    for turn in range(30):
        cache.mset({f"k{i}": turn for i in range(50)})
        assert all(found in (turn, None) for found in cache.mget([f"k{i}" for i in range(50)]))
    wait_until(
        lambda: (
            cache.mget([f"k{i}" for i in range(50)])
            and sum(reads_of(node) for node in replicas) > before
        ),
        what="reads of a replica",
    )
    for replica in replicas:
        replica.pause()
    try:
        cache.mset({f"k{i}": "new" for i in range(50)})
        found = cache.mget([f"k{i}" for i in range(50)], MISSING)
        assert set(map(str, found)) <= {"new", str(MISSING)}
    finally:
        for replica in replicas:
            replica.resume()
    wait_until(lambda: cache.mget([f"k{i}" for i in range(50)]) == ["new"] * 50)


def reads_of(node: Any) -> int:
    return int(node.info("commandstats").get("cmdstat_mget", {"calls": 0})["calls"])


def test_r25_sentinels_switch_the_primary(sentinels: Sentinels, open_cache: OpenCache) -> None:
    """Writes work soon after the sentinels agree; none raises before."""
    cache = open_cache(sentinels.url, memory=0)
    old, taken = sentinels.primary(), dict[str, float]()

    def switch() -> None:
        # The replica may lack what the old primary answered last.
        generator.history.undo_since(taken["killed"] - LAG)
        sentinels.wait_for_switch(old.port)

        def works() -> bool:
            cache.set("after", VECTOR)
            return cache.get("after") is not None

        taken["works"] = wait_until(works, what="a write to the new primary")

    def kill() -> None:
        taken["killed"] = time.monotonic()
        old.kill()

    steps = [Step(1.0, "kill", kill), Step(1.4, "switch", switch, ends_fault=True)]
    generator = Generator(cache, Load(**LOAD, seconds=5.0), steps, lambda: Counter(kill=1))  # type: ignore[arg-type]
    report = generator.run()
    limit = 1.0 if NIGHTLY else 5.0
    assert report.failures(expects_faults=True, recovery=limit) == []
    assert taken["works"] < limit
    assert report.checked > 0
    assert sentinels.primary().call("DBSIZE") > 0


@pytest.mark.skipif(not NIGHTLY, reason="sentinels take their time to demote the old primary")
def test_r25_an_old_primary_that_comes_back_is_not_written(
    sentinels: Sentinels, open_cache: OpenCache
) -> None:
    cache = open_cache(sentinels.url, memory=0)
    cache.set("k", 1)
    old = sentinels.primary()
    sentinels.failover()
    wait_until(lambda: cache.set("k", 2) or cache.get("k") == 2)  # type: ignore[func-returns-value]
    old.start()
    wait_until(lambda: old.info("replication")["role"] == "slave", 30)
    for turn in range(50):
        cache.set("k", turn)
        assert cache.get("k", turn) == turn
    stats = cache.stats()
    assert stats.redis is not None
    assert stats.redis["breaker"] == "closed"
