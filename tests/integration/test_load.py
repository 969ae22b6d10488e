"""The load generator sees what it is there to see."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import load_vectors
import numpy as np
import pytest
from load_faults import Faults
from load_generator import Generator, Load
from load_history import History
from load_source import Source
from redis_server import RedisServer, is_installed
from sync_points import in_threads

from vcache import Cache

MakeCache = Callable[..., Cache]
ROOT = Path(__file__).resolve().parents[2]
KEY = np.array([0], np.uint64)


def is_right(history: History, version: int, begun: float) -> bool:
    return bool(history.may_return(KEY, np.array([version], np.uint64), begun)[0])


def written(history: History, *, sure: bool = True) -> int:
    versions = history.begin_write([0])
    history.end_write([0], versions, sure=sure)
    return int(versions[0])


def test_vectors_name_themselves_and_no_altered_byte_passes() -> None:
    keys, versions = np.arange(50, dtype=np.uint64), np.arange(50, dtype=np.uint64) * 7 + 1
    for dim in (5, 16, 33):
        made = load_vectors.make(keys, versions, dim)
        assert np.isfinite(made).all()
        assert len(np.unique(made.view(np.uint32)[:, 4:], axis=0)) == 50
        named, numbered, whole = load_vectors.names(made)
        assert whole.all()
        assert (named == keys).all()
        assert (numbered == versions).all()
        for index in range(dim):
            altered = made.copy()
            altered.view(np.uint32)[:, index] ^= 1
            assert not load_vectors.names(altered)[2].any()


def test_an_overwritten_version_is_right_only_for_reads_begun_before() -> None:
    history = History(1)
    assert not is_right(history, 1, time.monotonic()), "never written"
    first = written(history)
    before = time.monotonic()
    assert is_right(history, first, before)
    second = written(history)
    assert is_right(history, second, time.monotonic())
    assert is_right(history, first, before)
    assert not is_right(history, first, time.monotonic())
    history.end_delete([0], time.monotonic(), sure=True)
    assert not is_right(history, second, time.monotonic())


def test_either_of_two_writes_that_overlap_is_right() -> None:
    history = History(1)
    one, two = history.begin_write([0]), history.begin_write([0])
    assert is_right(history, int(one[0]), time.monotonic())
    history.end_write([0], two, sure=True)
    history.end_write([0], one, sure=True)
    for version in (one, two):
        assert is_right(history, int(version[0]), time.monotonic())
    third = written(history)
    assert not is_right(history, int(two[0]), time.monotonic())
    assert is_right(history, third, time.monotonic())


def test_a_write_in_doubt_ends_nothing_and_lasts_until_the_fault_is_over() -> None:
    history = History(1)
    first = written(history)
    doubted = written(history, sure=False)
    assert is_right(history, first, time.monotonic())
    third = written(history)
    assert not is_right(history, first, time.monotonic())
    assert is_right(history, doubted, time.monotonic()), "it may yet arrive"
    history.settle()
    fourth = written(history)
    assert [is_right(history, v, time.monotonic()) for v in (doubted, third, fourth)] == [
        False,
        False,
        True,
    ]


def test_what_is_undone_ends_nothing_until_the_next_write() -> None:
    history = History(1)
    first, second = written(history), written(history)
    moment = time.monotonic()
    third = written(history)
    history.undo_since(moment)
    assert not is_right(history, first, time.monotonic()), "it ended before"
    for version in (second, third):
        assert is_right(history, version, time.monotonic())
    fourth = written(history)
    for version in (second, third):
        assert not is_right(history, version, time.monotonic())
    history.undo_since(moment)
    history.end_delete([0], time.monotonic(), sure=True)
    for version in (second, third, fourth):
        assert not is_right(history, version, time.monotonic())


def test_a_fill_ends_nothing_and_is_ended_by_the_next_write() -> None:
    history = History(1)
    first = written(history)
    filled = history.begin_write([0])
    history.end_fill([0], filled, sure=True)
    for version in (first, int(filled[0])):
        assert is_right(history, version, time.monotonic())
    second = written(history)
    assert is_right(history, second, time.monotonic())
    for version in (first, int(filled[0])):
        assert not is_right(history, version, time.monotonic())


def test_what_get_or_set_makes_is_a_version_of_its_key(make_cache: MakeCache) -> None:
    mix = {"get_or_set": 5, "delete": 4, "set": 1}
    load = Load(threads=4, keys=20, seconds=0.3, mix=mix, fill=False)
    report = Generator(make_cache(), load).run()
    assert report.failures(expects_faults=False, recovery=1.0) == []
    assert report.checked > report.calls / 3


def test_a_source_is_asked_by_many_and_answers_one_at_a_time() -> None:
    source = Source(rate=100)
    started = time.monotonic()
    in_threads(*[lambda: source.ask(1)] * 3, *[lambda: source.ask(2)] * 2)
    assert time.monotonic() - started >= 5 / 100
    assert source.asked.calls == 5
    assert 1 < source.asked.most <= 5
    assert 1 <= source.asked.most_of_a_key <= 3


def test_a_flush_lasts_until_the_hit_rate_is_back(
    redis_server: RedisServer, make_cache: MakeCache
) -> None:
    """By a source that takes half a second for all keys."""
    faults, source = Faults(redis_server), Source(rate=40)
    load = Load(threads=4, keys=20, zipf=0, seconds=0, mix={"get_or_set": 1})
    one, other, steps = make_cache(), make_cache(), faults.steps("t=1.2 flush")
    report = Generator(one, load, steps, faults.counts, others=[other], source=source).run()
    assert report.failures(expects_faults=True, recovery=10.0) == []
    (flush,) = report.recoveries
    assert flush.seconds is not None
    assert flush.seconds > 10 / 40, "half of the keys are not nine of ten"
    assert report.faults["flush"] == 1
    assert report.source.calls == 20
    assert report.failures(expects_faults=True, recovery=10 / 40) != []


def test_a_flush_that_is_never_made_good_fails(
    redis_server: RedisServer, make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As nothing stores what is missing, or as nothing hit before."""
    monkeypatch.setattr("load_generator.LOST_AFTER", 1.5)
    for fill in (True, False):
        load = Load(threads=2, keys=20, seconds=0, mix={"get": 1}, fill=fill, prefix=f"{fill}")
        steps = Faults(redis_server).steps("t=1.2 flush")
        report = Generator(make_cache(), load, steps).run()
        assert report.recoveries[0].seconds is None
        assert report.failures(expects_faults=False, recovery=60.0) != []


