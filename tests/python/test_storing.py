"""What says how values are stored: checked, and secret where it must be."""

from __future__ import annotations

import base64
import logging
import os
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

from vcache import Cache
from vcache._storing import parse_keys
from vcache.errors import ConfigError
from vcache.options import RedisOptions

KEY = bytes(range(160, 192))
OTHER = bytes(range(32))


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("VCACHE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        KEY,
        bytearray(KEY),
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.b64encode(KEY).decode().rstrip("="),
        base64.urlsafe_b64encode(KEY).decode(),
    ],
)
def test_a_key_is_bytes_or_text(given: Any) -> None:
    assert parse_keys(given, "encryption_key") == (KEY,)
    assert parse_keys([OTHER, given], "encryption_key") == (OTHER, KEY)


BAD_KEYS = [
    "", b"", KEY[:31], KEY + b"x", KEY.hex()[:-1], KEY.hex() + "0", "g" * 64, "hunter2", 5, True,
    [], (), [None], [KEY, "hunter2"], [KEY] * 17, {"a": KEY}, f" {KEY.hex()}", "é" * 43,
]  # fmt: skip


@pytest.mark.parametrize("given", BAD_KEYS, ids=lambda given: type(given).__name__)
def test_a_bad_key_is_refused_and_not_shown(given: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^encryption_key: allowed are 32 bytes.*not shown$"
    ) as e:
        Cache(encryption_key=given)
    assert "hunter2" not in str(e.value)
    assert repr(KEY)[2:20] not in str(e.value)


def spellings(key: bytes) -> list[str]:
    return [key.hex(), base64.b64encode(key).decode(), repr(key)[2:-1], str(list(key))[1:-1]]


def test_a_key_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = []
    for key in (KEY, KEY.hex(), [KEY, OTHER]):
        with Cache(encryption_key=key, redis="redis://127.0.0.1:1") as cache:
            cache.set("k", {"a": 1})
            shown += [repr(cache), str(cache), repr(cache._config), repr(cache.stats())]
            shown += [repr(cache.get_stats()), repr(cache.healthy())]
            with pytest.raises(TypeError, match="VCACHE_ENCRYPTION_KEY") as caught:
                pickle.dumps(cache)
            shown.append("".join(traceback.format_exception(caught.value)))
    text = "\n".join([*shown, caplog.text])
    assert not [spelling for spelling in spellings(KEY) if spelling in text]


def test_no_variable_of_a_cache_or_of_its_pickling_shows_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "redis://user:canary-password@127.0.0.1:1"
    text = "canary-key-secret"
    shards = [RedisOptions(port=1, password="canary-password"), url.replace(":1", ":2")]
    for redis in (url, RedisOptions.from_url(url), shards):
        with Cache(encryption_key=KEY.hex(), key_secret=text, redis=redis) as cache:
            shown = [repr(cache), repr(vars(cache)), repr(cache._arguments)]
            monkeypatch.setenv("VCACHE_KEY_SECRET", text[:15])
            for key, raised in ((KEY, ConfigError), (OTHER, TypeError)):
                monkeypatch.setenv("VCACHE_ENCRYPTION_KEY", key.hex())
                with pytest.raises(raised) as caught:
                    pickle.dumps(cache)
                told = traceback.TracebackException.from_exception(
                    caught.value, capture_locals=True
                )
                shown += [str(frame.locals) for frame in told.stack[1:]]  # the first is this one
                shown += told.format_exception_only()
    everything = "".join(shown)
    assert "***" in everything
    assert not [each for each in ("canary", KEY.hex(), repr(KEY)[2:-1]) if each in everything]


def test_a_cache_with_a_password_is_pickled_with_it() -> None:
    url = "redis://user:pass@127.0.0.1:1"
    with Cache(redis=url) as cache, pickle.loads(pickle.dumps(cache)) as copy:
        assert copy._config == cache._config
        assert copy._config.redis.password == "pass"


def test_a_cache_with_the_environments_key_is_pickled_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VCACHE_ENCRYPTION_KEY", f"{KEY.hex()},{OTHER.hex()}")
    with Cache.from_env() as cache, Cache(encryption_key=[KEY, OTHER]) as same:
        pickled = pickle.dumps(cache)
        assert KEY.hex().encode() not in pickled + pickle.dumps(same)
        assert KEY not in pickled + pickle.dumps(same)
        with pickle.loads(pickled) as copy:
            assert copy._config == cache._config
        monkeypatch.setenv("VCACHE_ENCRYPTION_KEY", OTHER.hex())
        with pytest.raises(TypeError):
            pickle.dumps(cache)
    monkeypatch.delenv("VCACHE_ENCRYPTION_KEY")
    with pytest.raises(ConfigError, match="VCACHE_ENCRYPTION_KEY: not set"):
        pickle.loads(pickled)
