"""warm() and awarm(): filling a cache from keys."""

from __future__ import annotations

import asyncio
import os
import threading
import types
from collections.abc import Generator, Iterator

import numpy as np
import pytest

from vcache import Cache
from vcache._warming import WarmReport


def values_of(keys: list[str]) -> dict[str, int]:
    return {key: int(key[1:]) for key in keys}


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Lets the other coroutines of the loop run."""
    yield


def test_fills_what_is_missing_in_batches() -> None:
    cache = Cache()
    cache.set("k3", "there")
    calls: list[list[str]] = []

    def factory(keys: list[str]) -> dict[str, int]:
        calls.append(keys)
        return values_of(keys)

    report = cache.warm([f"k{i}" for i in range(10)], factory, batch_size=4).wait(10)
    assert [len(keys) for keys in calls] == [3, 4, 2]
    assert (report.total, report.done, report.present, report.loaded) == (10, 10, 1, 9)
    assert report.share == 1.0
    assert (report.failed, report.errors, report.cancelled) == (0, (), False)
    assert report.seconds > 0
    assert cache.mget(["k0", "k3", "k9"]) == [0, "there", 9]


def test_counts_no_look_up() -> None:
    cache = Cache()
    cache.warm(["k1", "k2"], values_of).wait(10)
    stats = cache.stats()
    assert (stats.requests, stats.source_calls) == (0, 1)


def test_matrices_and_duplicates() -> None:
    cache = Cache()
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    report = cache.warm(["a", "b", "a", "c"], lambda keys: rows).wait(10)
    assert (report.done, report.loaded) == (4, 3)
    assert np.array_equal(cache.get("c"), rows[2])


def test_a_generator_is_read_as_it_goes() -> None:
    cache = Cache()
    read: list[int] = []
    went_on = threading.Event()

    def keys() -> Iterator[str]:
        for i in range(6):
            read.append(i)
            yield f"k{i}"

    def factory(some: list[str]) -> dict[str, int]:
        assert went_on.wait(10)
        return values_of(some)

    job = cache.warm(keys(), factory, batch_size=2)
    assert not job.done
    assert job.progress.total is None
    assert job.progress.share is None
    assert len(read) <= 2
    went_on.set()
    assert job.wait(10).total == 6


def test_a_batch_that_fails_is_told_of_and_the_rest_goes_on() -> None:
    cache = Cache()

    def factory(keys: list[str]) -> dict[str, int]:
        if "k2" in keys:
            raise OSError("the model is away")
        return values_of(keys)

    report = cache.warm([f"k{i}" for i in range(6)], factory, batch_size=2).wait(10)
    assert (report.loaded, report.failed) == (4, 2)
    assert report.failed_keys == ("k2", "k3")
    assert [type(error) for error in report.errors] == [OSError]
    assert cache.get("k5") == 5
    again = cache.warm(report.failed_keys, values_of).wait(10)
    assert again.loaded == 2


def test_keys_that_are_none_and_values_that_cannot_be_stored() -> None:
    cache = Cache()
    keys = ["k1", 7, "", "k" * 2000, "k2"]
    report = cache.warm(keys, lambda some: dict.fromkeys(some, 1)).wait(10)  # type: ignore[arg-type]
    assert (report.loaded, report.failed) == (2, 3)
    report = cache.warm(["a", "b"], lambda some: [object(), 2]).wait(10)
    assert report.failed == 2
    report = cache.warm(["c"], lambda some: [1, 2]).wait(10)
    assert "1 keys" in str(report.errors[0])
    assert cache.get("c") is None


def test_progress_is_told_after_each_batch() -> None:
    told: list[WarmReport] = []
    Cache().warm(["k1", "k2", "k3"], values_of, batch_size=1, progress=told.append).wait(10)
    assert [each.done for each in told] == [1, 2, 3]
    assert [each.share for each in told] == [pytest.approx(i / 3) for i in (1, 2, 3)]


def test_what_the_iterable_or_progress_raises_is_raised_by_wait() -> None:
    def keys() -> Iterator[str]:
        yield "k1"
        raise LookupError("the list has ended badly")

    job = Cache().warm(keys(), values_of, batch_size=1)
    with pytest.raises(LookupError, match="badly"):
        job.wait(10)
    assert job.done
    assert job.progress.loaded == 1


def test_cancel_ends_it_after_the_batch_at_hand() -> None:
    cache = Cache()
    began, go_on = threading.Event(), threading.Event()

    def factory(keys: list[str]) -> dict[str, int]:
        began.set()
        assert go_on.wait(10)
        return values_of(keys)

    job = cache.warm([f"k{i}" for i in range(1000)], factory, batch_size=1)
    assert began.wait(10)
    with pytest.raises(TimeoutError):
        job.wait(0)
    job.cancel()
    job.cancel()
    go_on.set()
    report = job.wait(10)
    assert report.cancelled
    assert report.done == 1
    assert job.done
    assert job.cancelled


def test_close_ends_it() -> None:
    cache = Cache()
    began, go_on = threading.Event(), threading.Event()

    def factory(keys: list[str]) -> dict[str, int]:
        began.set()
        assert go_on.wait(10)
        return values_of(keys)

    job = cache.warm((f"k{i}" for i in range(10**9)), factory, batch_size=1)
    assert began.wait(10)
    cache.close()
    go_on.set()
    assert job.wait(10).cancelled


def test_single_flight_with_readers() -> None:
    cache = Cache()
    began, go_on = threading.Event(), threading.Event()
    calls: list[str] = []

    def factory(keys: list[str]) -> dict[str, int]:
        calls.extend(keys)
        began.set()
        assert go_on.wait(10)
        return values_of(keys)

    job = cache.warm(["k1"], factory)
    assert began.wait(10)
    reader = threading.Thread(target=lambda: cache.get_or_set_many(["k1"], factory))
    reader.start()
    go_on.set()
    reader.join()
    job.wait(10)
    assert calls == ["k1"]


def test_without_a_factory_what_is_nowhere_is_absent() -> None:
    cache = Cache()
    cache.set("k1", 1)
    report = cache.warm(["k1", "k2"]).wait(10)
    assert (report.present, report.absent) == (1, 1)


def test_bad_arguments() -> None:
    cache = Cache()

    async def later(keys: list[str]) -> list[int]:
        return [1 for _ in keys]

    with pytest.raises(TypeError, match="keys='k1'"):
        cache.warm("k1", values_of)
    with pytest.raises(TypeError, match="keys=3"):
        cache.warm(3, values_of)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="factory=3"):
        cache.warm(["k1"], 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is async"):
        cache.warm(["k1"], later)
    with pytest.raises(ValueError, match="batch_size=0"):
        cache.warm(["k1"], values_of, batch_size=0)
    with pytest.raises(ValueError, match="ttl"):
        cache.warm(["k1"], values_of, ttl=-1)
    with pytest.raises(TypeError, match="progress=1"):
        cache.warm(["k1"], values_of, progress=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="timeout=-1"):
        cache.warm(["k1"], values_of).wait(-1)
    assert cache.warm([], values_of).wait(10) == WarmReport(
        total=0, seconds=pytest.approx(0, abs=1)
    )


def test_awarm_takes_async_factories_and_lets_others_run() -> None:
    async def factory(keys: list[str]) -> dict[str, int]:
        await turn()
        return values_of(keys)

    async def run() -> tuple[WarmReport, int]:
        cache = Cache()
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await turn()

        task = asyncio.create_task(other())
        report = await cache.awarm([f"k{i}" for i in range(8)], factory, batch_size=2)
        task.cancel()
        assert cache.get("k7") == 7
        return report, turns

    report, turns = asyncio.run(run())
    assert report.loaded == 8
    assert turns >= 4


def test_awarm_ends_with_its_caller() -> None:
    async def run() -> int:
        cache, done = Cache(), asyncio.Event()
        calls = 0

        async def factory(keys: list[str]) -> dict[str, int]:
            nonlocal calls
            calls += 1
            done.set()
            await asyncio.Event().wait()
            return values_of(keys)

        task = asyncio.create_task(cache.awarm(["k1", "k2"], factory, batch_size=1))
        await done.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return calls

    assert asyncio.run(run()) == 1


def test_in_a_forked_child_it_is_over() -> None:
    cache = Cache()
    began, go_on = threading.Event(), threading.Event()

    def factory(keys: list[str]) -> dict[str, int]:
        began.set()
        assert go_on.wait(10)
        return values_of(keys)

    job = cache.warm(["k1", "k2"], factory, batch_size=1)
    assert began.wait(10)
    child = os.fork()
    if child == 0:
        try:
            job.cancel()
            cache.close()
            ok = job.done and job.wait(10).done == 0
            ok = ok and Cache().warm(["k5"], values_of).wait(10).loaded == 1
        except BaseException:
            ok = False
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    go_on.set()
    assert job.wait(10).loaded == 2
