"""Memory over several servers: what one changes others see, while slots move and nodes die."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from polling import wait_until
from redis_cluster import RedisCluster
from redis_figures import coherence
from redis_server import RedisServer, is_installed
from version_watch import VersionWatch

from vcache import Cache
from vcache.errors import RedisError

pytestmark = pytest.mark.skipif(not is_installed(), reason="redis-server is not installed")

BOUND = 1.0  # seconds; no copy in memory is served as fresh so long after a change
KEYS = [f"k{i}" for i in range(60)]
PATIENT = ("--cluster-node-timeout", "60000")  # milliseconds

OpenCache = Callable[..., Cache]


class Layout:
    """Servers that share keys, the URLs of them, and those that hold keys now."""

    def __init__(self, redis: Any, nodes: Callable[[], list[RedisServer]]) -> None:
        self.redis = redis
        self.primaries = nodes


@pytest.fixture(scope="module")
def patient_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """Six nodes that take nobody for dead."""
    with RedisCluster(tmp_path_factory.mktemp("cluster"), 3, 3, *PATIENT) as started:
        yield started


@pytest.fixture
def cluster_of_its_own(tmp_path: Path) -> Iterator[RedisCluster]:
    """The same for one test, which changes who holds what."""
    with RedisCluster(tmp_path, 3, 3, *PATIENT) as started:
        yield started


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RedisCluster]:
    """Six nodes, of which a replica takes over within seconds."""
    with RedisCluster(tmp_path) as started:
        yield started


@pytest.fixture(params=["cluster", "list"])
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Layout]:
    if request.param == "cluster":
        started: RedisCluster = request.getfixturevalue("patient_cluster")
        yield Layout(started.url, lambda: primaries(started))
        return
    with ExitStack() as stack:
        nodes = [stack.enter_context(RedisServer(tmp_path / name)) for name in ("one", "two")]
        yield Layout([node.url for node in nodes], lambda: nodes)


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> str:
    """Of the test's own, and the same at each run."""
    return f"n{zlib.crc32(request.node.name.encode())}"


@pytest.fixture
def open_cache(namespace: str) -> Iterator[OpenCache]:
    """Opens caches with memory, closed after the test."""
    caches: list[Cache] = []
    own: dict[str, Any] = {"memory": "1MiB", "timeout": 2.0, "jitter": 0.0, "namespace": namespace}

    def make(redis: Any, **arguments: Any) -> Cache:
        caches.append(Cache(redis=redis, **(own | arguments)))
        return caches[-1]

    yield make
    for cache in caches:
        cache.close()


def primaries(cluster: RedisCluster) -> list[RedisServer]:
    return [
        node
        for index, node in enumerate(cluster.nodes)
        if node.is_running and cluster.is_master(index) and cluster.slots_of(index)
    ]


def is_linked(cache: Cache) -> bool:
    cache.get("any")
    return coherence(cache) == "tracking"


def fill(writer: Cache, readers: list[Cache], version: int, **arguments: Any) -> None:
    """All readers have all keys in memory, verified, by links to all servers."""
    for key in KEYS:
        writer.set(key, version, **arguments)
    for cache in readers:
        wait_until(lambda cache=cache: is_linked(cache), what="the links")  # type: ignore[misc]
        wait_until(lambda cache=cache: is_full(cache, version), what="memory")  # type: ignore[misc]


def is_full(cache: Cache, version: int) -> bool:
    found = [cache.lookup(key) for key in KEYS]
    return all((f.value, f.tier, f.stale) == (version, "memory", False) for f in found)


def sees(cache: Cache, wanted: dict[str, int | None]) -> None:
    """Within the bound all these keys have these values."""
    keys = list(wanted)
    wait_until(lambda: cache.mget(keys) == list(wanted.values()), BOUND, "a change to be seen")


def slot_of(cluster: RedisCluster, namespace: str, key: str) -> int:
    return cluster.slot_of(f"{{}}{namespace}:{key}")


def test_changes_by_one_are_seen_by_the_other(layout: Layout, open_cache: OpenCache) -> None:
    """Of keys on all servers, by each kind of change, from memory that stays verified."""
    one, other = open_cache(layout.redis, strict=True), open_cache(layout.redis)
    fill(one, [one, other], 0, tags=["red"])
    before = other.stats()
    for key in KEYS:
        one.set(key, 1, tags=["red"])
    assert one.mget(KEYS) == [1] * len(KEYS), "one's own at once"
    sees(other, dict.fromkeys(KEYS, 1))
    fill(one, [other], 2, tags=["red"])

    assert one.mdelete(KEYS[:20]) == 20
    assert one.delete(KEYS[20])
    sees(other, dict.fromkeys(KEYS[:21]) | dict.fromkeys(KEYS[21:], 2))
    fill(one, [other], 3, tags=["red"])

    one.invalidate_tags("red")
    assert one.mget(KEYS) == [None] * len(KEYS)
    sees(other, dict.fromkeys(KEYS))
    fill(one, [other], 4, tags=["red"])

    assert one.invalidate("k1*") == 11
    sees(other, {key: None if key.startswith("k1") else 4 for key in KEYS})
    fill(one, [other], 5, tags=["red"])

    one.clear()
    assert one.mget(KEYS) == [None] * len(KEYS)
    sees(other, dict.fromkeys(KEYS))
    fill(one, [other], 6)

    after = other.stats()
    assert coherence(one) == coherence(other) == "tracking"
    assert after.memory_hits - before.memory_hits >= 5 * len(KEYS)
    assert after.stale_served == before.stale_served
    assert all(int(node.call("DBSIZE")) > 0 for node in layout.primaries()), "keys on each server"


