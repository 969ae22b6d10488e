"""What callers ask an embeddings cache for, and what is found of it here and in RedisVL's."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .._messages import shown
from ._redisvl_hashes import Content, Entry, Old, as_vector

__all__ = ["DIGITS", "Asked", "Found", "are_there", "check_content", "check_model", "filled"]
__all__ += ["found_in", "gaps", "new_entry", "under"]

DIGITS = 64  # of the digest that a key ends with

Found = Entry | None


class Asked(NamedTuple):
    """Entries that are asked for: keys here, RedisVL's keys, and of what they are, if known."""

    keys: list[str]
    old_keys: list[str]
    wanted: list[tuple[Content, str]] | None = None

    def accepts(self, index: int, old: Old) -> bool:
        return self.wanted is None or old.is_of(*self.wanted[index])


def found_in(values: Iterable[object]) -> list[Found]:
    return [Entry.of_stored(value) for value in values]


def gaps(found: Sequence[Found]) -> list[int]:
    return [index for index, entry in enumerate(found) if entry is None]


def filled(
    found: list[Found], missed: Sequence[int], old: Sequence[Old | None], asked: Asked
) -> list[Old]:
    """Puts the entries of RedisVL into the gaps; which they are."""
    taken: dict[int, Old] = {
        index: one
        for index, one in zip(missed, old, strict=True)
        if one is not None and asked.accepts(index, one)
    }
    for index, one in taken.items():
        found[index] = one.entry
    return list(taken.values())


def are_there(found: Iterable[Found]) -> list[bool]:
    return [entry is not None for entry in found]


def under(keys: Iterable[str]) -> Asked:
    listed = list(keys)
    return Asked(listed, listed)


def new_entry(
    content: Content,
    model_name: str,
    embedding: Sequence[float],
    metadata: dict[str, Any] | None = None,
) -> Entry:
    return Entry(
        check_content(content), check_model(model_name), as_vector(embedding), time.time(), metadata
    )


def check_content(content: object) -> Content:
    if isinstance(content, str | bytes):
        return content
    raise TypeError(
        f"content={shown(content)} of type {type(content).__name__}: allowed are str and bytes"
    )


def check_model(model_name: object) -> str:
    if isinstance(model_name, str):
        return model_name
    raise TypeError(
        f"model_name={shown(model_name)} of type {type(model_name).__name__}: allowed is a str"
    )
