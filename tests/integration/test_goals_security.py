"""R35 to R45: what others may send, see, and name."""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import itertools
import logging
import pickle
import random
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alone import run_alone
from answering_proxy import AnsweringProxy, Command
from hostile_replies import hostile
from hypothesis import given
from hypothesis import strategies as st
from nightly import NIGHTLY
from redis_answers import SERVER_ERRORS, settings
from redis_server import RedisServer

from vcache import MISSING, Cache, EmbeddingCache, RedisOptions, doctor
from vcache.errors import ConfigError, RedisError

MakeCache = Callable[..., Cache]
VECTOR = np.arange(16, dtype="f4")


# In a process of its own, where nobody else's memory is counted.
ASKER = """
import random, sys, warnings
from pathlib import Path
import numpy as np
from vcache import MISSING, Cache

warnings.filterwarnings("ignore", "Redis refuses")
vector = np.arange(16, dtype="f4")

def peak():  # the most bytes that were resident since the last reset
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10

def use(cache):
    calls = [
        lambda: cache.mget(["a", "b", "c"]),
        lambda: cache.get_vectors(["a", "b"], dim=16),
        lambda: cache.set("k", vector),
        lambda: cache.delete("k"),
        lambda: cache.touch("k", 5),
        lambda: cache.clear(),
        lambda: cache.stats(),
    ]
    random.shuffle(calls)
    for call in calls:
        call()

Path("/proc/self/clear_refs").write_text("5")
before = peak()
for _ in range(int(sys.argv[2])):
    with Cache(redis=sys.argv[1], memory="1MiB", timeout=0.05) as cache:
        use(cache)
        assert cache.get("other", MISSING) is MISSING
print(peak() - before)
"""


def test_r35_hostile_replies(redis_server: RedisServer) -> None:
    """Malformed and huge replies to every command: each a failure, none a value, none large."""
    source = random.Random(35)
    answers, rounds = (1_000_000, 20_000) if NIGHTLY else (5_000, 200)
    with AnsweringProxy(redis_server.port) as proxy:
        proxy.answer = lambda command: hostile(command, source)
        while proxy.answered < answers:
            grown = int(run_alone(ASKER, proxy.url, str(rounds), timeout=3000))
            assert grown <= (1 + 64) << 20
        proxy.answer = lambda command: None
        with Cache(redis=proxy.url, memory=0, timeout=5) as cache:
            cache.set("k", VECTOR)
            assert np.array_equal(cache.get("k"), VECTOR)


SECRET = "canary-key-secret"
CANARIES = ("canary-password", "canary-text", "canary-value", SECRET, SECRET.encode().hex())