def test_tracking_says_that_each_server_has_a_link(layout: Layout, open_cache: OpenCache) -> None:
    """From the first moment, and whichever of them goes silent."""
    nodes = layout.primaries()
    assert len(nodes) >= 2

    def links() -> list[int]:
        return [node.links() for node in nodes if node is not silent]

    silent = None
    wait_until(lambda: sum(links()) == 0, what="earlier links to be closed")
    cache = open_cache(layout.redis, timeout=0.3)
    silent = nodes[0]
    with silent.paused():

        def are_linked() -> bool:
            cache.get("any")
            assert coherence(cache) == "down"
            return set(links()) == {1}

        wait_until(are_linked, what="links to the others")
        for key in KEYS:
            cache.get(key)
            assert coherence(cache) == "down"
    for silent in nodes[1:]:
        wait_until(lambda: is_linked(cache))
        with silent.paused():
            took = wait_until(lambda: not is_linked(cache), what="the silence to be noticed")
            assert took < 2.5 + BOUND
            assert set(links()) == {1}, "those to the others stay"
    silent = None
    wait_until(lambda: is_linked(cache))
    wait_until(lambda: set(links()) == {1}, what="lost links to be closed")
    assert coherence(cache) == "tracking"


def test_slots_that_move_under_load_leave_no_stale_copy(
    cluster: RedisCluster, open_cache: OpenCache, namespace: str
) -> None:
    """To a primary that has others, and to one that has none: there are links to it soon."""
    newcomer = 5
    cluster.empty(newcomer)
    reader, writer = open_cache(cluster.url), open_cache(cluster.url, strict=True)
    fill(writer, [reader], 0)
    slots = {key: slot_of(cluster, namespace, key) for key in KEYS}
    source = cluster.owner_of(slots[KEYS[0]])
    target = next(i for i in range(len(cluster.nodes)) if i != source and cluster.slots_of(i))
    held = cluster.slots_of(source)
    mine = sorted({slot for slot in slots.values() if slot in held})[:12]
    assert len(mine) == 12
    told, moved = cluster.errors_told(), 0
    stop = threading.Event()

    def write() -> int:
        version = 0
        while not stop.is_set():
            version += 1
            for key in KEYS:
                writer.set(key, version)
                watch.stored(key, version)
                stop.wait(0.001)
        return version

    with VersionWatch(reader, KEYS) as watch, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            for slot, to in zip(mine, [target, newcomer] * 6, strict=True):
                watch.wait_for_reads(100)
                cluster.begin_migration(slot, source, to)
                watch.wait_for_reads(100)
                moved += cluster.migrate_keys(slot, source, to)
                watch.wait_for_reads(100)
                cluster.end_migration(slot, source, to)
            watch.wait_for_reads(1000)
        finally:
            stop.set()
        version = writing.result()
    met = cluster.errors_told() - told
    tally = watch.tally()
    assert watch.failures == []
    assert watch.too_old(0.5) == []
    assert moved >= len(mine)
    assert min(met["MOVED"], met["ASK"]) > 0
    assert met["CROSSSLOT"] == 0
    assert min(tally["memory"], tally["redis"]) > 100
    assert version > 3
    sees(reader, dict.fromkeys(KEYS, version))
    fill(writer, [reader], version + 1)
    fill(writer, [reader], version + 2)
    holders = primaries(cluster)
    assert cluster.nodes[newcomer] in holders
    wait_until(lambda: [node.links() for node in holders] == [2] * 4, what="links of both caches")


def test_copies_of_a_slot_that_moved_while_nobody_asked_are_not_kept(
    patient_cluster: RedisCluster, open_cache: OpenCache, namespace: str
) -> None:
    """A reader that has all in memory is not told by MOVED that others write elsewhere."""
    cluster = patient_cluster
    reader, writer = open_cache(cluster.url), open_cache(cluster.url, strict=True)
    fill(writer, [reader], 0)
    slot = slot_of(cluster, namespace, "k0")
    source = cluster.owner_of(slot)
    target = next(i for i in range(len(cluster.nodes)) if i != source and cluster.slots_of(i))
    for version, (here, there) in enumerate([(source, target), (target, source)] * 5, 1):
        wait_until(lambda: is_full(reader, version - 1))  # noqa: B023
        cluster.begin_migration(slot, here, there)
        assert cluster.migrate_keys(slot, here, there) == 1
        cluster.end_migration(slot, here, there)
        writer.set("k0", version)
        sees(reader, {"k0": version})
        fill(writer, [reader], version)


