from __future__ import annotations

import subprocess
import sys

import pytest

import vcache
from vcache.__main__ import main


def test_version() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "vcache", "--version"], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == f"vcache {vcache.__version__}"


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["--colour"]])
def test_bad_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m vcache" in capsys.readouterr().err


def test_the_rest_of_the_line_is_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr("vcache.demo.run.main", lambda arguments: given.append(arguments))
    assert main(["demo", "--quick", "-x", "5"]) == 0
    assert given == [["--quick", "-x", "5"]]
