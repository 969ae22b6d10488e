"""What documents and docstrings show works: Python runs, commands and their flags exist.

Blocks run in their order, each page in one module; names_of() puts there what a reader has before.
The Redis at 127.0.0.1:6379 is a server of the test, /var/lib/app the working directory.
"""

from __future__ import annotations

import doctest
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import documents
import numpy as np
import pytest
from redis_server import RedisServer
from small_models import small_model
from texts_of import rows

import vcache
from vcache.__main__ import main

PAGES = documents.documents()
WITH_BLOCKS = [page for page in PAGES if "\n```python\n" in page.read_text(encoding="utf-8")]
COMMANDS = [
    (page, command)
    for page in PAGES
    for command in documents.commands(page.read_text(encoding="utf-8"))
]
# Where a script hands its arguments on, who knows them.
HANDED_ON = {
    "script/bench": ["tests/bench"],
    "script/default_model": ["script/lib/default_model.py"],
    "script/demo": ["-m", "vcache", "demo"],
}


class Model:
    """A model as sentence-transformers has them."""

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.asarray(rows(texts), np.float32)


class Index:
    """A vector database: the numbers of the nearest of a thousand vectors."""

    def __init__(self) -> None:
        self._vectors = np.asarray(rows([f"text {number}" for number in range(1000)]))

    def query(self, vector: Any, top_k: int) -> list[int]:
        nearest: list[int] = np.argsort(-(self._vectors @ np.asarray(vector)))[:top_k].tolist()
        return nearest


def application() -> Any:
    from fastapi import FastAPI

    return FastAPI()


def embed_many(keys: Sequence[str]) -> np.ndarray:
    """A factory of many keys."""
    return np.asarray(rows(keys), np.float32)


def neighbours(key: str) -> list[str]:
    """What is asked for after a key."""
    return [f"{key}:next"]


def names_of(page: str, url: str) -> dict[str, Any]:
    """What the blocks of a page take for granted."""
    if page == "README.md":
        pytest.importorskip("torch")  # which one of them trains with
        return {
            "model": Model(),
            "index": Index(),
            "app": application(),
            "keys": ["doc:1", "doc:2"],
            "embed_many": embed_many,
            "load_many": embed_many,
            "neighbours": neighbours,
        }
    if page == "python/vcache/ml/README.md":
        return {"cache": vcache.Cache(redis=url), "model": small_model(1)}
    return {}


def relative(path: Path) -> str:
    return path.relative_to(documents.ROOT).as_posix()


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names of a page, in a folder of its own; its caches are closed after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "is not asked for")
    monkeypatch.setenv("MODEL_KEY", "0123456789abcdef")
    names: dict[str, Any] = {}
    yield names
    for value in names.values():
        if isinstance(value, vcache.Cache):
            value.close()
    if "langchain_core.globals" in sys.modules:
        sys.modules["langchain_core.globals"].set_llm_cache(None)


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=relative)
def test_blocks_run(page: Path, reader: dict[str, Any], redis_server: RedisServer) -> None:
    reader.update(names_of(relative(page), redis_server.url))
    ran = documents.run_blocks(page, redis_server.url, reader)
    assert ran == page.read_text(encoding="utf-8").count("\n```python\n")


def test_blocks_run_in_the_form_that_readers_see(
    tmp_path: Path, reader: dict[str, Any], redis_server: RedisServer
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\n"
        "import vcache\n"
        'cache = vcache.Cache(redis="redis://127.0.0.1:6379/0")\n'
        'cache.set("key", given)\n'
        "```\n"
        "```sh\nscript/test\n```\n"
        '```python\nfound = cache.lookup("key").value\n```\n'
    )
    reader["given"] = "value"
    assert documents.run_blocks(page, redis_server.url, reader) == 2
    assert reader["found"] == "value"
    assert redis_server.client().exists("vcache:key")


@pytest.mark.parametrize(
    ("block", "error"),
    [
        ("cache = vcache.Cache()", NameError),
        ("import vcache\nvcache.Cache(memmory=0)", TypeError),
        ("import vcache\nassert vcache.Cache().get('key') == 1", AssertionError),
        ("def f(:", SyntaxError),
    ],
)
def test_an_error_in_a_block_is_seen(
    tmp_path: Path, reader: dict[str, Any], block: str, error: type[Exception]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n```python\n{block}\n```\n")
    with pytest.raises(error):
        documents.run_blocks(page, "", reader)


@pytest.mark.parametrize("name", documents.modules())
def test_examples_of_docstrings_are_right(name: str) -> None:
    result = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert (result.failed, result.attempted > 0) == (0, True)


def help_of(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says of itself: vcache COMMAND, script/NAME or examples/NAME."""
    if command[0] == "vcache":
        asked = [word for word in command[1:2] if not word.startswith("-")]
        with pytest.raises(SystemExit) as ended:
            main([*asked, "--help"])
        said = capsys.readouterr()
        assert ended.value.code == 0, said.err
        return said.out
    if command[0] == "python":
        return (documents.ROOT / command[1]).read_text(encoding="utf-8")
    if handed_on := HANDED_ON.get(command[0]):
        asking = [sys.executable, *handed_on, "--help"]
        return subprocess.run(
            asking, capture_output=True, text=True, check=True, cwd=documents.ROOT
        ).stdout
    return (documents.ROOT / command[0]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "command"), COMMANDS, ids=lambda x: relative(x) if isinstance(x, Path) else " ".join(x)
)
def test_commands_exist(page: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert documents.unknown(command, lambda words: help_of(words, capsys)) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("```sh\npython -m vcache simulate --trace x.npz --sise 1%\n```\n", ["--sise"]),
        ("```\n$ python -m vcache train --data x\n```\n", ["--data"]),
        ("say `script/demo --corpus=DIR --quik`", ["--quik"]),
        ("say `script/bench --onyl x`", ["--onyl"]),
        ("```bash\nscript/test --covrage  # slow\n```\n", ["--covrage"]),
        ("say `pip install '.[langchain, lama]'`", ["lama"]),
        ("```python\nx = 1\n```\n`script/demo --quik`\n```python\nx = 2\n```\n", ["--quik"]),
        ("say `pip install .`, ```script/x``` and `python examples/decorator.py`", []),
    ],
)
def test_a_flag_that_is_gone_is_seen(
    text: str, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = [documents.unknown(c, lambda w: help_of(w, capsys)) for c in documents.commands(text)]
    assert [flag for flags in found for flag in flags] == wrong


@pytest.mark.parametrize("command", ["python -m vcache trian x", "script/tset", "script/demos"])
def test_a_command_that_is_gone_is_seen(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    (words,) = documents.commands(f"```sh\n{command}\n```\n")
    with pytest.raises((AssertionError, FileNotFoundError)):
        documents.unknown(words, lambda each: help_of(each, capsys))
