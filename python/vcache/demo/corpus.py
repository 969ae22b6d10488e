"""Passages to search: docstrings of the installed Python sources, or a folder of text files."""

from __future__ import annotations

import ast
import inspect
import random
import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .errors import NoTextError

MIN_WORDS, MAX_WORDS = 8, 56  # a passage; 56 English words are rarely more than 96 tokens
MAX_PER_FILE = 12
MAX_PACKAGE_SHARE = 0.05  # so that no single package fills the corpus
MAX_SOURCE_BYTES = 400_000
STDLIB_SHARE = 0.6
TEXT_SUFFIXES = frozenset({".txt", ".md", ".rst", ".text"})
SKIPPED_FOLDERS = frozenset(
    {"test", "tests", "testing", "idlelib", "lib2to3", "turtledemo", "encodings"}
    | {"site-packages", "dist-packages", "__pycache__"}
)
NOT_PROSE = re.compile(
    r">>>|[-=+*|~]{3,}|::\s*$|\.\. \w|^\s*[:@#*]|^\s*\w+( \(.*\))?:", re.MULTILINE
)
MAX_SYMBOL_SHARE = 0.08
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Passage:
    """One searchable piece of text; `lead` is its first sentence."""

    where: str
    text: str
    lead: str


def from_docstrings(limit: int, seed: int, progress: Progress) -> list[Passage]:
    """Docstrings of the standard library and of installed packages; nothing is imported."""
    paths = sysconfig.get_paths()
    stdlib = _shuffled(python_files(Path(paths["stdlib"])), seed)
    packages = _shuffled(python_files(Path(paths["purelib"])), seed)
    chosen: dict[str, Passage] = {}
    for files, bound in ((stdlib, round(limit * STDLIB_SHARE)), (packages, limit), (stdlib, limit)):
        _collect(files, bound, chosen, progress)
    return list(chosen.values())


def from_folder(folder: Path, limit: int, progress: Progress) -> list[Passage]:
    """Passages of every text file below `folder`, in name order."""
    if not folder.is_dir():
        raise NoTextError(f"--corpus {folder}: not a folder")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in TEXT_SUFFIXES)
    if not files:
        raise NoTextError(f"--corpus {folder}: no {', '.join(sorted(TEXT_SUFFIXES))} file below it")
    chosen: dict[str, Passage] = {}
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        _add(chosen, chunk(str(path.relative_to(folder)), text), limit)
        progress(len(chosen))
        if len(chosen) >= limit:
            break
    return list(chosen.values())


def python_files(root: Path) -> Iterator[tuple[str, Path]]:
    """(module name, source) of what lies below `root`, without tests and nested package folders."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if not SKIPPED_FOLDERS.intersection(parts):
            yield ".".join(parts).removesuffix(".__init__"), path


def docstrings(module: str, path: Path) -> Iterator[tuple[str, str]]:
    """(qualified name, cleaned docstring) of a source file; none for a file that does not parse."""
    try:
        if path.stat().st_size > MAX_SOURCE_BYTES:
            return
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    yield from _walk(tree, module)


def chunk(where: str, text: str) -> Iterator[Passage]:
    """Cuts a text into passages at sentence ends."""
    lead, held = "", list[str]()
    for sentence in sentences(text):
        words = sentence.split()[:MAX_WORDS]
        if held and len(held) + len(words) > MAX_WORDS:
            yield Passage(where, " ".join(held), lead)
            held = []
        lead = lead if held else " ".join(words)
        held.extend(words)
    if held:
        yield Passage(where, " ".join(held), lead)


def sentences(text: str) -> list[str]:
    """Sentences of the prose in `text`; code samples and tables are left out."""
    prose: list[str] = []
    for paragraph in filter(None, re.split(r"\n\s*\n", text.strip())):
        if not NOT_PROSE.search(paragraph) and symbol_share(paragraph) <= MAX_SYMBOL_SHARE:
            prose.extend(re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(paragraph.split())))
    return [sentence for sentence in prose if sentence]


def symbol_share(text: str) -> float:
    """The share of characters that ordinary sentences rarely hold."""
    return sum(not (c.isalnum() or c.isspace() or c in ".,;:!?'\"()-`") for c in text) / len(text)


def _walk(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        if found := ast.get_docstring(node, clean=False):
            yield name, inspect.cleandoc(found)
        for child in node.body:
            if (inner := getattr(child, "name", "_")) and not inner.startswith("_"):
                yield from _walk(child, f"{name}.{inner}")


def _collect(
    files: Iterable[tuple[str, Path]], limit: int, chosen: dict[str, Passage], progress: Progress
) -> None:
    taken = Counter[str]()
    for module, path in files:
        package, before = module.partition(".")[0], len(chosen)
        if before >= limit:
            break
        if taken[package] <= limit * MAX_PACKAGE_SHARE:
            passages = (p for name, text in docstrings(module, path) for p in chunk(name, text))
            _add(chosen, islice(passages, MAX_PER_FILE), limit)
            taken[package] += len(chosen) - before
            progress(len(chosen))


def _add(chosen: dict[str, Passage], passages: Iterable[Passage], limit: int) -> None:
    for passage in passages:
        if len(chosen) < limit and len(passage.text.split()) >= MIN_WORDS:
            chosen.setdefault(passage.text.casefold(), passage)


def _shuffled(files: Iterable[tuple[str, Path]], seed: int) -> list[tuple[str, Path]]:
    listed = list(files)
    random.Random(seed).shuffle(listed)
    return listed
