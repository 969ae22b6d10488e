"""The calls of a rollout: those of a Cache, over two."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from hypothesis import given, settings
from hypothesis import strategies as st
from sync_points import DEADLINE, Waiters, in_threads

from vcache import MISSING
from vcache.rollout import Rollout, Stage

STAGES = (Stage(0.5, 60), Stage(1, 60))
KEYS = [f"key:{number}" for number in range(12)]


class Two:
    """A rollout of half the keys, over caches of memory."""

    def __init__(self) -> None:
        self.control, self.canary = ClockedCache(), ClockedCache()
        self.rollout = Rollout(self.control, self.canary, stages=STAGES, check_every=None)

    def close(self) -> None:
        self.control.close()
        self.canary.close()


@pytest.fixture
def two() -> Iterator[Two]:
    made = Two()
    yield made
    made.close()


@pytest.fixture
def rollout(two: Two) -> Rollout:
    assert {two.rollout.side_of(key) for key in KEYS} == {"control", "canary"}
    return two.rollout


def test_each_key_is_in_the_cache_that_has_it(two: Two, rollout: Rollout) -> None:
    for number, key in enumerate(KEYS):
        rollout.set(key, number, tags=["t"], cost=1.0, metadata={"n": number}, ttl=60)
    for number, key in enumerate(KEYS):
        mine = getattr(two, rollout.side_of(key))
        other = two.canary if mine is two.control else two.control
        assert (mine.get(key), other.get(key)) == (number, None)
        assert rollout.get(key) == number
        assert rollout.lookup(key).metadata == {"n": number}
    assert rollout.get("none") is None
    assert rollout.get("none", 5) == 5


def test_batches_keep_order_and_duplicates(rollout: Rollout) -> None:
    rollout.mset({key: number for number, key in enumerate(KEYS)}, ttl=60)
    asked = [*reversed(KEYS), "none", KEYS[3], KEYS[3]]
    assert rollout.mget(asked, MISSING) == [*reversed(range(12)), MISSING, 3, 3]
    assert rollout.mget([]) == []
    assert rollout.mget(iter(KEYS[:2])) == [0, 1]
    rollout.mset([("a", 1), ("b", 2)])
    assert rollout.mget(["a", "b"]) == [1, 2]
    assert rollout.mdelete(["a", "a", "b", "c"]) == 2


def test_vectors(rollout: Rollout) -> None:
    matrix = np.arange(36, dtype=np.float32).reshape(12, 3)
    rollout.set_vectors(KEYS, matrix, cost=0.5)
    order = [7, 0, 3, 3, 11]
    rows, found = rollout.get_vectors([KEYS[i] for i in order])
    assert found.all()
    assert np.array_equal(rows, matrix[order])
    rows, found = rollout.get_vectors([*KEYS, "none"], dim=3)
    assert found.tolist() == [True] * 12 + [False]
    assert not rows[12].any()
    out = np.ones((12, 3), np.float32)
    rows, found = rollout.get_vectors(KEYS, out=out)
    assert rows is out
    assert np.array_equal(out, matrix)
    assert not rollout.get_vectors(KEYS, dtype="float64")[1].any()
    rows, found = rollout.get_vectors(["none", "none2", "none3", "x", "y", "z"])
    assert rows.shape == (6, 0)


def test_vectors_of_several_widths(two: Two, rollout: Rollout) -> None:
    of_control = [key for key in KEYS if rollout.side_of(key) == "control"]
    of_canary = [key for key in KEYS if rollout.side_of(key) == "canary"]
    rollout.set_vectors(of_control, np.ones((len(of_control), 2), np.float32))
    rollout.set_vectors(of_canary, np.ones((len(of_canary), 3), np.float32))
    for first, second, width in ((of_control, of_canary, 2), (of_canary, of_control, 3)):
        rows, found = rollout.get_vectors([first[0], *second])
        assert rows.shape == (1 + len(second), width)
        assert found.tolist() == [True] + [False] * len(second)
    assert rollout.get_vectors(KEYS, dim=2)[1].sum() == len(of_control)


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.ones((12, 3), np.float64), ValueError),
        (np.ones((11, 3), np.float32), ValueError),
        (np.ones((12, 6), np.float32)[:, ::2], ValueError),
        (np.ones(12, np.float32), ValueError),
        ([[1.0]], TypeError),
    ],
)
def test_a_bad_out(rollout: Rollout, out: Any, error: type[Exception]) -> None:
    rollout.set_vectors(KEYS, np.ones((12, 3), np.float32))
    with pytest.raises(error, match="out.*allowed is"):
        rollout.get_vectors(KEYS, out=out)


def test_reading_through(rollout: Rollout) -> None:
    calls: list[Any] = []

    def factory(missing: list[Any]) -> list[int]:
        calls.append(missing)
        return [len(key) for key in missing]

    assert rollout.get_or_set("one", lambda: 1, ttl=60, tags=["t"], cost=1) == 1
    assert rollout.get_or_set("one", lambda: 2) == 1
    values = rollout.get_or_set_many([*KEYS, KEYS[0]], factory, ttl=60)
    assert values == [len(key) for key in [*KEYS, KEYS[0]]]
    assert len(calls) == 2
    assert sorted([*calls[0], *calls[1]]) == sorted(KEYS)
    rollout.get_or_set_many(KEYS, factory)
    assert len(calls) == 2
    with pytest.raises(LookupError):
        rollout.get_or_set("raises", failing)
    assert rollout.get("raises") is None


def failing() -> Any:
    raise LookupError


def test_removing(two: Two, rollout: Rollout) -> None:
    for key in KEYS:
        rollout.set(key, 1, tags=["t"])
    assert rollout.delete(KEYS[0])
    assert not rollout.delete(KEYS[0])
    assert rollout.touch(KEYS[1], 60)
    assert rollout.exists(KEYS[1])
    assert not rollout.exists(KEYS[0])
    assert rollout.invalidate("key:1?") == 2
    rollout.invalidate_tags("t")
    assert rollout.mget(KEYS) == [None] * 12
    rollout.mset(dict.fromkeys(KEYS, 1))
    rollout.clear()
    assert two.control.mget(KEYS) == two.canary.mget(KEYS) == [None] * 12


def test_invalidations_reach_both(two: Two, rollout: Rollout) -> None:
    """Also what a key's former cache has of it."""
    ends: list[Callable[[str], Any]] = [
        rollout.delete,
        lambda key: rollout.mdelete([key]),
        rollout.invalidate,
        lambda _: rollout.invalidate_tags("t"),
        lambda _: rollout.clear(),
        lambda key: rollout.set(key, 2),
        lambda key: rollout.mset({key: 2}),
        lambda key: rollout.set_vectors([key], np.ones((1, 2), np.float32)),
    ]
    for end in ends:
        for key in KEYS[:4]:
            mine = two.control if rollout.side_of(key) == "control" else two.canary
            other = two.canary if mine is two.control else two.control
            other.set(key, 1, tags=["t"])
            end(key)
            assert other.get(key) is None


