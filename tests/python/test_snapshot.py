"""snapshot() and restore(): what memory holds, from one process to the next."""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clocked import ClockedCache

from vcache import Cache, _core
from vcache.errors import ConfigError, SnapshotError

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "snapshot"
CLASSIC = ["lru", "lfu", "s3fifo", "sieve", "arc", "wtinylfu", "gdsf"]
KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.snapshot"


def moved(cache: Cache, path: Path, **arguments: object) -> Cache:
    """Another cache with what the first one holds."""
    cache.snapshot(path)
    other = Cache(**({"jitter": 0.0} | arguments))  # type: ignore[arg-type]
    assert other.restore(path).damage is None
    return other


def test_every_kind_of_value_comes_back(path: Path) -> None:
    cache = Cache(jitter=0.0)
    values = {
        "vector": np.arange(384, dtype=np.float32),
        "matrix": np.arange(12, dtype=np.int64).reshape(3, 4),
        "scalar": np.array(2.5, dtype=np.float16),
        "four": np.zeros((2, 1, 3, 2), dtype=np.int8),
        "object": {"a": [1, None, 2.5, b"\x00", "é"]},
        "none": None,
        "empty": b"",
    }
    for key, value in values.items():
        cache.set(key, value)
    cache.set(b"\xff\x00bytes", 7)
    other = moved(cache, path)
    for key, value in values.items():
        got = other.get(key)
        if isinstance(value, np.ndarray):
            assert got.dtype == value.dtype
            assert got.shape == value.shape
            assert np.array_equal(got, value)
            assert not got.flags.writeable
        else:
            assert got == value
    assert other.get(b"\xff\x00bytes") == 7


def test_reports_what_was_written_and_read(path: Path) -> None:
    cache = Cache()
    cache.mset({f"k{i}": np.ones(64, np.float32) for i in range(100)})
    saved = cache.snapshot(path)
    assert (saved.path, saved.entries, saved.gone) == (str(path), 100, 0)
    assert saved.bytes == path.stat().st_size
    assert saved.seconds > 0
    loaded = Cache().restore(str(path))
    assert (loaded.entries, loaded.bytes, loaded.complete) == (100, 100 * 256, True)
    assert set(loaded.skipped.values()) == {0}


def test_metadata_cost_age_and_lifetimes_go_on(path: Path) -> None:
    clock = _core.ManualClock()
    cache = ClockedCache(clock, memory_ttl=None, ttl=None)
    cache.set("k", 1, ttl=100, metadata={"m": [1]}, cost=0.25)
    cache.set("short", 2, ttl=50)
    cache.set("endless", 3)
    clock.advance(30)
    cache.snapshot(path)
    clock.advance(30)  # while no process runs
    other = ClockedCache(clock, memory_ttl=None, ttl=None)
    assert other.restore(path).skipped["expired"] == 1
    found = other.lookup("k")
    assert found.metadata == {"m": [1]}
    assert found.ttl == pytest.approx(40, abs=0.01)
    assert found.age == pytest.approx(60, abs=0.01)
    assert other.stats().cost_saved == pytest.approx(0.25)
    assert other.lookup("endless").ttl is None
    assert other.get("short") is None
    clock.advance(41)
    assert other.get("k") is None


def test_a_clock_that_was_set_back_gives_no_more_time(path: Path) -> None:
    cache = ClockedCache(_core.ManualClock(1e9), ttl=None, memory_ttl=None)
    cache.set("k", 1, ttl=100)
    cache.snapshot(path)
    other = ClockedCache(_core.ManualClock(1e9 - 5000), ttl=None, memory_ttl=None)
    other.restore(path)
    assert other.lookup("k").ttl == pytest.approx(100, abs=0.01)


def test_tags_still_end_an_entry(path: Path) -> None:
    cache = Cache()
    cache.set("a", 1, tags=["red", "blue"])
    cache.set("b", 2, tags=["green"])
    other = moved(cache, path)
    assert (other.get("a"), other.get("b")) == (1, 2)
    other.invalidate_tags("blue")
    assert (other.get("a"), other.get("b")) == (None, 2)


def test_what_this_cache_invalidated_meanwhile_stays_away(path: Path) -> None:
    cache = Cache()
    cache.set("a", 1, tags=["red"])
    cache.set("b", 2, tags=["green"])
    cache.snapshot(path)
    cache.invalidate_tags("red")
    cache.clear()
    report = cache.restore(path)
    assert (report.entries, report.skipped["gone"]) == (1, 1)
    assert (cache.get("a"), cache.get("b")) == (None, 2)


