"""Access logs as a service writes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def lines_of(ids: Iterable[int], **fields: object) -> str:
    """A line for each access; the fields, as JSON, are those of all."""
    more = "".join(f', "{name}": {value}' for name, value in fields.items())
    return "".join(f'{{"time": 1.5, "key": {key}{more}}}\n' for key in ids)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def rotate(path: Path, kept: int = 3) -> None:
    """PATH becomes PATH.1 and so on; there is no PATH then."""
    names = [path, *(Path(f"{path}.{number}") for number in range(1, kept + 1))]
    for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
        if newer.exists():
            newer.replace(older)
