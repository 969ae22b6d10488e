"""`python -m vcache warm` and `bench`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from console_runs import console, console_json, environment
from redis_server import RedisServer
from terminals import OnTerminal

from vcache import Cache, EmbeddingCache

MakeCache = Callable[..., Cache]

FACTORY = """
import numpy as np

class Models:
    @staticmethod
    def values(keys):
        return {key: f"value of {key}" for key in keys}

def embed(texts):
    return np.array([[len(text), 1.0] for text in texts], "f4")

def fails_at_b(keys):
    if "b:1" in keys:
        raise ValueError("b:1 is too much\\nfor it")
    return [key.upper() for key in keys]

def too_few(keys):
    return []

async def later(keys):
    return keys

number = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a module of factories."""
    (tmp_path / "made.py").write_text(FACTORY)
    return tmp_path


def test_keys(redis_server: RedisServer, make_cache: MakeCache, folder: Path) -> None:
    cache = make_cache(memory=0)
    cache.set("a:1", "there")
    (folder / "keys").write_text("a:1\n\na:2\r\na:3\na:2\n")
    arguments = ("warm", "keys", "--factory", "made:Models.values", "--redis", redis_server.url)
    status, report = console_json(folder, *arguments, "--batch", "2", "--ttl", "1h")
    assert status == 0
    assert (report["lines"], report["computed"], report["found"]) == (4, 2, 2)
    assert cache.mget(["a:1", "a:2", "a:3"]) == ["there", "value of a:2", "value of a:3"]
    with redis_server.client() as client:
        assert 3_000_000 < client.pttl("vcache:a:3") <= 3_600_000
    status, text = console(folder, *arguments)
    assert status == 0
    assert "0 computed and stored, 4 were there" in text


@pytest.mark.parametrize("redis_user", ["least"])
def test_texts(redis_server: RedisServer, make_cache: MakeCache, folder: Path) -> None:
    (folder / "texts").write_text("one text\nähnlich\n" + "long " * 1000 + "\n", encoding="utf-8")
    status, report = console_json(
        *(folder, "warm", "texts", "--factory", "made:embed", "--texts", "m"),
        REDIS_URL=redis_server.url,
    )
    assert (status, report["computed"]) == (0, 3)

    def refuse(texts: list[str]) -> None:
        raise AssertionError(texts)

    embeddings = EmbeddingCache(refuse, model="m", cache=make_cache(memory=0))
    found = embeddings.embed(["one text", "ähnlich"])
    assert np.array_equal(found, np.array([[8, 1], [7, 1]], "f4"))


def test_from_the_input(redis_server: RedisServer, make_cache: MakeCache, folder: Path) -> None:
    command = [sys.executable, "-m", "vcache", "warm", "-", "--factory", "made:Models.values"]
    done = subprocess.run(
        [*command, "--redis", redis_server.url],
        input="x:1\nx:2",
        text=True,
        capture_output=True,
        cwd=folder,
        env=environment(folder),
        check=True,
    )
    assert "2 lines" in done.stdout
    assert make_cache().get("x:2") == "value of x:2"


def test_a_factory_that_fails(
    redis_server: RedisServer, make_cache: MakeCache, folder: Path
) -> None:
    (folder / "keys").write_text("a:1\nb:1\nc:1\n")
    arguments = ("warm", "keys", "--factory", "made:fails_at_b", "--batch", "1")
    redis = ("--redis", redis_server.url)
    status, text = console(folder, *arguments, *redis)
    assert status == 1
    assert "ValueError: b:1 is too much (from line 'b:1' on)" in text
    assert "1 computed and stored" in text
    assert make_cache().mget(["a:1", "b:1", "c:1"]) == ["A:1", None, None]
    status, text = console(folder, *arguments, *redis, "--keep-going")
    assert status == 1
    assert "1 failed" in text
    assert make_cache().mget(["a:1", "b:1", "c:1"]) == ["A:1", None, "C:1"]
    status, text = console(folder, "warm", "keys", "--factory", "made:too_few", *redis)
    assert (status, make_cache().get("b:1")) == (1, None)
    assert "ValueError" in text


@pytest.mark.parametrize(
    ("lines", "arguments", "says"),
    [
        (b"a\n" + b"x" * 1025 + b"\n", [], "line 2 has 1025 bytes: allowed are at most 1024"),
        (b"a\n\xff\n", [], "line 2: allowed is UTF-8 text"),
        (b"a\n", ["--factory", "made"], "allowed is MODULE:FUNCTION"),
        (b"a\n", ["--factory", "absent:f"], "absent cannot be imported (ModuleNotFoundError"),
        (b"a\n", ["--factory", "made:none"], "made has no none"),
        (b"a\n", ["--factory", "made:number"], "allowed is a function"),
        (b"a\n", ["--factory", "made:later"], "not async"),
        (b"a\n", ["--batch", "0"], "--batch=0: allowed is 1 to"),
        (b"a\n", ["--ttl", "-1"], "ttl='-1'"),
        (b"a\n", ["--texts", "m", "--ttl", "-1"], "ttl='-1'"),
    ],
)
def test_what_cannot_be_done_is_not_begun(
    redis_server: RedisServer, folder: Path, lines: bytes, arguments: list[str], says: str
) -> None:
    (folder / "keys").write_bytes(lines)
    given = ("--factory", "made:Models.values", "--redis", redis_server.url, *arguments)
    status, text = console(folder, "warm", "keys", *given)
    assert status == 2, text
    assert says in text
    with redis_server.client() as client:
        assert client.keys("vcache:*") == []


def test_without_a_file_or_redis(redis_server: RedisServer, folder: Path) -> None:
    given = ("--factory", "made:Models.values")
    status, text = console(folder, "warm", "none", *given, "--redis", redis_server.url)
    assert status == 2
    assert "No such file" in text
    (folder / "keys").write_text("a\n")
    status, text = console(folder, "warm", "keys", *given)
    assert status == 2
    assert "no Redis is configured" in text
    redis_server.stop()
    status, text = console(folder, "warm", "keys", *given, "--redis", redis_server.url)
    assert status == 3
    assert "0 computed" in text


def test_a_progress_bar_on_a_terminal(redis_server: RedisServer, folder: Path) -> None:
    (folder / "keys").write_text("".join(f"k:{number}\n" for number in range(5000)))
    command = [sys.executable, "-m", "vcache", "warm", "keys", "--factory", "made:Models.values"]
    command += ["--redis", redis_server.url, "--batch", "50"]
    with OnTerminal(command, environment(folder), folder) as screen:
        assert screen.read_to_end() == 0
        assert b"warm" in screen.raw
        assert any("5000 lines in" in line for line in screen.lines())


def test_bench(redis_server: RedisServer, tmp_path: Path) -> None:
    arguments = ("bench", "--seconds", "20ms")
    status, report = console_json(tmp_path, *arguments, "--redis", redis_server.url)
    assert status == 0
    figures = {each["work"]: each for each in report["figures"]}
    assert {"get a vector", "set a vector", "Redis: get a vector"} <= set(figures)
    for each in figures.values():
        assert 0 < each["seconds"] < 60
        assert each["faster"] == pytest.approx(each["against_seconds"] / each["seconds"])
    with redis_server.client() as client:
        assert client.keys("vcache:*") == []
    status, text = console(tmp_path, *arguments)
    assert status == 0
    assert "none is configured" in text
    assert "dict.get" in text


@pytest.mark.parametrize("redis_user", ["least"])
def test_bench_with_the_least_user(redis_server: RedisServer, tmp_path: Path) -> None:
    arguments = ("bench", "--seconds", "20ms", "--redis", redis_server.url, "--no-redis")
    assert console_json(tmp_path, *arguments)[0] == 0
    assert console_json(tmp_path, *arguments[:-1])[0] == 0


def test_bench_of_a_redis_that_is_away(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.stop()
    given = ("bench", "--seconds", "20ms", "--redis", redis_server.url)
    status, text = console(tmp_path, *given)
    assert status == 3
    assert "Redis cannot be reached" in text
    assert "get a vector" in text
    status, text = console(tmp_path, "bench", "--seconds", "2h")
    assert status == 2
    assert "--seconds='2h': allowed is 20ms to 1m" in text
