"""Codecs of results that are records: dataclasses, msgspec structs, pydantic models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_origin

import msgspec
import numpy as np

__all__ = ["codec_of"]


def codec_of(kind: Any, *, none_too: bool) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Functions that take a value of type `kind` apart into plain values and build it again.

    `kind` is anything that a type hint can say, `list[Document]` too. `none_too`: None is a value
    whether the hint says so or not.
    """

    def encode(value: Any) -> Any:
        return msgspec.to_builtins(value, builtin_types=(bytes, np.ndarray), enc_hook=_take_apart)

    def decode(value: Any) -> Any:
        if value is None and none_too:
            return None
        return msgspec.convert(value, kind, builtin_types=(bytes,), dec_hook=_build)

    return encode, decode


def _take_apart(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    raise NotImplementedError(f"a value of type {type(value).__name__} cannot be stored")


def _build(hint: Any, value: Any) -> Any:
    kind = get_origin(hint) or hint
    if isinstance(value, kind):
        return value
    if hasattr(kind, "model_validate"):
        return kind.model_validate(value)
    raise TypeError(f"{kind.__name__} cannot be made of a stored {type(value).__name__}")
