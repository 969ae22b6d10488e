"""The Redis user of cpp/l2/README.md, which may do what the Redis tier needs and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

NAME = "vcache"
PASSWORD = "least-password"

_README = Path(__file__).resolve().parents[2] / "cpp" / "l2" / "README.md"


def _words() -> list[str]:
    found = re.search(r"```\nACL SETUSER (.*?)```", _README.read_text(encoding="utf-8"), re.S)
    assert found is not None
    return found[1].split()


def rules(namespaces: Iterable[str] = ("vcache",), without: str = "") -> list[str]:
    """The words of the user's definition, for more namespaces or without one of its commands."""
    out = []
    for word in _words()[1:]:
        if word == f"+{without}":
            continue
        if word.startswith("~"):
            out += [word.replace("vcache", namespace) for namespace in namespaces]
        else:
            out.append(word.replace("PASSWORD", PASSWORD))
    return out


COMMANDS = [word[1:] for word in _words() if word.startswith("+")]