def test_an_older_value_does_not_come_back(rollout: Rollout) -> None:
    key = next(key for key in KEYS if rollout.side_of(key) == "control")
    rollout.set(key, "old")
    rollout.advance()
    assert rollout.side_of(key) == "canary"
    assert rollout.get_or_set(key, lambda: "new") == "new"
    rollout.roll_back()
    assert rollout.get(key) is None
    rollout.set(key, "newest")
    rollout.restart()
    rollout.advance()
    assert rollout.get(key) is None


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["set", "load", "delete", "get"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["advance", "back", "restart", "clear"]), st.just(0)),
    ),
    max_size=40,
)


@given(OPERATIONS)
@settings(max_examples=60)
def test_no_read_is_older_than_the_last_write(operations: list[tuple[str, int]]) -> None:
    two, newest, clock = Two(), dict[str, int](), 0
    rollout = two.rollout
    try:
        for name, number in operations:
            key, clock = KEYS[number], clock + 1
            if name == "set":
                rollout.set(key, clock)
                newest[key] = clock
            elif name == "load":
                value, now = rollout.get_or_set(key, lambda now=clock: now), clock
                assert value in (now, newest.get(key, now))
                newest[key] = value
            elif name == "delete":
                rollout.delete(key)
                newest.pop(key, None)
            elif name == "clear":
                rollout.clear()
                newest.clear()
            elif name == "advance" and rollout.phase == "running":
                rollout.advance()
            elif name == "back":
                rollout.roll_back()
            elif name == "restart":
                rollout.restart()
            for known in KEYS[:6]:
                assert rollout.get(known) in (None, newest.get(known))
    finally:
        two.close()