def test_a_replica_that_takes_over_by_hand_tells_of_changes(
    cluster_of_its_own: RedisCluster, open_cache: OpenCache
) -> None:
    """Nobody dies, and no link breaks: the old primary tells of them too."""
    cluster = cluster_of_its_own
    reader, writer = open_cache(cluster.url), open_cache(cluster.url, strict=True)
    fill(writer, [reader], 0)
    cluster.failover(3)
    assert cluster.is_master(3)
    assert is_full(reader, 0), "as nothing changed"
    for key in KEYS:
        writer.set(key, 1)
    sees(reader, dict.fromkeys(KEYS, 1))
    writer.clear()
    sees(reader, dict.fromkeys(KEYS))
    fill(writer, [reader], 2)


@pytest.mark.parametrize("victim", ["of the namespace's keys", "of other keys"])
def test_a_primary_that_dies_leaves_nothing_fresh_and_old(
    cluster: RedisCluster, open_cache: OpenCache, namespace: str, victim: str
) -> None:
    """Copies are unverified until the replica that took over has a link; then all is seen."""
    reader = open_cache(cluster.url, timeout=0.3)
    writer = open_cache(cluster.url, timeout=0.5, strict=True)
    own = cluster.owner_of(cluster.slot_of(f"{namespace}!{{{namespace}}}gen"))
    dead = own if victim == "of the namespace's keys" else (own + 1) % cluster.masters
    held = cluster.slots_of(dead)
    lost = [key for key in KEYS if slot_of(cluster, namespace, key) in held]
    assert 0 < len(lost) < len(KEYS)
    fill(writer, [reader], 0)
    wait_until(lambda: all_is_replicated(cluster), what="replication")
    outage = Outage(cluster, dead)
    with VersionWatch(reader, KEYS) as watch:
        watch.wait_for_reads(100)
        outage.strike(writer, watch)
    assert watch.failures == []
    assert watch.too_old(BOUND) == []
    down = [at for at, state in watch.states if state == "down"]
    first, last = down[0], down[-1]
    assert outage.began < first < outage.began + BOUND
    assert first < outage.not_yet
    assert {state for at, state in watch.states if first <= at <= outage.not_yet} == {"down"}
    silent = [read for read in watch.reads if first < read.began and read.ended < last - 0.1]
    assert [read for read in silent if read.tier == "memory" and not read.stale] == []
    assert {read.key for read in silent if read.stale} >= set(lost), "where nobody answered"
    assert outage.refused > 0
    tally = watch.tally()
    assert min(tally["stale"], tally["redis"], tally["memory"]) > 0
    wait_until(lambda: cluster.nodes[outage.heir].links() == 2, what="the links to the heir")
    fill(writer, [reader], outage.version + 1, tags=["red"])
    for key in lost:
        writer.set(key, outage.version + 2, tags=["red"])
    sees(reader, dict.fromkeys(lost, outage.version + 2))
    writer.invalidate_tags("red")
    sees(reader, dict.fromkeys(KEYS))


class Outage:
    """A primary is killed while a strict cache writes, until all is well again."""

    def __init__(self, cluster: RedisCluster, dead: int) -> None:
        self.heir = dead + cluster.masters
        self.began = 0.0
        self.not_yet = 0.0  # when the heir was last seen not to be a primary
        self.version = 0
        self.refused = 0  # writes
        self._cluster = cluster
        self._dead = dead

    def strike(self, writer: Cache, watch: VersionWatch) -> None:
        self.began = self.not_yet = time.monotonic()
        self._cluster.kill(self._dead)
        with ThreadPoolExecutor(1) as pool:
            promotion = pool.submit(wait_until, self._is_promoted, 60, "the promotion")
            wait_until(lambda: self._is_over(writer, watch, promotion.done()), 60, "the end")
            promotion.result()

    def _is_promoted(self) -> bool:
        asked = time.monotonic()
        promoted = self._cluster.is_master(self.heir)
        if not promoted:
            self.not_yet = asked
        return promoted

    def _is_over(self, writer: Cache, watch: VersionWatch, promoted: bool) -> bool:
        """Writes to every key; whether that was well and is heard of."""
        self.version += 1
        before = self.refused
        for key in KEYS:
            try:
                writer.set(key, self.version)
                watch.stored(key, self.version)
            except RedisError:
                self.refused += 1
        return promoted and self.refused == before and coherence(watch.cache) == "tracking"


def all_is_replicated(cluster: RedisCluster) -> bool:
    def offset(index: int) -> int:
        return int(cluster.nodes[index].info("replication")["master_repl_offset"])

    return all(offset(i) == offset(i + cluster.masters) for i in range(cluster.masters))
