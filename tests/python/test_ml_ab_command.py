"""`python -m vcache ab-test`."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from access_lines import append, lines_of
from drifting_ids import drifting_ids

from vcache.__main__ import main
from vcache.ml import _ab_command as command

IDS = drifting_ids(20_000, 1)
ARMS = ["--policy", "s3fifo", "--against", "lru"]


@pytest.fixture
def trace(tmp_path: Path) -> str:
    sizes = np.full(len(IDS), 10, np.uint32)
    np.savez(tmp_path / "made.npz", ids=IDS, sizes=sizes, costs=np.ones(len(IDS)))
    return str(tmp_path / "made.npz")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that is written to as soon as it is followed; Ctrl-C comes afterwards."""
    path = tmp_path / "access_patterns.jsonl"
    append(path, lines_of(IDS[:10_000].tolist()))

    @contextmanager
    def bars() -> Iterator[Callable[[str, float], None]]:
        looks = iter([lambda: append(path, lines_of(IDS[10_000:].tolist())), lambda: None])
        end = lambda: signal.raise_signal(signal.SIGINT)  # noqa: E731
        yield lambda stage, share: next(looks, end)()

    monkeypatch.setattr(command, "bars", bars)
    return path


def test_a_trace_as_text(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ab-test", "--trace", trace, *ARMS, "--size", "400"]) == 0
    told = capsys.readouterr()
    heading, policy, against, difference, verdict = told.out.splitlines()
    assert heading.startswith("s3fifo against lru on made: 400 entries, ")
    assert policy.split()[0] == "s3fifo"
    assert against.split()[0] == "lru"
    assert float(policy.split()[1][:-1]) < float(against.split()[1][:-1])
    assert difference.startswith("difference")
    assert "points, 95 %: -" in difference
    assert difference.endswith("% of lru's)")
    assert verdict == "s3fifo misses fewer requests than lru"
    assert told.err == ""


def test_a_trace_as_json(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--capacity", "4000", "--unit", "bytes", "--objective", "cost", "--seed", "3"]
    assert main(["ab-test", "--trace", trace, *ARMS, *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["capacity"], found["unit"], found["objective"]) == (4000, "bytes", "cost")
    assert found["low"] < found["difference"] < found["high"] < 0
    assert found["verdict"] == "s3fifo misses less cost than lru"


def test_a_log_until_ctrl_c(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--access-log", str(log), "--duration", "1h", "--size", "400"]
    assert main(["ab-test", *ARMS, *arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["is_complete"], found["source"]) == (False, str(log))
    assert (found["requests"], found["warm_up"]) == (10_000, 10_000)
    assert found["verdict"] == "s3fifo misses fewer requests than lru"


@pytest.mark.parametrize("is_named", [True, False])
def test_the_log_is_found_by_its_name(
    is_named: bool, log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(log.parent)
    monkeypatch.delenv("VCACHE_ACCESS_LOG", raising=False)
    if is_named:
        other = log.rename(log.with_name("other.jsonl"))
        monkeypatch.setenv("VCACHE_ACCESS_LOG", str(other))
    assert main(["ab-test", *ARMS]) == 0
    name = str(log.with_name("other.jsonl")) if is_named else "access_patterns.jsonl"
    heading, second, *_ = capsys.readouterr().out.splitlines()
    assert heading.startswith(f"s3fifo against lru on {name}: ")
    assert second == "ended early"


def test_says_when_requests_are_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = tmp_path / "short.jsonl"
    append(short, lines_of(range(50)) + "no json\n")
    assert main(["ab-test", "--trace", str(short), *ARMS, "--size", "4"]) == 0
    told = capsys.readouterr()
    assert "too few requests to tell" in told.out
    assert "1 lines skipped" in told.out
    assert "1 lines skipped; line 51" in told.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--access-log", "none.jsonl"], "--access-log='none.jsonl': there is no such file"),
        ([], "--access-log='access_patterns.jsonl': there is no such file"),
        (["--trace", "x.npz", "--access-log", "x"], "allowed is one of the two"),
        (["--trace", "none.npz"], "none.npz"),
        (["--trace", "made.npz", "--size", "x"], "capacity='x': allowed"),
        (["--trace", "made.npz", "--policy", "x"], "policy='x': allowed"),
        (["--trace", "made.npz", "--model-path", "x"], "model='x': No such file"),
        (["--access-log", "made.npz", "--duration", "x"], "duration='x': allowed"),
        (["--unit", "pages"], "--unit"),
    ],
)
@pytest.mark.usefixtures("trace")
def test_bad_input(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VCACHE_ACCESS_LOG", raising=False)
    with pytest.raises(SystemExit) as caught:
        main(["ab-test", *arguments])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_ctrl_c_ends_a_trace_quietly(
    trace: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def bars() -> Iterator[Callable[[str, float], None]]:
        yield lambda stage, share: signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(command, "bars", bars)
    assert main(["ab-test", "--trace", trace, *ARMS]) == 130
    assert capsys.readouterr() == ("", "vcache ab-test: interrupted\n")