def test_the_newer_value_stays(path: Path) -> None:
    clock = _core.ManualClock()
    cache = ClockedCache(clock)
    cache.set("old", "file")
    cache.snapshot(path)
    clock.advance(1)
    other = ClockedCache(clock)
    other.set("old", "memory")
    assert other.restore(path).skipped["newer"] == 1
    assert other.get("old") == "memory"


def test_a_smaller_memory_gets_the_hottest(path: Path) -> None:
    cache = Cache(policy="lru", memory="4MiB")
    cache.mset({f"k{i}": np.ones(1024, np.float32) for i in range(500)})
    hot = [f"k{i}" for i in range(0, 500, 5)]
    for key in hot:
        cache.get(key)
    cache.snapshot(path)
    small = Cache(policy="lru", memory="600KiB")
    report = small.restore(path)
    assert 100 < report.entries < 150
    assert report.skipped["no_room"] > 0
    assert all(small.exists(key) for key in hot)
    assert small.stats().evictions == 0


def test_what_is_larger_than_the_memory_keeps_nothing_else_out(path: Path) -> None:
    cache = Cache(policy="lru")
    cache.mset({f"k{i}": i for i in range(100)})
    cache.set("large", np.zeros(1 << 20, np.float32))
    cache.snapshot(path)
    small = Cache(memory="1MiB")
    report = small.restore(path)
    assert (report.entries, report.skipped["no_room"]) == (100, 1)
    assert small.mget([f"k{i}" for i in range(100)]) == list(range(100))


@pytest.mark.parametrize("policy", CLASSIC)
def test_entries_leave_in_the_order_in_which_they_would_have(policy: str, path: Path) -> None:
    def leaving(cache: Cache) -> list[int]:
        """The keys in the order in which newcomers push them out."""
        held, left = {i for i in range(800) if cache.exists(f"k{i}")}, []
        for i in range(2000):
            cache.set(f"new{i}", np.ones(256, np.float32))
            gone = {k for k in held if not cache.exists(f"k{k}")}
            held -= gone
            left += sorted(gone)
            if len(left) >= 50:
                break
        return left

    rng = np.random.default_rng(3)
    cache = ClockedCache(policy=policy, memory="256KiB")
    for i in rng.zipf(1.3, 3000) % 800:
        if cache.get(f"k{i}") is None:
            cache.set(f"k{i}", np.full(256, i, np.float32), cost=float(i % 7 + 1))
    cache.snapshot(path)
    other = ClockedCache(policy=policy, memory="256KiB")
    restored = other.restore(path)
    assert restored.entries >= 0.97 * cache.stats().entries
    first, second = leaving(cache), leaving(other)
    exact = policy in {"lru", "lfu", "sieve", "gdsf"}
    assert len(first) >= 30
    assert len(set(first[:30]) & set(second[:45])) >= (29 if exact else 24)


def test_learned_eviction_goes_on(path: Path) -> None:
    cache = Cache(policy="learned", memory="3MiB", jitter=0.0)
    for round_ in range(4):
        for i in range(300):
            if round_ == 0:
                cache.set(f"k{i}", np.ones(1024, np.float32))
            elif i % 6 == 0:
                cache.get(f"k{i}")
    cache.snapshot(path)
    small = Cache(policy="learned", memory="1MiB", jitter=0.0)
    report = small.restore(path)
    hot = [i for i in range(0, 300, 6) if small.exists(f"k{i}")]
    assert report.entries > 100
    assert len(hot) == 50
    explained = small.explain("k0")
    assert explained is not None
    assert explained.accesses > 1


def test_another_policy_takes_it_too(path: Path) -> None:
    cache = Cache(policy="lfu")
    cache.mset({f"k{i}": i for i in range(200)})
    for policy in [*CLASSIC, "learned"]:
        assert moved(cache, path, policy=policy).stats().entries == 200


def test_many_shards_to_few_and_back(path: Path) -> None:
    cache = Cache(memory="256MiB")
    cache.mset({f"k{i}": i for i in range(20_000)})
    small = moved(cache, path, memory="8MiB")
    assert small.stats().entries == 20_000
    back = moved(small, path, memory="256MiB")
    assert back.mget([f"k{i}" for i in range(20_000)]) == list(range(20_000))


