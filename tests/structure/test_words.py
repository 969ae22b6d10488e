"""Words that our sources do not use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A cache that unpickles or evaluates what it reads runs what others wrote there.
UNSAFE = re.compile(
    r"^\s*(?:import|from)\s+(?:pickle|marshal|shelve|dill|cloudpickle)\b"
    r"|(?<![\w.])(?:eval|exec)\s*\(|\bpickle\.loads?\b|\byaml\.load\(",
    re.MULTILINE,
)
SLEEP = re.compile(r"\b(?:sleep|sleep_for|sleep_until|usleep|nanosleep)\s*\(")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def files(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(p for p in found if p.suffix in {".py", ".cpp", ".hpp"} and p != Path(__file__))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", files("python", "cpp", "examples", "notebooks"), ids=relative)
def test_nothing_is_unpickled_or_evaluated(path: Path) -> None:
    assert UNSAFE.findall(path.read_text(encoding="utf-8")) == []


# tests/integration polls real servers with a deadline; a load and a slow link are paced.
MAY_SLEEP = ("tests/integration/", "tests/bench/", "tests/load/", "tests/support/chaos_proxy.py")
MAY_NOT_SLEEP = [
    path for path in files("tests", "notebooks") if not relative(path).startswith(MAY_SLEEP)
]


@pytest.mark.parametrize("path", MAY_NOT_SLEEP, ids=relative)
def test_no_test_sleeps(path: Path) -> None:
    assert SLEEP.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "path", files("python", "cpp", "tests", "examples", "notebooks"), ids=relative
)
def test_nothing_is_left_open(path: Path) -> None:
    assert UNFINISHED.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (UNSAFE, "import pickle"),
        (UNSAFE, "x = eval(text)"),
        (UNSAFE, "pickle.loads(data)"),
        (SLEEP, "time.sleep(1)"),
        (SLEEP, "std::this_thread::sleep_for(1ms);"),
        (UNFINISHED, "// TODO"),
    ],
)
def test_a_forbidden_word_is_seen(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


def test_allowed_words_are_not_taken_for_forbidden_ones() -> None:
    assert not UNSAFE.search("model.eval()  # and retrieval(x)")
