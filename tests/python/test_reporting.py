from __future__ import annotations

import gc
import logging
import os
import threading
import weakref

import pytest
from polling import wait_until

from vcache import Cache, _ticker
from vcache._reporting import Report
from vcache._ticker import Ticker, ticker
from vcache.errors import ConfigError
from vcache.logs import EVENTS


class Clock:
    """Time that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def still() -> tuple[Ticker, Clock]:
    clock = Clock()
    return Ticker(clock, starts_threads=False), clock


def test_jobs_run_when_they_are_due() -> None:
    jobs, clock = still()
    ran: list[str] = []
    jobs.add(lambda: ran.append("a"), 5)
    b = jobs.add(lambda: ran.append("b"), 2)
    assert jobs.run_due() == 2
    clock.now += 2
    assert jobs.run_due() == 2
    assert ran == ["b"]
    clock.now += 3
    assert jobs.run_due() == 2
    assert ran == ["b", "a", "b"]
    jobs.remove(b)
    jobs.remove(b)
    assert jobs.run_due() == 5


def test_a_job_that_raises_runs_again() -> None:
    jobs, clock = still()
    ran: list[float] = []

    def fail() -> None:
        ran.append(clock.now)
        raise OSError

    jobs.add(fail, 1)
    for _ in range(3):
        clock.now += 1
        jobs.run_due()
    assert len(ran) == 3


def test_a_job_may_remove_itself_and_others() -> None:
    jobs, clock = still()
    ran: list[str] = []
    later = jobs.add(lambda: ran.append("later"), 1.5)
    first = jobs.add(lambda: (jobs.remove(first), jobs.remove(later)), 1)
    clock.now += 2
    jobs._all.reverse()
    runner = threading.Thread(target=jobs.run_due)
    jobs._thread = runner  # as the ticker's own thread, which waits for nobody
    runner.start()
    runner.join(10)
    assert ran == []
    assert jobs.run_due() is None


def test_only_who_runs_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The close of one cache does not wait for the Redis of another."""
    monkeypatch.setattr(_ticker, "_PATIENCE", 3600.0)
    jobs, begun, go_on, gone = Ticker(), *(threading.Event() for _ in range(3))

    def slow() -> None:
        begun.set()
        assert go_on.wait(60)

    running, other = jobs.add(slow, 0.01), jobs.add(gone.set, 3600)
    assert begun.wait(20)
    jobs.remove(other)
    removing = threading.Thread(target=lambda: (jobs.remove(running), gone.set()))
    removing.start()
    wait_until(lambda: running not in jobs._all)
    assert not gone.is_set(), "it runs"
    go_on.set()
    removing.join(20)
    assert gone.is_set()
    wait_until(lambda: jobs.is_idle)


def test_the_thread_ends_with_the_last_job() -> None:
    jobs = Ticker()
    ran = threading.Event()
    job = jobs.add(ran.set, 0.01)
    assert ran.wait(20)
    jobs.remove(job)
    wait_until(lambda: jobs.is_idle)
    again = threading.Event()
    job = jobs.add(again.set, 0.01)
    assert again.wait(20)
    jobs.remove(job)
    wait_until(lambda: jobs.is_idle)


def test_a_line_now(caplog: pytest.LogCaptureFixture) -> None:
    with Cache(namespace="ns") as cache, caplog.at_level(logging.INFO, "vcache.stats"):
        cache.set("secret:1", 1)
        cache.get("secret:1")
        cache.get("secret:2")
        cache.log_stats()
    (record,) = caplog.records
    fields = record.fields  # type: ignore[attr-defined]
    assert set(fields) == set(EVENTS["stats"])
    assert (fields["requests"], fields["hits"], fields["hit_rate"]) == (2, 1, 0.5)
    assert (fields["namespace"], fields["policy"], fields["breaker"]) == ("ns", "s3fifo", None)
    assert record.getMessage().startswith("ns: 2 requests, hit rate 50.00%")
    assert "secret" not in caplog.text


