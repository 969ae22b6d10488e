"""The recipe of the shipped model, script/lib/default_model.py."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from small_traces import hot_and_cold

from vcache._weights import DEFAULT_SHA256
from vcache.ml import load_model

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, which writes below tmp_path."""
    path = ROOT / "script" / "lib" / "default_model.py"
    spec = importlib.util.spec_from_file_location("default_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    copied = tmp_path / "_weights.py"
    copied.write_bytes(module.DIGEST_IN.read_bytes())
    monkeypatch.setattr(module, "MODEL", tmp_path / "default_model.bin")
    monkeypatch.setattr(module, "DIGEST_IN", copied)
    monkeypatch.setattr(module, "EPOCHS", 1)
    return module


def written(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for seed, name in enumerate(names):
        np.savez(folder / f"{name}.npz", ids=hot_and_cold(4_000, seed))
    return folder


def test_writes_the_model_and_its_digest(
    recipe: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path / "traces", "a", "b")
    assert recipe.main([str(folder), "--evaluate"]) == 0
    model = load_model(recipe.MODEL)
    text = recipe.DIGEST_IN.read_text()
    assert f'\nDEFAULT_SHA256 = "{model.sha256}"\n' in text
    assert (
        text.replace(model.sha256, DEFAULT_SHA256)
        == (ROOT / "python" / "vcache" / "_weights.py").read_text()
    )
    told = capsys.readouterr()
    reports = [json.loads(line) for line in told.out.splitlines()]
    assert [report["trace"] for report in reports] == ["a", "b"]
    assert len({model.sha256, *(report["model"] for report in reports)}) == 3
    assert all(report["newest"] == 1 for report in reports)
    assert "misses against best classic: mean" in told.err


def test_one_trace_is_not_enough(
    recipe: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        recipe.main([str(written(tmp_path / "traces", "a"))])
    assert caught.value.code == 2
    assert "needed are at least two traces" in capsys.readouterr().err
    assert not recipe.MODEL.exists()
