"""Files and functions stay within their budgets."""

from __future__ import annotations

import ast
from pathlib import Path

import lizard
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("build_backend", "cpp", "examples", "notebooks", "python", "script", "tests")
SUFFIXES = {".cpp", ".hpp", ".py", ".sh", ""}
FILE_LINES = 500
FUNCTION_LINES = 60


def sources(*suffixes: str) -> list[Path]:
    files = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file())
    return sorted(
        path for path in files if path.suffix in suffixes and "__pycache__" not in path.parts
    )


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def long_python_functions(text: str) -> list[str]:
    nodes = (
        n
        for n in ast.walk(ast.parse(text))
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [n.name for n in nodes if (n.end_lineno or 0) - n.lineno + 1 > FUNCTION_LINES]


def long_cpp_functions(name: str, text: str) -> list[str]:
    functions = lizard.analyze_file.analyze_source_code(name, text).function_list
    return [f.name for f in functions if f.end_line - f.start_line + 1 > FUNCTION_LINES]


@pytest.mark.parametrize("path", sources(*SUFFIXES), ids=relative)
def test_file_length(path: Path) -> None:
    try:
        lines = path.read_text(encoding="utf-8").count("\n")
    except UnicodeDecodeError:
        pytest.skip("not a text file")
    assert lines <= FILE_LINES


@pytest.mark.parametrize("path", sources(".py"), ids=relative)
def test_python_function_length(path: Path) -> None:
    assert long_python_functions(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sources(".cpp", ".hpp"), ids=relative)
def test_cpp_function_length(path: Path) -> None:
    assert long_cpp_functions(str(path), path.read_text(encoding="utf-8")) == []


def test_a_long_function_is_seen() -> None:
    body = "  x = x + 1;\n" * FUNCTION_LINES
    assert long_cpp_functions("a.cpp", f"int f(int x) {{\n{body}  return x;\n}}\n") == ["f"]
    assert long_python_functions("def f(x):\n" + "    x += 1\n" * FUNCTION_LINES) == ["f"]
