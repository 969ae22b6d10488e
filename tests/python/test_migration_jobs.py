"""Embedding in the background what the new model's cache has not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from migrating import TEXTS, Make, Two, made
from polling import wait_until
from sync_points import DEADLINE
from two_models import NEW, embeddings, rows

from vcache.errors import ConfigError
from vcache.migration import Job, Migration, Progress


@pytest.fixture
def make() -> Iterator[Make]:
    with made() as make:
        yield make


@pytest.fixture
def two(make: Make) -> Two:
    return make()


def test_only_what_is_missing_is_embedded(two: Two) -> None:
    two.new.embed(TEXTS[:10])
    two.new_model.batches.clear()
    progress = two.run([*TEXTS, *TEXTS[:5]], batch=8)
    assert (progress.seen, progress.embedded, progress.skipped) == (45, 30, 15)
    assert two.new_model.texts == TEXTS[10:]
    assert max(map(len, two.new_model.batches)) <= 8
    assert (progress.total, progress.share, progress.seconds_left) == (45, 1.0, 0.0)
    assert two.run().embedded == 0


def test_only_what_is_live(two: Two) -> None:
    two.old.embed(TEXTS[:10])
    progress = two.run(only_live=True)
    assert (progress.embedded, progress.dead) == (10, 30)
    assert two.migration.cut_over().phase == "cut_over"


def test_a_job_that_was_cut_short_is_begun_again(two: Two) -> None:
    def cancel(progress: Progress) -> None:
        if progress.seen >= 16:
            wait_until(lambda: two.migration._job is not None, DEADLINE)
            two.migration._job.cancel()  # type: ignore[union-attr]

    first = two.run(batch=8, on_progress=cancel)
    assert (first.state, first.embedded) == ("cancelled", 16)
    second = two.run(iter(TEXTS), batch=8)
    assert (second.state, second.embedded, second.skipped) == ("done", 24, 16)
    assert sorted(two.new_model.texts) == sorted(TEXTS)


def test_rate(two: Two) -> None:
    progress = two.run(batch=10, rate=200)
    assert progress.seconds >= 30 / 200, "the first batch waits for nothing"
    assert progress.rate <= 40 / (30 / 200)
    assert two.run(batch=10, rate=0.001).state == "done", "what is there takes no turn"


def test_a_wait_for_the_rate_can_be_cancelled(two: Two) -> None:
    job = two.migration.start(TEXTS, batch=10, rate=0.001)
    wait_until(lambda: job.progress.embedded == 10, DEADLINE)
    job.cancel()
    assert job.wait(DEADLINE).state == "cancelled"
    assert two.new_model.texts == TEXTS[:10]


def test_a_text_that_fails_keeps_no_other_back(two: Two) -> None:
    two.new_model.failing = {"text 3", "text 30"}
    progress = two.run([*TEXTS[:20], "\ud800", *TEXTS[20:]], batch=10)
    assert (progress.state, progress.embedded, progress.failed) == ("done", 38, 3)
    assert progress.seen == 41
    digest = two.new.key("text 3").rpartition(":")[2]
    assert progress.failures[0] == (digest, "LookupError")
    assert "text 3" not in json.dumps(progress.as_dict()), "no text is shown"
    with pytest.raises(ConfigError, match=r"the coverage is 0.9268: allowed is at least 0.99"):
        two.migration.cut_over()
    assert two.migration.phase == "dual"


def test_a_model_that_is_down_ends_the_job(two: Two) -> None:
    def fall(progress: Progress) -> None:
        two.new_model.is_down = progress.embedded >= 10

    job = two.migration.start(TEXTS, batch=10, retries=2, retry_after=0.001, on_progress=fall)
    with pytest.raises(LookupError):
        job.wait(DEADLINE)
    progress = job.progress
    assert (progress.state, progress.error, progress.embedded) == ("failed", "LookupError", 10)
    assert len(two.new_model.batches) == 1 + 3 + 8, "it is not asked for ever"
    two.new_model.is_down = False
    assert two.run().embedded == 30


def test_a_model_that_recovers(two: Two) -> None:
    calls = {"left": 2}

    def embed(texts: list[str]) -> Any:
        if calls["left"]:
            calls["left"] -= 1
            raise LookupError
        return rows(texts, NEW)

    new = embeddings(two.cache, embed, "flaky")
    job = Migration(two.old, new, name="flaky").start(TEXTS, retries=2, retry_after=0.001)
    progress = job.wait(DEADLINE)
    assert (progress.state, progress.embedded, progress.failed) == ("done", 40, 0)


def test_an_async_model(two: Two) -> None:
    async def embed(texts: list[str]) -> Any:
        return rows(texts, NEW)

    new = embeddings(two.cache, embed, "async")
    migration = Migration(two.old, new, name="async")
    assert migration.start(TEXTS, batch=8).wait(DEADLINE).embedded == 40
    assert new.find(TEXTS)[1].all()


def test_what_is_asked_for_is_taken_up(two: Two) -> None:
    migration = two.migration
    migration.embed(["before there is a job"])
    job = migration.start(follow=True)
    wait_until(lambda: job.progress.state == "following", DEADLINE)
    migration.embed(TEXTS)
    with pytest.raises(TypeError):
        migration.embed(["a", 5])  # type: ignore[list-item]
    wait_until(lambda: job.progress.embedded == 40, DEADLINE)
    assert two.new.find(TEXTS)[1].all()
    migration.cut_over()
    assert job.progress.state == "following"
    migration.roll_back()
    assert job.wait(DEADLINE).state == "cancelled"
    assert sorted(two.new_model.texts) == sorted(TEXTS)


def test_few_texts_wait_at_most(make: Make) -> None:
    two, go_on, begun = make(waiting=3), threading.Event(), threading.Event()

    def held(progress: Progress) -> None:
        begun.set()
        assert go_on.wait(DEADLINE)

    job = two.migration.start(TEXTS[:1], on_progress=held)
    assert begun.wait(DEADLINE)
    two.migration.embed(TEXTS[:10])
    go_on.set()
    assert job.wait(DEADLINE).dropped == 7


def test_a_job_ends_with_the_migration(two: Two) -> None:
    job = two.migration.start(follow=True)
    two.migration.cut_over(least=0)
    two.migration.finish()
    job._waiting.wake()
    assert job.wait(DEADLINE).state == "cancelled"
    with pytest.raises(ConfigError, match="is finished: allowed are dual and cut_over"):
        two.migration.start(TEXTS)


def test_one_job_at_a_time(two: Two) -> None:
    job = two.migration.start(follow=True)
    with pytest.raises(ConfigError, match="a job runs: allowed is one at a time"):
        two.migration.start(TEXTS)
    job.cancel()
    job.wait(DEADLINE)
    assert two.run().state == "done"


def test_a_job_ends_with_its_cache(two: Two) -> None:
    """It would have the model compute what nobody keeps."""
    going, go_on = threading.Event(), threading.Event()

    def held(progress: Progress) -> None:
        going.set()
        assert go_on.wait(DEADLINE)

    job = two.migration.start(TEXTS, batch=10, on_progress=held)
    assert going.wait(DEADLINE)
    two.cache.close()
    go_on.set()
    assert job.wait(DEADLINE).state == "cancelled"
    assert two.new_model.texts == TEXTS[:10]


def test_a_wait_that_is_over_before_the_job(two: Two) -> None:
    job = two.migration.start(follow=True)
    with pytest.raises(TimeoutError):
        job.wait(0)
    assert not job.done


def test_a_text_that_fails_often_is_not_covered(two: Two) -> None:
    two.new_model.failing = {"text 3"}
    progress = two.run([*TEXTS[:4], *["text 3"] * 200, *["text 1"] * 3], batch=1000)
    assert (progress.seen, progress.embedded, progress.skipped, progress.failed) == (207, 3, 3, 201)
    with pytest.raises(ConfigError, match="the coverage is 0.0290: allowed is at least 0.99"):
        two.migration.cut_over()


def test_texts_that_raise(two: Two) -> None:
    def texts() -> Iterator[str]:
        yield from TEXTS[:20]
        raise LookupError

    progress = two.run(texts, batch=10)
    assert (progress.state, progress.error, progress.embedded) == ("failed", "LookupError", 20)
    assert two.run([*TEXTS[:20], 5]).error == "TypeError"


def test_a_listener_that_raises_stops_nothing(two: Two, caplog: pytest.LogCaptureFixture) -> None:
    def raising(progress: Progress) -> None:
        raise LookupError("text 3")

    assert two.run(on_progress=raising).embedded == 40
    assert {record.event for record in caplog.records} == {"listener_failed"}  # type: ignore[attr-defined]
    assert "text 3" not in caplog.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"texts": "text"}, "texts='text' of type str: allowed is an iterable"),
        ({"texts": 5}, "texts=5 of type int: allowed is an iterable"),
        ({"batch": 0}, "batch=0: allowed is an int of 1 or more"),
        ({"rate": 0}, "rate=0: allowed are None and a finite number above 0"),
        ({"rate": float("nan")}, "rate=nan"),
        ({"retries": -1}, "retries=-1: allowed is an int of 0 or more"),
        ({"retry_after": 0}, "retry_after=0"),
        ({"total": -1}, "total=-1: allowed is an int of 0 or more"),
    ],
)
def test_bad_jobs(two: Two, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        two.migration.start(**options)
    assert said in str(raised.value)
    assert two.migration.report().job is None


def test_a_job_is_of_the_process_that_began_it(two: Two) -> None:
    job: Job = two.migration.start(follow=True)
    job.cancel()
    assert not job.wait(DEADLINE).paused
    assert job.done
