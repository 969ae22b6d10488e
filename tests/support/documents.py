"""What the documents of this repository say that a reader may type: blocks of Python, commands."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sybil import Document, Example, Sybil
from sybil.evaluators.python import pad
from sybil.parsers.markdown import CodeBlockParser, SkipParser

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {"build", ".venv", ".cache"}  # what the commands of this repository make
FOLDER = "/var/lib/app/"  # of a service; the working directory takes its place
REDIS = re.compile(
    r"redis://(?:127\.0\.0\.1|localhost):6379(?:/0)?"
)  # whose place the server of a test takes

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)  # of any language
SHELLS = {"", "sh", "bash", "console", "shell"}
DOCTEST = re.compile(r"^ *>>> ", re.MULTILINE)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
COMMAND = re.compile(r"(?:script/\w+|python -m vcache|python examples/|pip install)\b.*")
FLAG = re.compile(r"--?[a-z][\w-]*")


def documents() -> list[Path]:
    """All pages of Markdown but the log of changes."""
    pages = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    wanted = (page for page in pages if not SKIPPED & set(page.parts))
    return sorted(ROOT / page for page in wanted if page.name != "CHANGELOG.md")


def modules() -> list[str]:
    """Those of the package whose docstrings have examples with a prompt."""
    package = ROOT / "python"
    files = (path for path in (package / "vcache").rglob("*.py"))
    named = (f for f in sorted(files) if DOCTEST.search(f.read_text(encoding="utf-8")))
    parts = (file.relative_to(package).with_suffix("").parts for file in named)
    return [".".join(part for part in each if part != "__init__") for each in parts]


def parsed(path: Path, url: str = "") -> Document:
    """A page with its blocks of Python, which use the Redis at `url` and the working directory."""

    def evaluate(example: Example) -> None:
        source = REDIS.sub(url, str(example.parsed)).replace(FOLDER, "")
        source = pad(source, example.line + example.parsed.line_offset)
        exec(compile(source, example.path, "exec", dont_inherit=True), example.namespace)

    parsers = [CodeBlockParser("python", evaluate), SkipParser()]
    return Sybil(parsers=parsers, pattern="*.md").parse(path)


def run_blocks(path: Path, url: str, names: dict[str, Any]) -> int:
    """Runs the blocks of a page in their order, all in one module that has `names`; how many."""
    document = parsed(path, url)
    document.namespace.update(names | {"__name__": "page"})
    examples = list(document.examples())
    for example in examples:
        example.evaluate()
    names.update(document.namespace)
    return len(examples)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of ours in fenced blocks and in spans of code."""
    blocks = (block for language, block in FENCED.findall(text) if language in SHELLS)
    lines = [line for block in blocks for line in block.splitlines()]
    for line in [*lines, *SPAN.findall(FENCED.sub("", text))]:
        line = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
        command = COMMAND.fullmatch(line)
        if command is not None:
            yield shlex.split(command.group(), comments=True)


def unknown(words: list[str], help_of: Callable[[list[str]], str]) -> list[str]:
    """What a command has that does not exist: itself, a flag, or an extra of the package.

    help_of: what the command says to --help, or its source.
    """
    if words[:2] == ["pip", "install"]:
        return [name for word in words for name in extras(word) if name not in known_extras()]
    if words[0] == "python" and words[1] == "-m":
        words = words[2:]
    known = help_of(words)
    flags = [word.partition("=")[0] for word in words if FLAG.match(word)]
    return [flag for flag in flags if not re.search(rf"(?<![\w-]){flag}(?![\w-])", known)]


def extras(word: str) -> list[str]:
    """Those of `.[a,b]` and `vcache[a,b]`."""
    found = re.fullmatch(r"(?:\.|vcache)\[([\w, -]+)\]", word)
    return re.split(r",\s*", found[1]) if found else []


def known_extras() -> set[str]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return set(table["project"]["optional-dependencies"])
