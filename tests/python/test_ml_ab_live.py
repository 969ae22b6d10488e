"""ab_test() over a log that is being written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from access_lines import append, lines_of, rotate
from drifting_ids import drifting_ids

from vcache.ml import Comparison, ab_test

SIZE = 400
IDS = drifting_ids(30_000, 1)
PARTS = [part.tolist() for part in np.array_split(IDS, 6)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access_patterns.jsonl"
    path.touch()
    return path


def followed(log: Path, steps: Iterator[object], **arguments: object) -> Comparison:
    """A test that is followed by step after step, each before the log is looked at again, and ended
    by Ctrl-C some looks after the last.
    """
    looks_left = 6

    def progress(stage: str, share: float) -> None:
        nonlocal looks_left
        assert stage == "follow"
        assert 0 <= share < 1
        if next(steps, None) is None:
            looks_left -= 1
            if not looks_left:
                signal.raise_signal(signal.SIGINT)

    given = {"policy": "s3fifo", "capacity": SIZE, "duration": "1h"} | arguments
    return ab_test(access_log=log, progress=progress, **given)  # type: ignore[arg-type]


def written(log: Path, between: Callable[[int], object] = lambda number: None) -> Iterator[object]:
    """Appends the parts of the requests, and does something before each."""
    for number, part in enumerate(PARTS):
        between(number)
        append(log, lines_of(part))
        yield True


def test_what_is_written_meanwhile_counts_as_in_a_trace(log: Path) -> None:
    def at_once() -> Iterator[object]:
        append(log, lines_of(IDS.tolist()))
        yield True

    live = followed(log, at_once())
    of_trace = ab_test(IDS, "s3fifo", capacity=SIZE)
    assert not live.is_complete
    assert live.source == str(log)
    names = ("requests", "warm_up", "difference", "low", "high", "miss_ratio", "verdict")
    assert [getattr(live, name) for name in names] == [getattr(of_trace, name) for name in names]


def test_follows_rotations_and_loses_no_line(log: Path) -> None:
    def turn(number: int) -> None:
        if number % 2:
            rotate(log)

    found = followed(log, written(log, turn))
    assert found.requests + found.warm_up == len(IDS)
    assert found.skipped == 0
    assert found.verdict == "s3fifo misses fewer requests than lru"
    assert (log.parent / f"{log.name}.3").exists()


def test_follows_several_rotations_between_two_looks(log: Path) -> None:
    def steps() -> Iterator[object]:
        for part in PARTS[:3]:
            append(log, lines_of(part))
            rotate(log)
        append(log, lines_of(PARTS[3]))
        yield True

    found = followed(log, steps())
    assert found.requests + found.warm_up == sum(len(part) for part in PARTS[:4])


def test_goes_on_at_the_oldest_file_when_its_own_is_gone(log: Path) -> None:
    def steps() -> Iterator[object]:
        append(log, lines_of(PARTS[0]))
        yield True
        rotate(log)
        log.with_name(f"{log.name}.1").unlink()
        append(log, lines_of(PARTS[1]))
        yield True

    found = followed(log, steps())
    assert found.requests + found.warm_up == len(PARTS[0]) + len(PARTS[1])


def test_a_file_that_is_emptied_is_read_from_its_beginning(log: Path) -> None:
    def steps() -> Iterator[object]:
        append(log, lines_of(PARTS[0]))
        yield True
        log.write_text("")
        append(log, lines_of(PARTS[1][:100]))
        yield True

    found = followed(log, steps())
    assert found.requests + found.warm_up == len(PARTS[0]) + 100


def test_lines_are_read_once_they_are_whole(log: Path) -> None:
    def steps() -> Iterator[object]:
        text = lines_of(PARTS[0])
        for first in range(0, len(text), 50_001):
            append(log, text[first : first + 50_001])
            yield True

    found = followed(log, steps())
    assert found.requests + found.warm_up == len(PARTS[0])
    assert found.skipped == 0


def test_lines_that_are_none_are_counted(log: Path) -> None:
    def steps() -> Iterator[object]:
        append(log, "no json\n\n" + '{"key": -1}\n{"key": 1.5}\n{"time": 1}\n')
        append(log, '{"key": "' + "x" * (5 << 20) + '"}\n')
        append(log, lines_of(PARTS[0]) + '{"key": 7, "tier": null, "new": [1]}\n{"key": "cu')
        yield True
        rotate(log)
        append(log, lines_of(PARTS[1]))
        yield True

    found = followed(log, steps())
    assert found.requests + found.warm_up == len(PARTS[0]) + 1 + len(PARTS[1])
    assert found.skipped == 6


def test_what_the_log_holds_already_fills_the_caches_only(log: Path) -> None:
    append(log, lines_of(PARTS[0] + PARTS[1]))

    def steps() -> Iterator[object]:
        for part in PARTS[2:]:
            append(log, lines_of(part))
            yield True

    found = followed(log, steps(), capacity="10%")
    objects = len({*PARTS[0], *PARTS[1]})
    assert found.capacity == objects // 10
    assert found.requests == sum(len(part) for part in PARTS[2:])
    assert found.warm_up == len(PARTS[0]) + len(PARTS[1])
    assert found.difference is not None


def test_an_access_without_a_size_has_the_mean_of_all(log: Path) -> None:
    """Each object misses once, without a size, and is read once more."""

    def steps() -> Iterator[object]:
        for first in range(0, 4_000, 100):
            ids = range(first, first + 100)
            append(log, lines_of(ids, size=0) + lines_of(ids, size=100))
            yield True

    found = followed(log, steps(), capacity=22_000, unit="bytes", policy="fifo")
    assert found.requests > 3_000, "the caches were full"
    assert found.difference == 0, "110 objects fit in each half, 100 come at once"
    assert found.miss_ratio == pytest.approx(0.5, abs=0.01)


def test_a_cost_is_remembered_too(log: Path) -> None:
    def steps() -> Iterator[object]:
        for part in PARTS:
            costly = [key for key in part if key % 10 == 0]
            append(log, lines_of(costly, cost=100.0) + lines_of(part, cost=0))
            yield True

    found = followed(log, steps(), policy="gdsf", objective="cost")
    assert found.verdict == "gdsf misses less cost than lru"


def test_ends_when_its_time_is_over(log: Path) -> None:
    told: list[float] = []
    append(log, lines_of(PARTS[0]))
    writer = threading.Timer(0.05, append, (log, lines_of(PARTS[1])))
    writer.start()
    found = ab_test(
        access_log=log,
        policy="fifo",
        duration=0.5,
        capacity=SIZE,
        progress=lambda stage, share: told.append(share),
    )
    writer.join()
    assert found.is_complete
    assert found.seconds >= 0.5
    assert told[-1] == 1
    assert found.requests == len(PARTS[1])


def test_of_an_empty_log_there_is_no_share(log: Path) -> None:
    with pytest.raises(
        ValueError, match=r"capacity='10%': .* holds no accesses yet to take a shar"
    ):
        ab_test(access_log=log)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ab_test(access_log=tmp_path / "none.jsonl", capacity=SIZE)
