"""Each test that a document names as the proof of a guarantee exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "cpp" / "README.md",
    ROOT / "python" / "README.md",
    ROOT / "cpp" / "cache" / "snapshot" / "FORMAT.md",
    ROOT / "cpp" / "l2" / "README.md",
    ROOT / "cpp" / "l2" / "codec" / "FORMAT.md",
    ROOT / "tests" / "integration" / "README.md",
]
HEADINGS = ("| guarantee | test |", "| goal | in one line | test |")
CPP_TEST = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)
PYTHON_TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
# What a table says that is one of proofs, in its heading or at the end of a row.
PROOF_HEADING = re.compile(r"\b(?:tests?|proofs?|proved by|guarantees?|goals?)\b", re.IGNORECASE)
PROOF = re.compile(r"`(?:\w+Test\b|test_\w+|L2Contract)")
NAME = re.compile(r"`([^`]+)`|\b((?:[A-Z][a-z0-9]*){3,})\b")


def known() -> set[str]:
    """Names of tests, alone and with their suite or file, and of what lies below tests/."""
    names = set[str]()
    for path in (ROOT / "tests").rglob("*"):
        names |= {path.name, path.relative_to(ROOT).as_posix()}
        if path.suffix == ".py":
            for test in PYTHON_TEST.findall(path.read_text(encoding="utf-8")):
                names |= {test, f"{path.name}::{test}"}
        elif path.suffix == ".cpp":
            for suite, test in CPP_TEST.findall(path.read_text(encoding="utf-8")):
                names |= {suite, test, f"{suite}.{test}"}
    return names


def tables(text: str) -> Iterator[list[str]]:
    """The cells of each row below one of the headings."""
    inside = False
    for line in text.splitlines():
        inside = line.startswith("|") and (inside or line in HEADINGS)
        if inside and line not in HEADINGS and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def strays(text: str) -> list[str]:
    """The headings of tables of proofs that tables() does not know."""
    found, heading = list[str](), ""
    for line in text.splitlines():
        if not line.startswith("|"):
            heading = ""
            continue
        first, heading = not heading, heading or line
        last = line.strip("| ").split(" | ")[-1]
        is_proof = PROOF_HEADING.search(line) if first else PROOF.search(last)
        if is_proof and heading not in (*HEADINGS, *found):
            found.append(heading)
    return found


def named(cell: str) -> list[str]:
    """Patterns of the names in a cell; commands are none."""
    found = [marked or bare for marked, bare in NAME.findall(cell)]
    return [name.replace("…", "*") for name in found if not name.startswith("script/")]


def missing(text: str, names: set[str]) -> list[str]:
    return [
        name
        for row in tables(text)
        for name in named(row[-1])
        if not any(fnmatchcase(each, name) for each in names)
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_named_tests_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert list(tables(text)), "no table of guarantees"
    assert missing(text, known()) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_guarantee_has_a_proof(path: Path) -> None:
    rows = tables(path.read_text(encoding="utf-8"))
    assert [
        row for row in rows if not row[-1] or (not named(row[-1]) and "script" not in row[-1])
    ] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_table_of_proofs_is_passed_over(path: Path) -> None:
    assert strays(path.read_text(encoding="utf-8")) == []


def test_a_table_of_proofs_by_another_heading_is_seen() -> None:
    plain = "| file | what |\n| --- | --- |\n| `test_a.py` | x |\n"
    assert strays(plain + "\n" + "\n".join(HEADINGS)) == []
    for heading in ("| guarantee | tests |", "| promise | proof |", "| guarantee | test  |"):
        assert strays(f"{plain}\n{heading}\n| --- | --- |\n| x | y |\n") == [heading]
    for proof in ("`AbcTest.Works`", "`AbcTest.*`", "y, `test_a.py::test_b`"):
        text = f"| what | where |\n| --- | --- |\n| x | y |\n| x | {proof} |\n| z | {proof} |\n"
        assert strays(text) == ["| what | where |"]


def test_a_name_that_is_gone_is_seen() -> None:
    row = "| guarantee | test |\n| --- | --- |\n| x | `{}` |\n"
    names = {"AbcTest", "AbcTest.Works", "test_a.py", "test_a.py::test_b", "test_b"}
    for name in ("AbcTest.*", "AbcTest.Wo…", "AbcTest", "test_a.py::test_*", "test_b"):
        assert missing(row.format(name), names) == []
    for name in ("AbdTest.*", "AbcTest.Fails", "test_c", "test_a.py::test_c"):
        assert missing(row.format(name), names) == [name]
