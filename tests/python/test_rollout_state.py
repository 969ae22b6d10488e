"""What is kept of a rollout, what it tells, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clocked import ClockedCache
from rolling import HOUR, Traffic

from vcache.errors import ConfigError
from vcache.rollout import Event, Limits, Rollout, Stage

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


def test_by_hand(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    traffic = make()
    rollout = traffic.rollout
    with caplog.at_level("INFO", "vcache"):
        assert rollout.advance("it looks good").share == 0.5
    (record,) = caplog.records
    told = {"name": "canary", "change": "advanced", "share": 0.5, "why": "it looks good"}
    assert (record.event, record.fields) == ("rollout", told)  # type: ignore[attr-defined]
    assert rollout.roll_back("it does not").share == 0.0
    with pytest.raises(ConfigError, match="is rolled_back: allowed is running"):
        rollout.advance()
    assert rollout.restart().share == 0.1
    for _ in range(3):
        rollout.advance()
    assert (rollout.phase, rollout.share) == ("done", 1.0)
    assert rollout.roll_back().phase == "rolled_back"
    whys = [event.why for event in rollout.report().events]
    assert whys[1:3] == ["it looks good", "it does not"]
    assert rollout.roll_back().events == rollout.report().events, "once is enough"


def test_a_file_keeps_the_state(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "rollout.json"
    traffic = make(state_path=path)
    traffic.rollout.advance("first")
    again = traffic.join()
    assert (again.share, again.phase) == (0.5, "running")
    assert again.report().began == traffic.rollout.report().began
    again.roll_back("second")
    assert traffic.rollout.share == 0.5
    traffic.rollout.check()
    assert (traffic.rollout.share, traffic.rollout.report().why) == (0.0, "second")
    assert traffic.join().phase == "rolled_back"
    assert json.loads(path.read_bytes())["phase"] == "rolled_back"
    assert [each.name for each in tmp_path.iterdir() if ".lock" not in each.name] == [path.name]


def test_a_lost_state_is_written_again(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "rollout.json"
    traffic = make(state_path=path)
    traffic.rollout.advance()
    path.unlink()
    traffic.rollout.check()
    assert traffic.join().share == 0.5
    older = json.loads(path.read_bytes()) | {"version": 1, "stage": 0}
    path.write_text(json.dumps(older))
    traffic.rollout.check()
    assert traffic.rollout.share == 0.5
    assert json.loads(path.read_bytes())["stage"] == 1, "who knows a newer one wins"


def test_a_rollback_that_cannot_be_written_is_not_lost(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    traffic = make(state_path=folder / "state")
    other = traffic.join()
    gone = folder.rename(tmp_path / "elsewhere")
    report = traffic.rollout.roll_back("now")
    assert (report.phase, report.share) == ("rolled_back", 0.0)
    assert "FileNotFoundError" in (report.problem or "")
    with pytest.raises(FileNotFoundError):
        traffic.rollout.restart()
    gone.rename(folder)
    traffic.rollout.check()
    assert traffic.rollout.report().problem is None
    other.check()
    assert (other.phase, other.report().why) == ("rolled_back", "now")


def test_a_state_that_is_not_known_leaves_all_to_the_control(make: Make, tmp_path: Path) -> None:
    traffic = make(state_path=tmp_path / "none" / "state")
    report = traffic.rollout.check()
    assert (report.phase, report.stage, report.share) == (None, None, 0.0)
    assert report.problem is not None
    (tmp_path / "none").mkdir()
    traffic.rollout.check()
    assert traffic.rollout.share == 0.1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "is refused"),
        (b'{"version":1}', "is refused"),
        (b"\xff", "is refused"),
        (b" " * 70_000, "is longer than 65,536 bytes"),
    ],
)
def test_a_broken_state(make: Make, tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "state"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=said):
        make(state_path=path)
    path.unlink()
    traffic = make(state_path=path)
    path.write_bytes(data)
    assert said in (traffic.rollout.check().problem or "")
    assert traffic.rollout.share == 0.1, "it goes on by what it knows"
    assert traffic.rollout.roll_back().share == 0.0


def test_a_state_of_other_stages(make: Make, tmp_path: Path) -> None:
    make(state_path=tmp_path / "state")
    with pytest.raises(ConfigError, match=r"the rollout 'canary' has \[0.1, 0.5, 1.0\]"):
        make(state_path=tmp_path / "state", stages=[Stage(1.0, 60)])
    make(state_path=tmp_path / "state", stages=[Stage(0.1, 1), Stage(0.5, 1), Stage(1, 1)])


def test_events_are_told_once_and_in_order(make: Make, tmp_path: Path) -> None:
    events: list[Event] = []
    traffic = make(state_path=tmp_path / "state", on_event=events.append)
    other = traffic.join()
    traffic.rollout.advance()
    other.check()
    other.roll_back()
    traffic.rollout.check()
    assert [event.kind for event in events] == ["advanced"] * 2 + ["rolled_back"] * 2


def test_a_listener_may_ask_back(make: Make) -> None:
    seen: list[float] = []

    def on_event(event: Event) -> None:
        seen.append(traffic.rollout.check().share)

    traffic = make(on_event=on_event)
    traffic.rollout.advance()
    assert len(seen) == 1


def test_a_listener_that_raises_breaks_nothing(make: Make) -> None:
    def on_event(event: Event) -> None:
        raise LookupError

    traffic = make(on_event=on_event)
    assert traffic.rollout.advance().share == 0.5


def test_calls_have_it_checked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted: list[Callable[[], object]] = []
    monkeypatch.setattr(
        "vcache.rollout._rollout.workers.submit", lambda work: submitted.append(work) or True
    )
    traffic = make(check_every="15s")
    traffic.rollout.get("a")
    assert len(submitted) == 1
    traffic.rollout.get("a")
    assert len(submitted) == 1, "it is not time again"
    traffic.time.now += 15
    traffic.rollout.set("a", 1)
    assert len(submitted) == 2
    submitted[0]()
    assert traffic.rollout.phase == "running"


def test_report(make: Make) -> None:
    traffic = make()
    traffic.control.seconds = traffic.canary.seconds = 1e-4
    traffic.minutes(2, control=0.9, canary=0.8)
    report = traffic.rollout.report()
    assert report.began is not None
    assert report.earliest == report.began + 2 * HOUR
    assert report.latest == report.began + 4 * HOUR
    assert report.control.hit_rate == pytest.approx(0.9, abs=0.02)
    assert report.canary.hit_rate == pytest.approx(0.8, abs=0.04)
    assert report.control.latency == pytest.approx(1e-4)
    assert report.control.requests > report.canary.requests > 0
    assert [row["side"] for row in report.rows()] == ["control", "canary"]
    assert json.dumps(report.as_dict())
    text = str(report)
    assert "running, 10% of the keys" in text
    assert "2,541 look-ups, hit rate 89.81%, 100 us" in text
    assert "began (10%): it is new" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stages": []}, "stages=[]: allowed is a sequence of up to 32 Stage"),
        ({"stages": "abc"}, "stages='abc': allowed"),
        ({"stages": [0.1]}, "stages=[0.1]: allowed"),
        ({"stages": [Stage(0.5, 1)]}, "stages of the shares [0.5]: allowed"),
        ({"stages": [Stage(0.5, 1), Stage(0.1, 1), Stage(1, 1)]}, "of growing shares"),
        ({"limits": 5}, "limits=5 of type int: allowed are None and Limits"),
        ({"name": ""}, "name='': allowed is printable text of 1 to 64"),
        ({"name": "a\n"}, "allowed is printable text"),
        ({"name": 5}, "name=5: allowed"),
        ({"undecided": "wait"}, "undecided='wait': allowed are 'roll_back' and 'hold'"),
        ({"check_every": 0}, "check_every=0: allowed is more than 0"),
        ({"state_path": 5}, "state_path=5: allowed are None and a path"),
    ],
)
def test_bad_arguments(make: Make, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        make(**options)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Stage(0, 1), "share=0: allowed is a number above 0, at most 1"),
        (lambda: Stage(1.5, 1), "share=1.5"),
        (lambda: Stage(True, 1), "share=True"),
        (lambda: Stage(0.5, "x"), "least='x'"),
        (lambda: Stage(0.5, 10, 5), "most=5: allowed is None, or `least` and longer"),
        (lambda: Limits(hit_rate=2), "hit_rate=2: allowed are None and a number from 0 to 1"),
        (lambda: Limits(errors=-0.1), "errors=-0.1"),
        (lambda: Limits(latency=float("nan")), "latency=nan"),
        (lambda: Limits(least_requests=0), "least_requests=0: allowed is an int of 1 or more"),
        (lambda: Limits(window=0), "window=0"),
        (lambda: Limits(warmup="soon"), "warmup='soon'"),
        (lambda: Limits(latency_warmup=-1), "latency_warmup=-1"),
        (lambda: Limits(latency_least=None), "latency_least=None: allowed is a number of seconds"),  # type: ignore[arg-type]
    ],
)
def test_bad_stages_and_limits(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        call()
    assert said in str(raised.value)


def test_bad_caches() -> None:
    with ClockedCache() as cache:
        with pytest.raises(ConfigError, match="canary=5 of type int: allowed is a Cache"):
            Rollout(cache, 5)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="allowed is another cache than `control`"):
            Rollout(cache, cache)
