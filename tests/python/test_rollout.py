"""The stages of a rollout: when it goes on, and when back, for how the canary does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clocked import ClockedCache
from rolling import HOUR, Traffic

from vcache.rollout import STAGES, Limits, Rollout, Stage

# Of 400 keys a tenth or so is the canary's: 160 look-ups a minute.
LIMITS = Limits(least_requests=100, window="2m", warmup="30s")

Make = Callable[..., Traffic]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Traffic] = []

    def traffic(**options: Any) -> Traffic:
        made.append(Traffic(**({"limits": LIMITS} | options)))
        return made[-1]

    yield traffic
    for each in made:
        each.close()


def kinds(rollout: Rollout) -> list[str]:
    return [event.kind for event in rollout.report().events]


def test_the_stages_are_those_of_the_contract() -> None:
    assert [stage.share for stage in STAGES] == [0.1, 0.5, 1.0]
    times = [(stage.seconds, stage.most_seconds) for stage in STAGES[:2]]
    assert times == [(2 * HOUR, 4 * HOUR), (4 * HOUR, 8 * HOUR)]


def test_a_good_canary_gets_all_keys(make: Make) -> None:
    stages = (Stage(0.1, "10m", "20m"), Stage(0.5, "20m", "40m"), Stage(1.0, "5m"))
    traffic = make(stages=stages)
    rollout = traffic.rollout
    assert (rollout.share, rollout.phase) == (0.1, "running")
    traffic.minutes(9)
    assert rollout.share == 0.1
    traffic.minutes(2)
    assert rollout.share == 0.5
    traffic.minutes(18)
    assert rollout.share == 0.5
    traffic.minutes(3)
    assert (rollout.share, rollout.phase) == (1.0, "running")
    traffic.minutes(6)
    assert (rollout.share, rollout.phase) == (1.0, "done")
    assert kinds(rollout) == ["began", "advanced", "advanced", "done"]
    traffic.minutes(6, canary=0.0)
    assert rollout.phase == "done", "it is over"


@pytest.mark.parametrize("share", [0.0, 0.5, 0.7])
def test_a_low_hit_rate_rolls_back_within_five_minutes(make: Make, share: float) -> None:
    traffic = make()
    traffic.minutes(10)
    assert traffic.rollout.phase == "running"
    traffic.minutes(5, canary=share)
    report = traffic.rollout.report()
    assert (report.phase, report.share) == ("rolled_back", 0.0)
    assert report.why is not None
    assert "the hit rate is" in report.why
    assert "allowed is 80.00%" in report.why
    assert {traffic.rollout.side_of(key) for key in traffic.keys} == {"control"}


def test_a_hit_rate_that_is_low_for_both_is_not_the_canarys_fault(make: Make) -> None:
    traffic = make()
    traffic.minutes(10, control=0.5, canary=0.5)
    assert traffic.rollout.phase == "running"
    traffic.minutes(4, control=0.7, canary=0.2)
    assert traffic.rollout.phase == "rolled_back"


def test_a_hit_rate_that_was_low_before_ends_no_last_stage(make: Make) -> None:
    stages = (Stage(0.5, "10m", "20m"), Stage(1.0, "10m"))
    traffic = make(stages=stages)
    traffic.minutes(11, control=0.5, canary=0.5)
    assert (traffic.rollout.share, traffic.rollout.phase) == (1.0, "running")
    traffic.minutes(11, canary=0.5)
    assert traffic.rollout.phase == "done"
    traffic.rollout.restart()
    traffic.minutes(11, control=0.5, canary=0.5)
    assert (traffic.rollout.share, traffic.rollout.phase) == (1.0, "running")
    traffic.minutes(5, canary=0.3)
    report = traffic.rollout.report()
    assert report.phase == "rolled_back", "worse than it was for the control"
    assert "allowed is 39" in (report.why or "") or "allowed is 40" in (report.why or "")


def test_a_drop_of_the_hit_rate(make: Make) -> None:
    limits = Limits(least_requests=100, warmup=None, hit_rate=None, hit_rate_drop=0.05)
    traffic = make(limits=limits)
    traffic.minutes(5, control=0.95, canary=0.95)
    assert traffic.rollout.phase == "running"
    traffic.minutes(4, control=0.95, canary=0.6)
    report = traffic.rollout.report()
    assert report.phase == "rolled_back"
    assert "allowed is 5.00% less" in (report.why or "")


def test_a_cold_canary_is_given_time(make: Make) -> None:
    traffic = make(limits=Limits(least_requests=100, window="2m", warmup="5m"))
    traffic.minutes(4, canary=0.0)
    assert traffic.rollout.phase == "running"
    traffic.minutes(10)
    assert traffic.rollout.phase == "running"


def test_latency_rolls_back_within_five_minutes(make: Make) -> None:
    traffic = make()
    traffic.control.seconds = 100e-6
    traffic.canary.seconds = 104e-6
    traffic.minutes(10)
    assert traffic.rollout.phase == "running", "4 % are allowed"
    traffic.canary.seconds = 120e-6
    traffic.minutes(5)
    report = traffic.rollout.report()
    assert report.phase == "rolled_back"
    assert report.why is not None
    assert "a look-up takes" in report.why
    assert "allowed is 5.0%" in report.why


def test_a_canary_whose_memory_is_cold_may_be_slow(make: Make) -> None:
    traffic = make()
    traffic.control.seconds, traffic.canary.seconds = 1e-6, 1e-4
    traffic.minutes(4)
    assert traffic.rollout.phase == "running"
    traffic.canary.seconds = 1e-6
    traffic.minutes(5)
    assert traffic.rollout.phase == "running"


def test_a_canary_that_is_slow_from_the_start_ends_within_five_minutes(make: Make) -> None:
    traffic = make()
    traffic.control.seconds, traffic.canary.seconds = 1e-4, 1.2e-4
    traffic.minutes(5)
    assert traffic.rollout.phase == "rolled_back"


def test_a_difference_that_nobody_feels_is_none(make: Make) -> None:
    traffic = make()
    traffic.control.seconds, traffic.canary.seconds = 1e-6, 2.5e-6
    traffic.minutes(8)
    assert traffic.rollout.phase == "running"
    traffic.canary.seconds = 4e-6
    traffic.minutes(3)
    assert traffic.rollout.phase == "rolled_back"


def test_what_slows_both_down_is_not_the_canarys_fault(make: Make) -> None:
    traffic = make()
    for factor in (1, 9, 1, 30, 2, 1, 5):
        traffic.control.seconds, traffic.canary.seconds = 1e-4 * factor, 1.01e-4 * factor
        traffic.minutes(1)
    assert traffic.rollout.phase == "running"


def test_errors_roll_back_within_five_minutes(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    traffic = make()
    traffic.minutes(3)
    counts = {"errors": 0}
    stats = traffic.canary.stats

    def failing() -> Any:
        counts["errors"] += 4  # of about 40 look-ups
        return _replaced(stats(), errors=counts["errors"])

    monkeypatch.setattr(traffic.canary, "stats", failing)
    traffic.minutes(5)
    report = traffic.rollout.report()
    assert report.phase == "rolled_back"
    assert "met an error" in (report.why or "")


def _replaced(stats: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(stats, **changes)


def test_limits_can_be_off(make: Make) -> None:
    limits = Limits(least_requests=100, warmup=None, hit_rate=None, latency=None, errors=None)
    traffic = make(limits=limits)
    traffic.canary.seconds = 1.0
    traffic.minutes(6, canary=0.0)
    assert traffic.rollout.phase == "running"


def test_too_few_look_ups_are_no_judgement(make: Make) -> None:
    stages = (Stage(0.1, "2m", "4m"), Stage(1.0, "1h"))
    traffic = make(stages=stages, limits=Limits(least_requests=10**6, warmup=None))
    traffic.minutes(3, canary=0.0)
    assert (traffic.rollout.phase, traffic.rollout.share) == ("running", 0.1)
    traffic.minutes(2)
    report = traffic.rollout.report()
    assert report.phase == "rolled_back"
    assert "too few look-ups" in (report.why or "")


def test_a_stage_may_wait_for_look_ups(make: Make) -> None:
    stages = (Stage(0.1, "2m", "4m"), Stage(1.0, "1h"))
    limits = Limits(least_requests=2000, warmup=None, window="1m")
    traffic = make(stages=stages, limits=limits, undecided="hold")
    traffic.minutes(8)
    assert traffic.rollout.share == 0.1
    traffic.minutes(10)
    assert traffic.rollout.share == 1.0, "by all that came in the stage"


def test_two_checks_at_once_go_on_by_one_stage(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = (Stage(0.1, "2m"), Stage(0.5, "2m"), Stage(1.0, "1h"))
    traffic = make(stages=stages, limits=Limits(least_requests=50, warmup=None))
    traffic.minutes(1)
    traffic.set_all()
    traffic.quarter(1.0, 1.0)
    traffic.time.now += 120
    rollout, judged = traffic.rollout, list[float]()
    change = rollout._change

    def overtaken(*given: Any, **named: Any) -> None:
        """Another check does the same, after this one has judged and before it goes on."""
        monkeypatch.setattr(rollout, "_change", change)
        judged.append(rollout.check().share)
        change(*given, **named)

    monkeypatch.setattr(rollout, "_change", overtaken)
    assert rollout.check().share == 0.5
    assert judged == [0.5]
    assert kinds(rollout) == ["began", "advanced"]


def test_what_is_slowly_worse_does_not_go_on(make: Make) -> None:
    """No window has enough to judge it by, but the stage has."""
    stages = (Stage(0.1, "10m"), Stage(1.0, "1h"))
    limits = Limits(least_requests=500, warmup=None, window="30s")
    traffic = make(stages=stages, limits=limits)
    traffic.minutes(12, canary=0.5)
    assert traffic.rollout.phase == "rolled_back"


def test_the_last_stage_is_watched(make: Make) -> None:
    traffic = make(stages=(Stage(1.0, "1h"),))
    traffic.minutes(3)
    assert traffic.rollout.share == 1.0
    traffic.minutes(4, canary=0.3)
    assert traffic.rollout.phase == "rolled_back"


def test_keys_stay_with_the_canary(make: Make) -> None:
    traffic = make()
    rollout = traffic.rollout
    of_stage = []
    for _ in STAGES:
        of_stage.append({key for key in traffic.keys if rollout.side_of(key) == "canary"})
        if rollout.share < 1:
            rollout.advance()
    assert of_stage[0] < of_stage[1] < of_stage[2] == set(traffic.keys)
    assert len(of_stage[0]) == pytest.approx(40, abs=20)
    assert len(of_stage[1]) == pytest.approx(200, abs=40)


def test_the_split_is_the_same_for_ever() -> None:
    """These are hashes that other processes, and later versions, agree on."""
    with ClockedCache() as control, ClockedCache() as canary:
        rollout = Rollout(control, canary, name="n", stages=[Stage(0.5, 60), Stage(1, 60)])
        sides = "".join(rollout.side_of(f"user:{n}")[1] for n in range(32))
        assert sides == EXPECTED
        assert rollout.side_of("user:1") == rollout.side_of(b"user:1")
        other = Rollout(control, canary, name="m", stages=[Stage(0.5, 60), Stage(1, 60)])
        assert "".join(other.side_of(f"user:{n}")[1] for n in range(32)) != sides


EXPECTED = "oaaooooaaaaaoaaaaooooaoaaoaoaoaa"


@pytest.mark.parametrize("form", ["{}", "user:{}", "emb:model:{:064x}", "{}:profile", "k{:>20}"])
def test_the_split_is_even(form: str) -> None:
    with ClockedCache() as control, ClockedCache() as canary:
        rollout = Rollout(control, canary)
        count = sum(rollout.side_of(form.format(n)) == "canary" for n in range(20_000))
        assert count == pytest.approx(2000, abs=5 * 42)  # standard errors