def test_hits_are_kept(path: Path) -> None:
    cache = Cache()
    cache.mset({"a": 1, "b": 2})
    for _ in range(3):
        cache.get("b")
    cache.get("a")
    assert moved(cache, path).hot_keys() == [("b", 3), ("a", 1)]


def test_an_empty_memory(path: Path) -> None:
    cache = Cache()
    assert cache.snapshot(path).entries == 0
    report = cache.restore(path)
    assert (report.entries, report.complete) == (0, True)


def test_the_file_is_its_owners_alone_and_replaced_whole(path: Path) -> None:
    cache = Cache()
    cache.set("k", 1)
    old_mask = os.umask(0)
    try:
        cache.snapshot(path)
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    cache.set("k", 2)
    cache.snapshot(path)
    assert Cache(memory="1MiB").restore(path).entries == 1
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_disk_that_is_full_leaves_the_older_file(path: Path) -> None:
    cache = Cache()
    cache.set("k", 1)
    cache.snapshot(path)
    before = path.read_bytes()
    cache.mset({f"k{i}": np.ones(4096, np.float32) for i in range(200)})
    import resource
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            cache.snapshot(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_encrypted_values(path: Path) -> None:
    cache = Cache(encryption_key=KEY)
    cache.set("key-in-clear", "secret text", metadata={"note": "secret too"})
    cache.snapshot(path)
    data = path.read_bytes()
    assert b"secret" not in data
    assert b"key-in-clear" in data
    again = Cache(encryption_key=[bytes(32), KEY])
    assert again.restore(path).entries == 1
    assert again.lookup("key-in-clear").metadata == {"note": "secret too"}
    with pytest.raises(SnapshotError, match="encrypted with none of this cache's keys"):
        Cache(encryption_key=bytes(32)).restore(path)
    with pytest.raises(SnapshotError, match="has no encryption_key"):
        Cache().restore(path)
    plain = path.with_suffix(".plain")
    Cache().snapshot(plain)
    with pytest.raises(SnapshotError, match="it is not encrypted"):
        cache.restore(plain)


def with_another_end(data: bytes, seconds: int) -> bytes:
    """The file with its first entry's end moved, and that record's checksum made right again."""
    name = ctypes.util.find_library("xxhash")
    if name is None:
        pytest.skip("libxxhash is not installed")
    xxh3 = ctypes.CDLL(name).XXH3_64bits_withSeed
    xxh3.restype, xxh3.argtypes = (
        ctypes.c_uint64,
        [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64],
    )
    nonce = int.from_bytes(data[24:32], "little")
    head = bytearray(data[128 : 128 + 64 + 8])  # a key of one byte, filled up to 8
    ends = int.from_bytes(head[24:32], "little") + seconds * 10**9
    head[24:32] = ends.to_bytes(8, "little")
    head[:8] = xxh3(bytes(head[8:]), len(head) - 8, nonce).to_bytes(8, "little")
    return data[:128] + bytes(head) + data[128 + len(head) :]


def test_a_lifetime_that_was_prolonged_in_an_encrypted_file_is_refused(path: Path) -> None:
    """Encrypted, the times are authentic: who cannot encrypt cannot change them."""
    clock = _core.ManualClock()
    cache = ClockedCache(clock, encryption_key=KEY)
    cache.set("k", 1)
    cache.snapshot(path)
    whole = path.read_bytes()
    path.write_bytes(with_another_end(whole, 0))
    assert ClockedCache(clock, encryption_key=KEY).restore(path).entries == 1
    path.write_bytes(with_another_end(whole, 3600))
    report = ClockedCache(clock, encryption_key=KEY).restore(path)
    assert report.entries == 0
    assert report.damage == "entry 0 at byte 128: altered"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda data: b"", "no snapshot"),
        (lambda data: b"something else" * 20, "no snapshot"),
        (lambda data: data[:100], "head is damaged"),
        (lambda data: data[:8] + b"\x02\x00\x00\x00" + data[12:], "later version"),
        (lambda data: data[:70] + b"\xff" + data[71:], "head is damaged"),
    ],
)
def test_foreign_files_are_refused(make: Callable[[bytes], bytes], said: str, path: Path) -> None:
    cache = Cache()
    cache.set("k", 1)
    cache.snapshot(path)
    path.write_bytes(make(path.read_bytes()))
    other = Cache()
    with pytest.raises(SnapshotError, match=said):
        other.restore(path)
    assert other.stats().entries == 0


def test_another_namespace_is_refused(path: Path) -> None:
    Cache(namespace="one").snapshot(path)
    with pytest.raises(SnapshotError, match="namespace 'one', and this cache's is 'two'"):
        Cache(namespace="two").restore(path)