def test_the_twins(two: Two, rollout: Rollout) -> None:
    async def factory() -> int:
        return 3

    async def many(missing: list[Any]) -> list[int]:
        return [len(key) for key in missing]

    async def main() -> None:
        await rollout.aset("a", 1, tags=["t"])
        assert await rollout.aget("a") == 1
        assert (await rollout.alookup("a")).hit
        await rollout.amset(dict.fromkeys(KEYS, 2))
        assert await rollout.amget(KEYS) == [2] * 12
        assert await rollout.aget_or_set("b", factory, tags=["t"]) == 3
        assert await rollout.aget_or_set("c", lambda: 4) == 4
        assert await rollout.aget_or_set_many(["dd", "eee"], many) == [2, 3]
        await rollout.aset_vectors(KEYS, np.ones((12, 2), np.float32))
        assert (await rollout.aget_vectors(KEYS))[1].all()
        assert await rollout.aexists("a")
        assert await rollout.atouch("a", 60)
        assert await rollout.adelete("a")
        assert await rollout.amdelete(["dd", "none"]) == 1
        assert await rollout.ainvalidate("key:*") == 12
        await rollout.ainvalidate_tags("t")
        assert await rollout.aget("b", 7) == 7
        await rollout.aclear()
        assert await rollout.aget("c") is None

    asyncio.run(main())


def test_what_is_counted(two: Two, rollout: Rollout) -> None:
    key = next(key for key in KEYS if rollout.side_of(key) == "canary")
    rollout.get_or_set(key, lambda: 1)
    rollout.get_or_set(key, lambda: 1)
    rollout.get(key)
    rollout.lookup(key)
    rollout.mget([key, key])
    rollout.get_or_set_many([key, key], lambda _: [])
    rollout.delete(key)
    rollout.get(key)
    side = rollout.report().canary
    assert (side.requests, side.hit_rate) == (9, 7 / 9)
    assert rollout.report().control.requests == 0


def test_who_waits_for_a_factory_missed(rollout: Rollout, monkeypatch: pytest.MonkeyPatch) -> None:
    waiters, begun, go_on = Waiters(monkeypatch), threading.Event(), threading.Event()
    key = next(key for key in KEYS if rollout.side_of(key) == "control")

    def factory() -> int:
        begun.set()
        assert go_on.wait(DEADLINE)
        return 1

    def second() -> Any:
        assert begun.wait(DEADLINE)
        return rollout.get_or_set(key, factory)

    def release() -> None:
        waiters.wait_for(1)
        go_on.set()

    assert in_threads(lambda: rollout.get_or_set(key, factory), second, release)[:2] == [1, 1]
    side = rollout.report().control
    assert (side.requests, side.hit_rate, side.latency) == (2, 0.0, None)


def test_a_hit_while_its_value_is_refreshed_is_a_hit(two: Two, rollout: Rollout) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    key = next(key for key in KEYS if rollout.side_of(key) == "control")
    rollout.set(key, 1, ttl=10)
    two.control.clock.advance(9)

    def factory() -> int:
        begun.set()
        assert go_on.wait(DEADLINE)
        done.set()
        return 2

    assert rollout.get_or_set(key, factory, ttl=10, refresh_ahead=0.5) == 1
    assert begun.wait(DEADLINE)
    assert rollout.get_or_set(key, factory, ttl=10, refresh_ahead=0.5) == 1
    assert rollout.get_or_set_many([key], lambda _: [3], ttl=10, refresh_ahead=0.5) == [1]
    side = rollout.report().control
    assert (side.requests, side.hit_rate) == (3, 1.0)
    go_on.set()
    assert done.wait(DEADLINE)


@pytest.mark.parametrize("key", [5, None, "", b"", "x" * 1025, "\ud800"])
def test_bad_keys(rollout: Rollout, key: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: rollout.get(key),
        lambda: rollout.set(key, 1),
        lambda: rollout.mget([key]),
        lambda: rollout.get_or_set(key, lambda: 1),
        lambda: rollout.delete(key),
    ]
    for call in calls:
        with pytest.raises((TypeError, ValueError)):
            call()


def test_bad_values_and_factories(rollout: Rollout) -> None:
    with pytest.raises(TypeError):
        rollout.set("a", object())
    with pytest.raises(TypeError, match="factory=5"):
        rollout.get_or_set("a", 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is async"):
        rollout.get_or_set("a", make_one)
    with pytest.raises(TypeError, match="keys="):
        rollout.mget("abc")
    with pytest.raises(ValueError, match=r"allowed"):
        rollout.set_vectors(KEYS, np.ones((3, 2), np.float32))
    with pytest.raises(ValueError, match="allowed"):
        rollout.set("a", 1, ttl=-1)


async def make_one() -> int:
    return 1
