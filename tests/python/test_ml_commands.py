"""`python -m vcache train` and `evaluate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from small_traces import hot_and_cold

from vcache.__main__ import main
from vcache.ml import _command as command
from vcache.ml import default_model, load_model

IDS = hot_and_cold(6_000)
SMALL = ["--size", "100"]


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "access_patterns.jsonl"
    lines = (f'{{"time": {time}, "key": {key}}}\n' for time, key in enumerate(IDS.tolist()))
    path.write_text("".join(lines))
    return str(path)


@pytest.fixture
def needs_torch() -> None:
    pytest.importorskip("torch")


@pytest.mark.usefixtures("needs_torch")
def test_trains_and_evaluates(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "model.bin"
    fit = ["train", "--data-path", log, "--epochs", "2", "--output", str(output), *SMALL]
    assert main(fit) == 0
    told = capsys.readouterr()
    assert told.err == ""
    model = load_model(output)
    assert model.sha256 in told.out
    assert "Requests missed:" in told.out

    look = ["evaluate", "--model-path", str(output), "--data-path", log, *SMALL]
    assert main([*look, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"] == model.sha256
    assert report["newest"] == 0.1
    assert [each["residences"] for each in report["horizons"]] == [0.125, 0.5, 2, 8]
    assert report["simulated"][0]["trace"] == "access_patterns"

    assert main([*fit, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["sha256"] == model.sha256
    assert again["output"] == str(output)
    assert again["report"]["horizons"] == report["horizons"]


@pytest.mark.usefixtures("needs_torch")
def test_several_logs_and_a_start(
    log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, output = tmp_path / "start.bin", tmp_path / "out.bin"
    default_model().save(start)
    arguments = ["--data-path", log, "--data-path", log, "--output", str(output), "--json"]
    assert main(["train", *arguments, *SMALL, "--start", str(start), "--epochs", "1"]) == 0
    assert len(json.loads(capsys.readouterr().out)["report"]["simulated"]) == 2
    assert load_model(output) != default_model()


def test_the_shipped_model_as_a_table(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--data-path", log, *SMALL, "--newest", "0.5"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("On the newest 50% of each trace")
    heading, row = out.splitlines()[-2:]
    assert heading.split()[:4] == ["trace", "size", "learned", "followed"]
    assert row.split()[:2] == ["access_patterns", "100"]


def test_says_what_it_skipped_and_sorted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "a.jsonl"
    log.write_text('{"key": 1, "time": 2}\n{"key": 2, "time": 1}\n{"key": 1, "ti')
    assert main(["evaluate", "--data-path", str(log), "--size", "1"]) == 0
    told = capsys.readouterr().err
    assert "1 lines skipped; line 3: " in told
    assert "1 requests came late: sorted by time" in told


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("name", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty: at least one request is needed"),
        ('{"key"', "1 of 1 lines are no requests; line 1: "),
        ("PK\x03\x04\n", "1 of 1 lines are no requests"),
        ('{"key": "' + "x" * (1 << 20) + '"}\n', "line 1 is longer than 1 MiB"),
    ],
)
@pytest.mark.usefixtures("needs_torch")
def test_bad_logs(
    name: str, content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "bad.jsonl"
    log.write_text(content)
    output = ["--output", str(tmp_path / "m.bin")] if name == "train" else []
    assert words in refusal([name, "--data-path", str(log), *output], capsys)
    assert list(tmp_path.iterdir()) == [log]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], "epochs=0: allowed"),
        (["--epochs", "many"], "--epochs"),
        (["--size", "x"], "sizes[0]='x': allowed"),
        (["--size", ","], "--size"),
        (["--size", "5"], "they give 0 examples"),
        (["--seed", "-1"], "seed=-1"),
        (["--start", "no-such.bin"], "--start='no-such.bin': No such file"),
        (["--output", "no-such/m.bin"], "there is no folder 'no-such'"),
        (["--output", "."], "is a folder"),
        (["--data-path", "no-such.jsonl"], "no-such.jsonl"),
        (["--data-path", "x.parquet"], "trace='x.parquet': allowed"),
    ],
)
@pytest.mark.usefixtures("needs_torch")
def test_bad_input_of_train(
    arguments: list[str],
    words: str,
    log: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refusal(["train", "--data-path", log, *arguments], capsys)
    assert [each.name for each in tmp_path.iterdir()] == [Path(log).name]


@pytest.mark.usefixtures("needs_torch")
def test_a_log_is_not_written_over(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(log).read_bytes()
    told = refusal(["train", "--data-path", log, "--output", log, *SMALL], capsys)
    assert "is a log: allowed is the path of another file" in told
    assert Path(log).read_bytes() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"PK\x03\x04 of a model for TorchScript", "does not begin with vcache-mlp-1"),
        (default_model().data[:-3], "bytes, this one"),
    ],
)
def test_bad_models(
    content: bytes | None,
    words: str,
    log: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "bad.bin"
    if content is not None:
        path.write_bytes(content)
    told = refusal(["evaluate", "--model-path", str(path), "--data-path", log], capsys)
    assert f"--model-path={str(path)!r}: " in told
    assert words in told


@pytest.mark.parametrize("newest", ["0", "1.5", "nan", "some"])
def test_bad_shares(newest: str, log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "newest" in refusal(["evaluate", "--data-path", log, "--newest", newest], capsys)


def test_without_torch_nothing_is_read(
    log: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    told = refusal(["train", "--data-path", "no-such.jsonl"], capsys)
    assert "pip install 'vcache[torch]'" in told
    assert main(["evaluate", "--data-path", log, *SMALL]) == 0


@pytest.mark.parametrize("name", ["train", "evaluate"])
@pytest.mark.usefixtures("needs_torch")
def test_ctrl_c_ends_it_quietly(
    name: str,
    log: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, name, interrupted)
    assert main([name, "--data-path", log]) == 130
    assert capsys.readouterr().err == f"vcache {name}: interrupted\n"
    assert not (tmp_path / "model.bin").exists()


def test_bars_on_a_terminal_only(
    log: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    drawn: list[float] = []
    monkeypatch.setattr(
        "rich.progress.Progress.update", lambda bar, task, completed: drawn.append(completed)
    )
    assert main(["evaluate", "--data-path", log, *SMALL]) == 0
    assert drawn == []
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["evaluate", "--data-path", log, *SMALL]) == 0
    assert drawn[-1] == 1.0
