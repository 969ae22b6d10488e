"""What keys say of texts and arguments, with and without a secret."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import pickle
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcache import Cache, EmbeddingCache
from vcache._digest import KeyDigest, parse_secret
from vcache.errors import ConfigError

SECRET = b"a secret of bytes \xff"
OTHER = "another secret, a text"
TEXT = "is the patient ill?"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("VCACHE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_digests_are_those_of_the_standards() -> None:
    assert KeyDigest().of(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert KeyDigest(SECRET).of(b"abc") == hmac.digest(SECRET, b"abc", "sha256").hex()
    hashed = KeyDigest(SECRET).new()
    hashed.update(b"a")
    copy = hashed.copy()
    copy.update(b"bc")
    assert copy.hexdigest() == KeyDigest(SECRET).of(b"abc")
    assert hashed.hexdigest() == KeyDigest(SECRET).of(b"a")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (None, b""),
        (SECRET, SECRET),
        (bytearray(SECRET), SECRET),
        ("é" * 8, "é".encode() * 8),
        ("a" * 1024, b"a" * 1024),
    ],
)
def test_a_secret_is_bytes_or_text(given: Any, taken: bytes) -> None:
    assert parse_secret(given, "key_secret") == taken


BAD_SECRETS = [
    "",
    b"",
    "hunter2",
    "x" * 15,
    b"x" * 1025,
    "é" * 513,
    "\ud800" * 16,
    5,
    True,
    [SECRET],
]


@pytest.mark.parametrize("given", BAD_SECRETS, ids=lambda given: type(given).__name__)
def test_a_bad_secret_is_refused_and_not_shown(given: Any) -> None:
    with pytest.raises(ConfigError, match=r"^key_secret: allowed are 16 to 1024 .*not shown$") as e:
        Cache(key_secret=given)
    told = "".join(traceback.format_exception(e.value))
    assert "hunter2" not in told
    assert "xxx" not in told


def keys_of(cache: Cache) -> dict[str, str]:
    """Keys of one text and one vector, as each kind of wrapper makes them."""
    held = TEXT

    def one(text: str) -> str:
        return text

    async def aone(text: str) -> str:
        return text

    def two(text: str, count: int = 3) -> str:
        return text * count

    def none() -> str:
        return held

    def search(vector: Any) -> list[int]:
        return [len(vector)]

    class Holder:
        @cache.cached(key_prefix="m")
        def method(self, text: str) -> str:
            return text

    named = cache.cached(key_prefix="p", key=lambda text: text)(one)
    vectors = cache.cache_vector_search(key_prefix="v")(search)
    return {
        "embedding": EmbeddingCache(lambda texts: [[1.0]] * len(texts), model="m", cache=cache).key(
            TEXT
        ),
        "one": cache.cached(one).cache_key(TEXT),
        "async": cache.cached(aone).cache_key(TEXT),
        "two": cache.cached(two).cache_key(TEXT),
        "long": cache.cached(two).cache_key(TEXT * 100),
        "named": named.cache_key(TEXT),
        "method": Holder().method.cache_key(TEXT),
        "closure": cache.cached(none).cache_key(),
        "vector": vectors.cache_key(np.arange(4.0)),
    }


def test_without_a_secret_keys_are_as_ever() -> None:
    """To the byte, or what is stored would be lost."""
    with Cache() as cache:
        keys = keys_of(cache)
    name = f"{__name__}.keys_of.<locals>"
    assert keys["one"] == f"{name}.one:0:s{TEXT}"
    assert keys["two"] == f"{name}.two:0:s{TEXT}\x1fi3"
    long = hashlib.sha256(f"s{TEXT * 100}\x1fi3".encode()).hexdigest()
    assert keys["long"] == f"{name}.two:0:h{long}"
    assert keys["named"] == f"p:0:s{TEXT}"
    closure = hashlib.sha256(f"held=s{TEXT}\x1f".encode()).hexdigest()[:32]
    assert keys["closure"] == f"{name}.none:0+{closure}:"
    assert keys["embedding"] == (
        "emb:m:d1bc19a1120b5ef3657cc4367a8c5eb9c54c4fead742d86b03f20672034ba9f3"
    )


def test_under_a_secret_keys_are_of_that_secret_only() -> None:
    with Cache() as plain, Cache(key_secret=SECRET) as one, Cache(key_secret=OTHER) as two:
        with Cache(key_secret=bytearray(SECRET)) as same:
            keys, again = keys_of(one), keys_of(same)
        unlike = [keys_of(plain), keys_of(two)]
    assert keys == again
    for kind, key in keys.items():
        assert TEXT not in key
        for others in unlike:
            assert key != others[kind]
            assert not digests_in(key) & digests_in(others[kind])
    assert sorted(map(len, digests_in(keys["closure"]))) == [32, 64]


def digests_in(key: str) -> set[str]:
    return set(re.findall("[0-9a-f]{32,}", key))


def test_calls_under_a_secret_hit() -> None:
    with Cache(key_secret=SECRET) as cache:
        asked = []

        def ask(text: str) -> str:
            asked.append(text)
            return text.upper()

        async def aask(text: str) -> str:
            return ask(text)

        one, two = cache.cached(key_prefix="one")(ask), cache.cached(key_prefix="two")(aask)
        assert [one("a"), one("a"), one(text="a"), one("b")] == ["A", "A", "A", "B"]
        assert [asyncio.run(two("a")), asyncio.run(two("a"))] == ["A", "A"]
        assert asked == ["a", "b", "a"]
        assert (one.cache_info().hits, two.cache_info().hits) == (2, 1)
        assert one.invalidate("a")
        one.cache_clear()
        assert one("b") == "B"
        assert asked == ["a", "b", "a", "b"]


def test_given_keys_stay_as_they_are() -> None:
    with Cache(key_secret=SECRET) as cache:
        cache.set("mine", 1)
        assert cache.get_or_set("mine", lambda: 2) == 1
        assert cache.invalidate("min?") == 1


def test_a_secret_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    def fails(text: str) -> str:
        raise KeyError(text)

    for secret in (b"canary-key-secret", "canary-key-secret"):
        with Cache(key_secret=secret, redis="redis://127.0.0.1:1") as cache:
            call = cache.cached(fails)
            calls: list[Callable[[], object]] = [
                lambda call=call: call("x"),  # type: ignore[misc]
                lambda call=call: call(object()),  # type: ignore[misc]
                lambda cache=cache: pickle.dumps(cache),  # type: ignore[misc]
            ]
            for wrong in calls:
                with pytest.raises((KeyError, TypeError)) as caught:
                    wrong()
                shown.append("".join(traceback.format_exception(caught.value)))
            assert "VCACHE_KEY_SECRET" in shown[-1]
            shown += [repr(cache), repr(cache._config), repr(cache.stats())]
            shown += [repr(cache._digest), repr(cache.get_stats()), repr(cache.healthy())]
    text = "\n".join([*shown, caplog.text])
    assert "canary" not in text
    assert b"canary-key-secret".hex() not in text


def test_a_cache_with_the_environments_secret_is_pickled_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VCACHE_KEY_SECRET", OTHER)
    with Cache.from_env() as cache, Cache(key_secret=OTHER.encode()) as same:
        embeddings = EmbeddingCache(len, model="m", cache=cache)
        pickled = [pickle.dumps(each) for each in (cache, same, embeddings)]
        assert not [each for each in pickled if OTHER.encode() in each]
        with pickle.loads(pickled[0]) as copy:
            assert copy._config == cache._config
        assert pickle.loads(pickled[2]).key("x") == embeddings.key("x")
        monkeypatch.setenv("VCACHE_KEY_SECRET", OTHER + "!")
        with pytest.raises(TypeError, match="a Cache with key_secret cannot be pickled"):
            pickle.dumps(cache)
    monkeypatch.delenv("VCACHE_KEY_SECRET")
    with pytest.raises(ConfigError, match="VCACHE_KEY_SECRET: not set, but the pickled Cache had"):
        pickle.loads(pickled[0])