def test_r39_secrets_are_never_told(
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In logs, errors, warnings, repr, stats, health, pickles and what the doctor says.

    With Redis well, refusing and gone.
    """
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("VCACHE_KEY_SECRET", SECRET)
    password = "canary-password"
    told: list[str] = []
    redis_server.call("ACL", "SETUSER", "app", "on", f">{password}", "allkeys", "+@all")
    url = f"redis://app:{password}@127.0.0.1:{redis_server.port}"
    wrong = url.replace(password, f"{password}-wrong")
    for where, strict in itertools.product((url, wrong), (False, True)):
        with Cache(redis=where, memory=0, timeout=0.2, strict=strict, key_secret=SECRET) as cache:
            told += use_and_listen(cache)
            if where == url:
                with settings(maxmemory=1)(redis_server):
                    told += use_and_listen(cache)
                with SERVER_ERRORS["NOPERM"].make(redis_server):  # type: ignore[misc]
                    told += use_and_listen(cache)
            told += [repr(RedisOptions.from_url(where)), RedisOptions.from_url(where).address]
            doctor.main(["--redis", where])
    redis_server.kill()
    with Cache(redis=url, memory=0, strict=True, key_secret=SECRET) as cache:
        told += use_and_listen(cache)
    doctor.main(["--redis", url])
    with Cache(memory=0, key_secret=SECRET) as cache:
        told.append(str(pickle.dumps(cache)))
        monkeypatch.setenv("VCACHE_KEY_SECRET", SECRET[:15])
        with pytest.raises(ConfigError) as caught:
            pickle.dumps(cache)
        told.append(repr(caught.value))
    out, err = capfd.readouterr()
    everything = "\n".join([*told, caplog.text, out, err])
    assert len(everything) > 1000
    assert [canary for canary in CANARIES if canary in everything] == []
    assert VECTOR.tobytes() not in everything.encode()


def use_and_listen(cache: Cache) -> list[str]:
    """What the cache says of itself and of what goes wrong."""
    told = []

    @cache.cached(key_prefix="group:asked")
    def asked(text: str) -> str:
        return "canary-value"

    for call in (
        lambda: cache.set("group:canary-text", "canary-value"),
        lambda: cache.set_vectors(["group:canary-text2"], VECTOR[None, :]),
        lambda: cache.mget(["group:canary-text"]) and None,
        lambda: cache.delete("group:canary-text"),
        lambda: cache.get_or_set("group:canary-text", lambda: "canary-value") and None,
        lambda: asked("canary-text") and asked.refresh("canary-text") and None,
        lambda: asked.cache_key("canary-text"),
        lambda: cache.clear(),
    ):
        try:
            told.append(str(call()))
        except RedisError as error:
            told += [str(error), repr(error), repr(error.args)]
    told += [repr(cache), str(cache.stats()), str(cache.stats().as_dict()), str(cache.healthy())]
    return told


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_r40_foreign_formats_run_nothing(
    make_cache: MakeCache, redis_server: RedisServer, tmp_path: Path
) -> None:
    """A pickle, marshalled code and other bytes under a real key: misses, and nothing else."""
    cache = make_cache(memory=0, namespace="ns")
    canary = tmp_path / "canary"
    blobs = [pickle.dumps(Bomb(canary), protocol) for protocol in range(6)]
    blobs += [b"", b"\x80", b"c" * 200, b"\xe3" + b"\x00" * 100, b"PK\x03\x04" + b"x" * 300]
    with redis_server.client() as redis:
        for index, blob in enumerate(blobs):
            redis.set(f"ns:k{index}", blob)
    for index in range(len(blobs)):
        assert cache.get(f"k{index}", MISSING) is MISSING
        for turn in range(3):  # so that calls without doubt stay the most
            assert cache.get(f"none{turn}", MISSING) is MISSING
    assert not canary.exists()
    stats = cache.stats()
    assert stats.redis is not None
    errors = stats.redis["errors"]
    assert errors["foreign"] + errors["corrupt"] == len(blobs)


HARD_KEYS = [
    b"\r\n",
    b"a\r\nSET x 1\r\n",
    b"\x00",
    b"%s%n%1000000$s",
    b" ",
    b"{}",
    b"{a}b",
    b"*",
    b"[a-z]?\\",
    b"!gen",
    b":",
    b"\xff" * 1024,
    bytes(range(256)) * 4,
]


def test_r42_keys_of_any_bytes(make_cache: MakeCache, redis_server: RedisServer) -> None:
    """Come back as they went; no other key is touched."""
    cache, other = make_cache(memory=0, namespace="ns"), make_cache(memory=0, namespace="ns2")
    other.set("bystander", 1)
    redis = redis_server.client()

    def check(keys: list[bytes]) -> None:
        own = set(redis.keys("ns!*"))
        cache.mset({key: key for key in keys})
        assert cache.mget(keys, MISSING) == keys
        assert {b"ns:" + key for key in keys} == set(redis.keys("ns:*"))
        assert cache.delete(keys[0])
        assert {b"ns:" + key for key in keys[1:]} == set(redis.keys("ns:*"))
        assert cache.mdelete(keys[1:]) == len(keys) - 1
        assert set(redis.keys("ns:*")) == set()
        assert other.get("bystander") == 1
        assert own <= set(redis.keys("ns!*"))

    @given(st.lists(st.binary(min_size=1, max_size=1024), min_size=1, max_size=8, unique=True))
    def check_any(keys: list[bytes]) -> None:
        check(keys)

    check(HARD_KEYS)
    check_any()
    redis.close()


def test_r44_tenants_share_nothing(make_cache: MakeCache) -> None:
    """Equal keys and texts in two namespaces; clear and delete in one leave all of the other."""
    one, two = make_cache(namespace="one"), make_cache(namespace="two")
    keys = [f"k{i}" for i in range(500)]
    one.mset({key: ["one", key] for key in keys})
    assert two.mget(keys, MISSING) == [MISSING] * 500
    two.mset({key: ["two", key] for key in keys})
    assert one.mget(keys) == [["one", key] for key in keys]
    texts = ["text", "other"]
    embeddings = {
        number: EmbeddingCache(
            lambda texts, n=number: [[float(n)]] * len(texts), model="m", cache=cache
        )
        for number, cache in ((1, one), (2, two))
    }
    for number, embedding in embeddings.items():
        assert embedding.embed(texts).tolist() == [[float(number)]] * 2
    one.mdelete(keys[:100])
    one.clear()
    assert one.mget(keys, MISSING) == [MISSING] * 500
    assert make_cache(namespace="two", memory=0).mget(keys) == [["two", key] for key in keys]
    assert embeddings[2].embed(texts).tolist() == [[2.0]] * 2
    assert embeddings[2].report().hit_rate > 0


def test_r44_under_a_key_secret_equal_texts_have_unequal_keys(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """Of one text, embedded and asked for, and of a longer one: all that Redis holds."""
    text = "is the patient ill?"

    def ask(text: str) -> str:
        return "yes"

    def keys_under(secret: str | None) -> set[bytes]:
        redis_server.client().flushall()
        for cache in (make_cache(key_secret=secret), make_cache(key_secret=secret, memory=0)):
            embeddings = EmbeddingCache(lambda texts: [[1.0]] * len(texts), model="m", cache=cache)
            assert embeddings.embed_one(text).tolist() == [1.0]
            asked = cache.cached(key_prefix="ask")(ask)
            assert [asked(text), asked(text * 100)] == ["yes", "yes"]
        assert (embeddings.report().hits, asked.cache_info().hits) == (1, 2)
        return set(redis_server.client().keys("vcache:*"))

    plain, one, two = (
        keys_under(None),
        keys_under("the secret of one"),
        keys_under("the secret of two"),
    )
    assert keys_under("the secret of one") == one
    assert [len(keys) for keys in (plain, one, two)] == [3, 3, 3]
    guessed, *others = [set(re.findall(b"[0-9a-f]{64}", b" ".join(k))) for k in (plain, one, two)]
    assert [len(digests) for digests in (guessed, *others)] == [2, 3, 3]
    assert not others[0] & others[1]
    with redis_server.client() as redis:
        stored = b"".join(key + (redis.dump(key) or b"") for key in redis.keys("*"))
    guessed |= {hashlib.sha256(each.encode()).hexdigest().encode() for each in (text, f"s{text}")}
    assert not [guess for guess in guessed if guess in stored]
    assert not [guess for guess in guessed if bytes.fromhex(guess.decode()) in stored]
    assert text.encode() not in stored


def unseeded_hash() -> Callable[[bytes], int] | None:
    name = ctypes.util.find_library("xxhash")
    if name is None:
        return None
    function = ctypes.CDLL(name).XXH3_64bits
    function.restype = ctypes.c_uint64
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return lambda key: int(function(key, len(key)))


def test_r45_keys_made_to_collide_cost_no_more() -> None:
    """Keys that the hash without our seed puts into few buckets, against random ones."""
    hash_of = unseeded_hash()
    if hash_of is None:
        pytest.skip("libxxhash is not installed")
    count, bits = (100_000, 8) if NIGHTLY else (6_000, 7)
    mask = (1 << bits) - 1
    named = (b"key%d" % number for number in itertools.count())
    crafted = list(itertools.islice((k for k in named if hash_of(k) & mask == 0), count))
    plain = [b"key%d" % number for number in range(count)]
    taken: dict[str, list[float]] = {"crafted": [], "plain": []}
    caches = {name: Cache(memory="64MiB") for name in taken}
    for name, keys in (("crafted", crafted), ("plain", plain)):
        caches[name].mset(dict.fromkeys(keys, 1))
    for _ in range(7):
        for name, keys in (("crafted", crafted), ("plain", plain)):
            get = caches[name].get
            started = time.perf_counter()
            for key in keys:
                get(key)
            taken[name].append(time.perf_counter() - started)
    for cache in caches.values():
        assert cache.stats().misses == 0
        cache.close()
    assert min(taken["crafted"]) < 2 * statistics.median(taken["plain"])


@pytest.mark.filterwarnings("ignore:Redis refuses")
def test_r35_pushes_between_replies_are_nobodys_answer(redis_server: RedisServer) -> None:
    """A push in front of an answer is told apart from it."""

    def answer(command: Command) -> bytes | None:
        push = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$4\r\nns:k\r\n"
        return push + b"*2\r\n$-1\r\n$-1\r\n" if command[0].upper() == b"MGET" else None

    with AnsweringProxy(redis_server.port, answer) as proxy:
        with Cache(redis=proxy.url, memory=0, timeout=0.5) as cache:
            assert cache.get("k", MISSING) is MISSING
            assert cache.mget(["a", "b", "c"], MISSING) == [MISSING] * 3
        assert proxy.answered > 0
