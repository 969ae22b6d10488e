"""A cache whose Redis user lacks one of the commands that vcache needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import least_user
import numpy as np
import pytest
from redis_server import RedisServer, is_installed
from two_models import NEW, OLD, Model, embeddings

from vcache import MISSING, Cache, RedisOptions
from vcache._boards import ASK
from vcache.migration import Migration
from vcache.rollout import Rollout

FORMAT = Path(__file__).parents[2] / "cpp" / "l2" / "codec" / "FORMAT.md"
VECTOR = np.arange(4, dtype="f4")


def use_everything(cache: Cache, other: Cache) -> None:
    """Every operation; none may raise, and what is found must be what was written."""
    for one in (cache, other):
        one.set("k", VECTOR, ttl=60)
        one.mset({"a": VECTOR, "b": VECTOR})
        one.set_vectors(["v", "w"], np.stack([VECTOR, VECTOR]), ttl=None)
        found = [one.get("k", MISSING), *one.mget(["a", "no", "b"], MISSING)]
        found += [one.lookup("a").value, one.get_or_set("made", lambda: VECTOR)]
        assert all(value is MISSING or np.array_equal(value, VECTOR) for value in found)
        one.get_vectors(["v", "w", "no"], dim=4)
        one.get_or_set_many(["m", "n"], lambda keys: keys)
        one.touch("k", 100)
        one.touch("k", None)
        one.exists("k")
        one.delete("k")
        one.mdelete(["a", "no"])
        one.set("tagged", VECTOR, tags=["red"])
        one.get_or_set("tagged too", lambda: VECTOR, tags=["red"])
        one.invalidate_tags("red")
        assert one.get("tagged", MISSING) is MISSING
        one.set("user:1", 1)
        one.invalidate("user:*")
        one.clear()
        one.healthy()
        stats = one.stats()
        assert stats.hits + stats.misses == stats.requests


def rejected(server: RedisServer) -> dict[str, int]:
    """Calls that the server refused, by command."""
    with server.client() as redis:
        stats: dict[str, Any] = redis.info("commandstats")
    return {name: row["rejected_calls"] for name, row in stats.items() if row["rejected_calls"]}


@pytest.mark.filterwarnings("ignore:Redis refuses CLIENT TRACKING")
@pytest.mark.parametrize("command", [*least_user.COMMANDS, "nothing"])
def test_r38_each_command_may_be_missing(tmp_path: Path, command: str) -> None:
    if not is_installed():
        pytest.skip("redis-server is not installed")
    words = least_user.rules(without=command)
    server = RedisServer(tmp_path, "--user", least_user.NAME, *words)
    server.start()
    login = {"port": server.port, "username": least_user.NAME, "password": least_user.PASSWORD}
    options = RedisOptions(**login, timeout=2)  # type: ignore[arg-type]
    try:
        with Cache(redis=options, jitter=0) as cache, Cache(redis=options, memory=0) as other:
            use_everything(cache, other)
            errors = sum(each.stats().redis["errors"].get("noperm", 0) for each in (cache, other))  # type: ignore[index]
            refused = rejected(server)
            assert bool(errors) == bool(refused), (refused, cache.stats().redis)
            assert cache.stats().redis["breaker"] == "closed"  # type: ignore[index]
        if command == "nothing":
            assert not refused
        if command in ("mget", "set", "unlink", "pexpire", "time", "info"):
            assert list(refused) == [f"cmdstat_{command}"]
    finally:
        server.stop()


@pytest.mark.filterwarnings("ignore:Redis refuses CLIENT TRACKING")
@pytest.mark.parametrize("command", ["nothing", "getrange", "set", "unlink"])
def test_r38_a_cache_is_announced_within_its_rights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    """Without one of them it is not seen, or for 15 s too long, and no caller is told."""
    if not is_installed():
        pytest.skip("redis-server is not installed")
    server = RedisServer(tmp_path, "--user", least_user.NAME, *least_user.rules(without=command))
    server.start()
    login = {"port": server.port, "username": least_user.NAME, "password": least_user.PASSWORD}
    options = RedisOptions(**login, timeout=2)  # type: ignore[arg-type]
    try:
        with Cache(redis=options, announce=True) as cache, server.client() as redis:
            assert cache._announcement is not None
            for _ in range(3):
                cache._announcement._tick()
            seen = len(redis.keys("vcache!live:*"))
            cache.close()
            left = len(redis.keys("vcache!live:*"))
        assert (seen, left) == {"nothing": (1, 0), "unlink": (1, 1)}.get(command, (0, 0))
        assert set(rejected(server)) == ({f"cmdstat_{command}"} if command != "nothing" else set())
        told = [record for record in caplog.records if record.name == "vcache.announce"]
        assert len(told) == (1 if command in ("getrange", "set") else 0)
    finally:
        server.stop()


@pytest.mark.filterwarnings("ignore:Redis refuses CLIENT TRACKING")
@pytest.mark.parametrize("command", ["nothing", "getrange", "watch", "set"])
def test_r38_processes_agree_within_their_rights(tmp_path: Path, command: str) -> None:
    """Without one of them the control and the old model serve, and the reports say why."""
    if not is_installed():
        pytest.skip("redis-server is not installed")
    server = RedisServer(tmp_path, "--user", least_user.NAME, *least_user.rules(without=command))
    server.start()
    login = {"port": server.port, "username": least_user.NAME, "password": least_user.PASSWORD}
    options = RedisOptions(**login, timeout=2)  # type: ignore[arg-type]
    try:
        with Cache(redis=options) as control, Cache(redis=options) as canary:
            rollout = Rollout(control, canary, check_every=None)
            old = embeddings(control, Model(OLD), "old")
            migration = Migration(old, embeddings(control, Model(NEW), "new"), check_every=None)
            if command == "nothing":
                rollout.advance()
                migration.cut_over(least=0)
            reports = (rollout.check(), migration.check())
        has_agreed = command == "nothing"
        assert [report.problem is None for report in reports] == [has_agreed] * 2
        phases = [report.phase for report in reports]
        assert phases == (["running", "cut_over"] if has_agreed else [None, None])
        assert set(rejected(server)) == (set() if has_agreed else {f"cmdstat_{command}"})
    finally:
        server.stop()


def test_keys_of_our_own_are_as_the_format_says(redis_server: RedisServer) -> None:
    """All that lies under NAMESPACE! is in the table of FORMAT.md."""
    rows = re.findall(r"^\| `NAMESPACE!([a-z]+)", FORMAT.read_text(encoding="utf-8"), re.MULTILINE)
    with Cache(redis=redis_server.url, namespace="ns", announce=True) as cache:
        cache.set("tagged", 1, tags=["red"])
        cache.invalidate_tags("red")
        cache.clear()
        assert cache._announcement is not None
        cache._announcement._tick()
        cache._tiers.write_blob(ASK, b"?", 60)
        Rollout(cache, Cache(redis=redis_server.url, namespace="ns"), name="one").canary.close()
        Migration(embeddings(cache, Model(OLD), "old"), embeddings(cache, Model(NEW), "new"))
        client = redis_server.client()
        found = [key.decode() for key in client.keys("*")]
        years = [
            client.pttl(f"ns!{name}") / (365 * 86_400_000)
            for name in ("rollout:one", "migration:migration")
        ]
    own = {key.removeprefix("ns!").partition(":")[0] for key in found if not key.startswith("ns:")}
    assert own >= {"gen", "tag", "live", "ask", "rollout", "migration"}
    assert own <= set(rows)
    assert all(9.9 < each <= 10 for each in years), "which model serves is not forgotten"


def test_r38_what_the_user_may_not_do(tmp_path: Path) -> None:
    if not is_installed():
        pytest.skip("redis-server is not installed")
    server = RedisServer(tmp_path, "--user", least_user.NAME, *least_user.rules())
    server.start()
    try:
        with server.client() as redis:
            dry: Callable[..., bytes] = lambda *words: redis.execute_command(  # noqa: E731
                "ACL", "DRYRUN", least_user.NAME, *words
            )
            assert dry("SET", "vcache:k", "1") == b"OK"
            assert dry("MGET", "vcache!gen") == b"OK"
            for words in (
                ("GET", "other:k"), ("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"),
                ("DEBUG", "SLEEP", "1"), ("EVAL", "return 1", "0"), ("SCRIPT", "FLUSH"),
                ("MODULE", "LIST"), ("PUBLISH", "c", "m"), ("CLIENT", "KILL", "ID", "1"),
            ):  # fmt: skip
                assert b"no permissions" in dry(*words).lower(), words
    finally:
        server.stop()
