"""Rollouts over Redis, whose state all processes share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis_server import RedisServer
from running import Talking

from vcache import Cache
from vcache.errors import ConfigError, RedisError
from vcache.rollout import Limits, Rollout, Stage

WORKER = Path(__file__).parents[1] / "support" / "rollout_worker.py"
SHARES = ("0.1", "0.5", "1")
KEYS = [f"key:{number}" for number in range(60)]
HALF = (Stage(0.5, "1h"), Stage(1, "1h"))

Make = Callable[..., Cache]
Eventually = Callable[[Callable[[], object]], None]


class Worker(Talking):
    """A process of a rollout, as rollout_worker.py is."""

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self) -> None:
        self.spawn([sys.executable, str(WORKER), self._url, *SHARES])
        assert self.hear() == "ready"

    def ask(self, *call: Any) -> Any:
        self.say(json.dumps(call))
        return json.loads(self.hear())


@pytest.fixture
def start(redis_server: RedisServer) -> Iterator[Callable[[], Worker]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Worker(redis_server.url))


def two(make_cache: Make, **options: Any) -> Rollout:
    """One more process would have the same."""
    named = {"stages": HALF, "check_every": None} | options
    return Rollout(make_cache(), make_cache(policy="lru"), **named)


def test_processes_share_the_stage_and_the_keys(start: Callable[[], Worker]) -> None:
    one, other = start(), start()
    assert one.ask("sides", *KEYS) == other.ask("sides", *KEYS)
    assert one.ask("advance") == ["running", 0.5, "by hand"]
    assert other.ask("check")[:2] == ["running", 0.5]
    assert one.ask("sides", *KEYS) == other.ask("sides", *KEYS)
    one.ask("set", KEYS[0], 1)
    assert other.ask("get", KEYS[0]) == 1
    assert other.ask("roll_back", "it is slow") == ["rolled_back", 0.0, "it is slow"]
    assert one.ask("check") == ["rolled_back", 0.0, "it is slow"]
    assert set(one.ask("sides", *KEYS)) == {"control"}


def test_a_restart_goes_on_where_it_was(start: Callable[[], Worker]) -> None:
    first = start()
    first.ask("advance")
    sides = first.ask("sides", *KEYS)
    first.ask("set", KEYS[0], 7)
    first.stop()
    second = start()
    assert second.ask("check")[:2] == ["running", 0.5]
    assert second.ask("sides", *KEYS) == sides
    assert second.ask("get", KEYS[0]) == 7


def test_a_crash_after_a_rollback_changes_nothing(start: Callable[[], Worker]) -> None:
    first = start()
    first.ask("roll_back", "worse")
    first.stop()
    assert start().ask("check") == ["rolled_back", 0.0, "worse"]


def test_many_processes_decide_once(make_cache: Make) -> None:
    rollouts = [two(make_cache) for _ in range(4)]
    for rollout in rollouts:
        rollout.roll_back(f"by {rollouts.index(rollout)}")
    reports = [rollout.check() for rollout in rollouts]
    assert {report.phase for report in reports} == {"rolled_back"}
    assert {report.why for report in reports} == {"by 0"}
    assert all(
        [event.kind for event in report.events] == ["began", "rolled_back"] for report in reports
    )


@pytest.mark.parametrize("redis_user", ["default", "least"])
def test_one_namespace_shares_what_is_stored(make_cache: Make) -> None:
    rollout = two(make_cache)
    key = next(key for key in KEYS if rollout.side_of(key) == "control")
    rollout.set(key, 1, tags=["t"])
    rollout.advance()
    assert rollout.side_of(key) == "canary"
    assert rollout.get(key) == 1, "the canary does not begin cold"
    rollout.invalidate_tags("t")
    rollout.roll_back()
    assert rollout.get(key) is None


def test_one_namespace_sees_each_others_writes(make_cache: Make, eventually: Eventually) -> None:
    rollout = two(make_cache)
    key = next(key for key in KEYS if rollout.side_of(key) == "control")
    rollout.set(key, "old")
    assert rollout.get(key) == "old"
    rollout.advance()
    rollout.set(key, "new")
    rollout.roll_back()
    eventually(lambda: rollout.get(key) == "new")
    assert rollout.delete(key)
    assert not rollout.delete(key)
    eventually(lambda: rollout.get(key) is None)


def test_other_namespaces_hold_no_older_value(make_cache: Make) -> None:
    control, canary = make_cache(namespace="ns"), make_cache(namespace="vcache", memory=0)
    rollout = Rollout(control, canary, stages=HALF, check_every=None)
    key = next(key for key in KEYS if rollout.side_of(key) == "control")
    rollout.set(key, "old")
    rollout.advance()
    assert rollout.get_or_set(key, lambda: "new") == "new"
    rollout.roll_back()
    assert rollout.get(key) is None
    assert control.get(key) is None


def test_another_encryption_needs_another_namespace(make_cache: Make) -> None:
    control = make_cache()
    with pytest.raises(ConfigError, match="a namespace of its own"):
        Rollout(control, make_cache(encryption_key="ab" * 32))
    Rollout(control, make_cache(encryption_key="ab" * 32, namespace="ns"))


def test_a_silent_redis_leaves_the_stage_as_it_was(
    make_cache: Make, redis_server: RedisServer, eventually: Eventually
) -> None:
    rollout, other = two(make_cache, limits=Limits(errors=None)), two(make_cache)
    rollout.advance()
    redis_server.kill()
    assert rollout.check().problem is not None
    assert rollout.share == 1.0
    rollout.set("a", 1)
    assert rollout.get("a") == 1, "memory still has it"
    with pytest.raises(RedisError):
        rollout.restart()
    assert rollout.roll_back("down").share == 0.0
    redis_server.start()
    eventually(lambda: rollout.check().problem is None)
    eventually(lambda: other.check().phase == "rolled_back")
    assert other.report().why == "down"


def test_without_redis_at_first_all_keys_are_the_controls(
    make_cache: Make, redis_server: RedisServer, eventually: Eventually
) -> None:
    redis_server.kill()
    rollout = two(make_cache)
    assert (rollout.phase, rollout.share) == (None, 0.0)
    redis_server.start()
    eventually(lambda: rollout.check().phase == "running")
    assert rollout.share == 0.5


def test_calls_have_it_checked(make_cache: Make, eventually: Eventually) -> None:
    rollout, other = two(make_cache, check_every=0.05), two(make_cache)
    other.roll_back("seen")

    def asked() -> bool:
        rollout.get("a")
        return rollout.phase == "rolled_back"

    eventually(asked)


class Minutes:
    """Look-ups of a rollout over Redis, on a clock that goes on by itself with each quarter."""

    def __init__(self, control: Cache, canary: Cache, **limits: float) -> None:
        self.now = 1_800_000_000.0
        self.rollout = Rollout(
            control,
            canary,
            stages=HALF,
            limits=Limits(least_requests=100, **limits),  # type: ignore[arg-type]
            check_every=None,
            clock=lambda: self.now,
        )

    def pass_by(self, count: int) -> None:
        for _ in range(count * 4):
            for key in KEYS:
                self.rollout.get_or_set(key, lambda: 1)
            self.now += 15
            self.rollout.check()


def test_a_canary_without_memory_is_rolled_back(make_cache: Make) -> None:
    minutes = Minutes(make_cache(), make_cache(memory=0))
    for _ in range(15):  # a machine that is busy with other work takes longer to be sure
        minutes.pass_by(2)
    report = minutes.rollout.report()
    assert report.phase == "rolled_back"
    assert "a look-up takes" in (report.why or "")


def test_a_canary_whose_entries_leave_at_once_is_rolled_back(make_cache: Make) -> None:
    control, canary = make_cache(namespace="ns"), make_cache(namespace="vcache", ttl=0.001)
    minutes = Minutes(control, canary)
    minutes.pass_by(5)
    report = minutes.rollout.report()
    assert report.phase == "rolled_back"
    assert "the hit rate is" in (report.why or "")


def test_a_canary_as_good_goes_on(make_cache: Make) -> None:
    canary = make_cache(policy="lru", promotion_threshold=2)
    minutes = Minutes(make_cache(), canary, latency_least=1e-3)  # on a busy machine
    minutes.pass_by(61)
    report = minutes.rollout.report()
    assert (report.phase, report.share) == ("running", 1.0)