def test_lines_every_so_often_have_what_came_since(caplog: pytest.LogCaptureFixture) -> None:
    jobs, clock = still()
    with Cache() as cache, caplog.at_level(logging.INFO, "vcache.stats"):
        cache.get("a")
        report = Report(cache.stats, "vcache", jobs, clock)
        report.start(10)
        for _ in range(2):
            cache.set("a", 1)
            cache.get("a")
            clock.now += 10
            jobs.run_due()
        clock.now += 10
        jobs.run_due()
        report.stop()
        clock.now += 10
        assert jobs.run_due() is None
    fields = [record.fields for record in caplog.records]  # type: ignore[attr-defined]
    assert [each["requests"] for each in fields] == [2, 3, 3]
    assert [each["recent_requests"] for each in fields] == [1, 1, 0]
    assert [each["recent_hit_rate"] for each in fields] == [1.0, 1.0, None]
    assert [each["seconds"] for each in fields] == [10, 10, 10]


def test_a_cache_is_not_kept_alive_by_its_lines() -> None:
    jobs, clock = still()
    cache = Cache()
    seen = weakref.ref(cache)
    Report(cache.stats, "vcache", jobs, clock).start(1)
    del cache
    gc.collect()
    assert seen() is None
    clock.now += 1
    jobs._thread = threading.current_thread()
    assert jobs.run_due() is None


def test_off_costs_no_thread_and_close_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    before = threading.active_count()
    with Cache() as cache:
        cache.log_stats(every=None)
        assert threading.active_count() <= before, "those of other tests may end meanwhile"
    with caplog.at_level(logging.INFO, "vcache.stats"):
        with Cache(metrics_interval="100ms") as cache:
            wait_until(lambda: caplog.records)
            cache.log_stats(every="1h")
            cache.log_stats(every="2h")
            assert len(ticker._all) == 1
        wait_until(lambda: ticker.is_idle)


@pytest.mark.parametrize("every", ["50ms", 0, -1, "soon", float("nan"), True])
def test_bad_interval(every: object) -> None:
    with pytest.raises(ValueError, match="allowed is None, for never, or at least 100 ms"):
        Cache(metrics_interval=every)  # type: ignore[arg-type]
    with Cache() as cache, pytest.raises(ValueError, match="every="):
        cache.log_stats(every=every)  # type: ignore[arg-type]
    with Cache() as cache, pytest.raises(TypeError, match="of type list"):
        cache.log_stats(every=[])  # type: ignore[arg-type]
    assert ticker.is_idle
    assert issubclass(ConfigError, ValueError)


def test_a_handler_that_raises_is_told_of_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    jobs, clock = still()

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("text of a customer")

    logger, broken = logging.getLogger("vcache.stats"), Broken(logging.INFO)
    broken.addFilter(lambda record: record.levelno == logging.INFO)
    logger.addHandler(broken)
    try:
        with Cache() as cache, caplog.at_level(logging.INFO, "vcache.stats"):
            Report(cache.stats, "vcache", jobs, clock).start(1)
            for _ in range(2):
                clock.now += 1
                assert jobs.run_due() == 1
    finally:
        logger.removeHandler(broken)
    told = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 2
    assert "customer" not in caplog.text


def test_a_forked_child_goes_on_with_figures_of_its_own() -> None:
    reader, writer = os.pipe()

    class ToPipe(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            fields = record.fields  # type: ignore[attr-defined]
            os.write(writer, b"%d %d\n" % (os.getpid(), fields["requests"]))

    logger, handler = logging.getLogger("vcache.stats"), ToPipe()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with Cache(metrics_interval="100ms") as cache, os.fdopen(reader, "r") as told:
            child = os.fork()
            if child == 0:
                try:
                    cache.get("only here")
                    threading.Event().wait(60)
                finally:
                    os._exit(0)
            wanted = f"{child} 1\n"
            assert any(told.readline() == wanted for _ in range(1000))
            assert any(told.readline().startswith(f"{os.getpid()} 0") for _ in range(1000))
            os.kill(child, 9)
            os.waitpid(child, 0)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        os.close(writer)