@pytest.mark.parametrize("kind", ["torn", "crossed", "outdated", "shape", "exception"])
def test_what_is_wrong_is_counted(make_cache: MakeCache, kind: str) -> None:
    """By a cache that lies in one of the ways."""
    cache = make_cache()
    first: dict[str, Any] = {}

    class Liar:
        def __getattr__(self, name: str) -> Any:
            return getattr(cache, name)

        def set_vectors(self, keys: list[str], matrix: Any) -> None:
            for key, row in zip(keys, matrix, strict=True):
                first.setdefault(key, row.copy())
            cache.set_vectors(keys, matrix)

        def get(self, key: str) -> Any:
            if kind == "exception":
                raise RuntimeError(kind)
            found = cache.get(key)
            if found is None:
                return None
            if kind == "torn":
                return np.concatenate([found[:-1], found[:1]])
            return {
                "crossed": first["load:1" if key == "load:0" else "load:0"],
                "outdated": first[key],
                "shape": found[:-1],
            }[kind]

    load = Load(threads=2, keys=10, seconds=0.3, mix={"get": 1, "set": 1})
    report = Generator(Liar(), load).run()  # type: ignore[arg-type]
    if kind == "exception":
        assert report.exceptions["RuntimeError"] > 0
    else:
        assert set(report.wrong) == {kind}
    assert report.failures(expects_faults=False, recovery=1.0)
    assert report.failures(expects_faults=True, recovery=1.0)[-1].startswith("no fault")


def test_faults_strike_are_noticed_and_end(redis_server: RedisServer) -> None:
    faults = Faults(redis_server)
    load = Load(threads=4, keys=200, seconds=1.0, batch=8)
    with Cache(redis=redis_server.url, memory=0, timeout=0.1) as cache:
        steps = faults.steps("t=0.2 kill; t=0.4 start")
        report = Generator(cache, load, steps, faults.counts).run()
    assert report.faults["kill"] == 1
    assert report.noticed > 0
    assert report.recoveries[0].seconds is not None
    assert report.checked > 0
    assert report.failures(expects_faults=True, recovery=10.0) == []


@pytest.mark.skipif(not is_installed(), reason="redis-server is not installed")
@pytest.mark.parametrize(("script", "code"), [("t=0.2 kill; t=0.4 start", 0), ("t=0.3 heal", 1)])
def test_as_a_program(script: str, code: int) -> None:
    """A script whose faults never strike fails the run."""
    command = [sys.executable, "tests/load", "--seconds", "0.5", "--threads", "2", "--keys", "100"]
    done = subprocess.run(
        [*command, "--memory", "0", "--recovery", "15", "--script", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    summary = json.loads(done.stdout)
    assert summary["wrong"] == summary["exceptions"] == 0
    assert summary["requests"] > 0
