from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from plain_caches import lru_hits, skewed_ids

from vcache.__main__ import main
from vcache._progress import bar
from vcache.sim import POLICIES
from vcache.sim import _command as command

IDS = skewed_ids(5_000, 500, 0.9, 1)


@pytest.fixture
def trace(tmp_path: Path) -> str:
    np.savez(tmp_path / "made.npz", ids=IDS, sizes=np.full(len(IDS), 10, np.uint32))
    return str(tmp_path / "made.npz")


def test_a_table(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--trace", trace, "--policy", "lru,fifo", "--size", "20,5"]) == 0
    heading, *rows, note = capsys.readouterr().out.splitlines()
    assert heading.split() == ["trace", "size", "policy", "misses", *heading.split()[4:]]
    assert [row.split()[:3] for row in rows] == [
        ["made", size, policy] for size in ("20", "5") for policy in ("lru", "fifo")
    ]
    share = 1 - lru_hits(IDS.tolist(), 20) / len(IDS)
    assert rows[0].split()[3:5] == [f"{share:.2%}", "*"]
    assert note.startswith("* fewest misses")


def test_json_of_all_policies(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--size", "1KiB,50%", "--unit", "bytes", "--json"]
    assert main(["simulate", "--trace", trace, "--trace", trace, *arguments]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 2 * 2 * len(POLICIES)
    assert {row["policy"] for row in rows} == set(POLICIES)
    assert {row["capacity"] for row in rows[: len(POLICIES)]} == {1024}
    assert all(row["unit"] == "bytes" and row["trace"] == "made" for row in rows)


def test_says_what_it_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "a.jsonl"
    log.write_text('{"key": 1, "time": 2}\n{"key": 2, "time": 1}\n{"key"')
    assert main(["simulate", "--trace", str(log), "--policy", "lru", "--size", "1"]) == 0
    told = capsys.readouterr().err
    assert "1 lines skipped; line 3: " in told
    assert "1 requests came late: sorted by time" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "lru,best"], "policy='best': allowed are lru"),
        (["--size", "huge"], "size='huge': allowed"),
        (["--size", "5MiB"], "size='5MiB': allowed"),
        (["--unit", "pages"], "--unit"),
        (["--trace", "no-such-file.npz"], "no-such-file.npz"),
        (["--trace", "picture.png"], "trace='picture.png': allowed"),
        (["--policy", ","], "--policy"),
        (["--size", ","], "--size"),
    ],
)
def test_bad_input(
    arguments: list[str], words: str, trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["simulate", "--trace", trace, *arguments])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_a_trace_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["simulate"])
    assert "--trace" in capsys.readouterr().err


def test_a_plot(trace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "new" / "plot.png"
    chosen = ["--policy", "lru,belady", "--size", "1%,10%", "--plot", str(picture)]
    assert main(["simulate", "--trace", trace, *chosen]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "belady" in capsys.readouterr().out


def test_a_plot_without_matplotlib_says_what_to_install(
    trace: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as caught:
        main(["simulate", "--trace", trace, "--plot", "x.png"])
    assert caught.value.code == 2
    assert "pip install 'vcache[analysis]'" in capsys.readouterr().err


def test_a_bar_on_a_terminal_only(trace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    moved = []
    with bar("a trace", 10) as advance:
        assert advance(5) is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("rich.progress.Progress.advance", lambda bar, task, n: moved.append(n))
    assert main(["simulate", "--trace", trace, "--policy", "lru", "--size", "5"]) == 0
    assert moved == [len(IDS)]


def test_ctrl_c_ends_it_quietly(
    trace: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run", interrupted)
    assert main(["simulate", "--trace", trace]) == 130
    assert capsys.readouterr().err == "vcache simulate: interrupted\n"