@pytest.mark.parametrize(("name", "key"), [("v1_lfu", None), ("v1_lfu_encrypted", KEY)])
def test_files_of_every_version_stay_readable(name: str, key: bytes | None) -> None:
    cache = ClockedCache(
        _core.ManualClock(1.8e9), policy="lfu", ttl=None, memory_ttl=None, encryption_key=key
    )
    report = cache.restore(GOLDEN / f"{name}.bin")
    assert (report.entries, report.complete) == (3, True)
    assert cache.hot_keys() == [("object", 3)]
    found = cache.lookup("vector")
    assert found.value.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert (found.metadata, found.age, found.ttl) == ({"m": 1}, pytest.approx(1e8), None)
    assert cache.get("object") == {"a": [1, None, "text"]}
    assert cache.get(b"\xff\x00").shape == (2, 3)
    cache.invalidate_tags("t")
    assert cache.get("object") is None


def test_a_cut_file_is_restored_up_to_there(path: Path) -> None:
    cache = Cache()
    cache.mset({f"k{i}": np.full(100, i, np.float32) for i in range(50)})
    cache.snapshot(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    other = Cache()
    report = other.restore(path)
    assert 20 < report.entries < 30
    assert report.damage is not None
    assert "cut" in report.damage
    path.write_bytes(data + b"x")
    assert Cache().restore(path).damage == "bytes behind the end"
    path.write_bytes(data[:-64])  # between two records
    assert Cache().restore(path).complete is False


def test_bad_arguments(path: Path, tmp_path: Path) -> None:
    cache = Cache()
    with pytest.raises(FileNotFoundError, match="absent"):
        cache.restore(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        cache.snapshot(tmp_path / "absent" / "file")
    with pytest.raises(IsADirectoryError):
        cache.snapshot(tmp_path)
    with pytest.raises(IsADirectoryError):
        cache.restore(tmp_path)
    with pytest.raises(TypeError, match="path=3"):
        cache.snapshot(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="path=''"):
        cache.restore("")
    with pytest.raises(ValueError, match="path="):
        cache.restore("a\0b")
    with pytest.raises(TypeError, match="keep_unconfirmed=1"):
        cache.restore(path, keep_unconfirmed=1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="memory=0"):
        Cache(memory=0).snapshot(path)
    os.mkfifo(path)
    with pytest.raises(OSError, match="Invalid argument"):
        cache.restore(path)


def test_twins(path: Path) -> None:
    async def run() -> int:
        async with Cache() as cache, Cache() as other:
            await cache.aset("k", 1)
            assert (await cache.asnapshot(path)).entries == 1
            assert (await other.arestore(path)).entries == 1
            return int(await other.aget("k"))

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize("end", ["delete", "invalidate", "clear"])
def test_what_is_ended_meanwhile_stays_away(path: Path, end: str) -> None:
    cache = Cache(policy="lru")
    cache.mset({f"k{i}": i for i in range(50_000)})
    cache.snapshot(path)  # the first key is the last in it
    other = Cache(policy="lru")
    ways: dict[str, Callable[[], object]] = {
        "delete": lambda: other.delete("k0"),
        "invalidate": lambda: other.invalidate("k0"),
        "clear": other.clear,
    }

    restored = threading.Event()

    def end_it() -> None:
        while other.stats().entries == 0 and not restored.is_set():
            pass
        ways[end]()

    thread = threading.Thread(target=end_it)
    thread.start()
    try:
        assert other.restore(path).damage is None
    finally:
        restored.set()
        thread.join()
    assert other.get("k0") is None


def test_while_others_write_and_evict(path: Path) -> None:
    """Nothing but what somebody set is ever in the file, under its own key."""
    cache = Cache(memory="2MiB", policy="s3fifo")
    ended = threading.Event()

    def write(first: int) -> None:
        rng = np.random.default_rng(first)
        while not ended.is_set():
            number = int(rng.integers(4000))
            cache.set(f"k{number}", np.full(int(rng.integers(1, 300)), number, np.float32))
            if number % 97 == 0:
                cache.invalidate(f"k{number}*")

    threads = [threading.Thread(target=write, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            cache.snapshot(path)
            other = Cache(memory="4MiB")
            report = other.restore(path)
            assert report.complete
            for number in range(4000):
                value = other.get(f"k{number}")
                assert value is None or (value == number).all()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
