"""Migrations over Redis: crashes half way, and what other processes see."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis_server import RedisServer
from running import Talking
from two_models import NEW, OLD, Model, embeddings, rows

from vcache import Cache
from vcache.migration import Migration

WORKER = Path(__file__).parents[1] / "support" / "migration_worker.py"
TEXTS = [f"text {number}" for number in range(200)]

Eventually = Callable[[Callable[[], object]], None]


class Worker(Talking):
    """A process of a migration, as migration_worker.py is."""

    def __init__(self, url: str, embedded: Path) -> None:
        self._url, self._embedded = url, embedded

    def start(self) -> None:
        self.spawn([sys.executable, str(WORKER), self._url, str(self._embedded)])
        assert self.hear() == "ready"

    def ask(self, *call: Any) -> Any:
        self.say(json.dumps(call))
        return json.loads(self.hear())


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """The texts that any process had the new model embed."""
    path = tmp_path / "embedded"
    path.touch()
    return path


@pytest.fixture
def start(redis_server: RedisServer, embedded: Path) -> Iterator[Callable[[], Worker]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Worker(redis_server.url, embedded))


def test_a_crash_half_way_loses_nothing(start: Callable[[], Worker], embedded: Path) -> None:
    first = start()
    first.ask("embed", *TEXTS)
    assert first.ask("start", TEXTS, 10, 100.0, 60) >= 60
    first.stop()  # as a crash would
    before = embedded.read_text().splitlines()
    assert 60 <= len(before) < 200
    second = start()
    covered = second.ask("cover", *TEXTS)
    assert covered >= 60 / 200
    second.ask("start", TEXTS, 10, None, 200)
    progress = second.ask("wait")
    assert (progress["state"], progress["seen"], progress["failed"]) == ("done", 200, 0)
    assert progress["skipped"] == round(200 * covered)
    counts = Counter(embedded.read_text().splitlines())
    assert set(counts) == set(TEXTS)
    # Only the batch that was under way is embedded anew.
    assert sum(counts.values()) <= 210
    assert second.ask("cover", *TEXTS) == 1.0


def test_processes_share_the_phase(start: Callable[[], Worker]) -> None:
    one, other = start(), start()
    one.ask("start", TEXTS[:50], 10, None, 50)
    assert other.ask("answer", *TEXTS[:50]) == ["new", rows(TEXTS[:50], NEW).tolist()]
    assert other.ask("answer", *TEXTS[49:51]) == ["old", rows(TEXTS[49:51], OLD).tolist()]
    assert one.ask("cut_over", {"least": 0}) == ["cut_over", "new"]
    assert other.ask("embed", "a") == rows(["a"], OLD).tolist(), "until it looks"
    assert other.ask("check") == ["cut_over", "new"]
    assert other.ask("embed", "a") == rows(["a"], NEW).tolist()
    assert other.ask("roll_back", {"why": "worse"}) == ["rolled_back", "old"]
    assert one.ask("check") == ["rolled_back", "old"]
    assert one.ask("embed", "a") == rows(["a"], OLD).tolist()


def test_a_restart_goes_on_in_the_phase_it_was(start: Callable[[], Worker]) -> None:
    first = start()
    first.ask("cut_over", {"least": 0})
    first.stop()
    assert start().ask("embed", "a") == rows(["a"], NEW).tolist()


def two(cache: Cache, new: Model) -> Migration:
    old = embeddings(cache, Model(OLD), "old")
    return Migration(old, embeddings(cache, new, "new"), check_every=None)


def test_a_job_waits_for_redis(
    make_cache: Callable[..., Cache], redis_server: RedisServer, eventually: Eventually
) -> None:
    """What is embedded while it takes no writes would be lost with this process."""
    cache, model = make_cache(timeout=0.2, connect_timeout=0.2), Model(NEW)
    migration = two(cache, model)
    job = migration.start(follow=True)
    redis_server.kill()

    def breaks() -> bool:
        cache.get("any")
        redis = cache.stats().redis
        return redis is not None and redis["breaker"] != "closed"

    eventually(breaks)
    migration.embed(TEXTS[:20])
    eventually(lambda: job.progress.paused)
    assert model.batches == []
    redis_server.start()
    eventually(lambda: job.progress.embedded == 20)
    with make_cache() as fresh:
        assert two(fresh, Model(NEW))._new.find(TEXTS[:20])[1].all()
    job.cancel()
    assert job.wait(20).state == "cancelled"


def test_a_phase_without_redis_is_the_last_known(
    make_cache: Callable[..., Cache], redis_server: RedisServer, eventually: Eventually
) -> None:
    migration = two(make_cache(timeout=0.2, connect_timeout=0.2), Model(NEW))
    other = two(make_cache(), Model(NEW))
    migration.cut_over(least=0)
    redis_server.kill()
    assert migration.check().problem is not None
    assert migration.phase == "cut_over"
    assert migration.roll_back("down").serving == "old"
    redis_server.start()
    eventually(lambda: migration.check().problem is None)
    eventually(lambda: other.check().phase == "rolled_back")
    assert other.report().events[-1].why == "down"


def test_dropping_the_old_is_for_all_processes(
    make_cache: Callable[..., Cache], eventually: Eventually
) -> None:
    migration, other = two(make_cache(), Model(NEW)), two(make_cache(), Model(NEW))
    migration.embed(TEXTS[:30])
    assert other.embed(TEXTS[:30]).shape == (30, OLD)
    migration.start(TEXTS[:30]).wait(20)
    migration.cut_over()
    assert migration.finish(drop_old=True) == 30
    eventually(lambda: not any(map(other._old.has, TEXTS[:30])))
    assert all(map(other._new.has, TEXTS[:30]))
