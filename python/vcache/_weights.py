"""The weights of models: files, the shipped one, and what they predict."""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from stat import S_ISREG
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _core
from ._messages import shown
from .errors import ModelError

__all__ = [
    "HEADS",
    "HIDDEN",
    "INPUTS",
    "Layer",
    "Model",
    "ModelLike",
    "default_model",
    "load_model",
    "model_of",
]

INPUTS: int = _core.MODEL_INPUTS
HEADS: int = _core.MODEL_HEADS
HIDDEN = 32
DEFAULT_SHA256 = "923fee563ed50a0b1fb34e61b6b37a0d3d43cf4c1841ee168fbb683e262b17a0"

_DEFAULT = Path(__file__).with_name("ml") / "default_model.bin"
_WIDTHS = (INPUTS, HIDDEN, HIDDEN, HEADS)
_HEADER = b"vcache-mlp-1\n" + struct.pack("<3I", INPUTS, HIDDEN, HEADS)
_MOST = 1 << 20  # bytes that are read of a file

Layer: TypeAlias = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Weights of shape (inputs, outputs), biases of shape (outputs,)."""


class Model:
    """A network of two hidden layers of 32: what becomes of an entry, from 17 features of it.

    It has five outputs, each the probability that the entry is read again within a horizon:
    0.125, 0.5, 2 and 8 times as long as an entry stays in the cache on average, and an hour.
    Features are those of cpp/predictor/features.hpp. Immutable. Equal to a model of the same bytes.

    data: the bytes of a weights file: b"vcache-mlp-1\\n", three little-endian uint32 (17, 32, 5),
        then of each of the three layers the weights, (inputs, outputs) in C order, and the biases,
        little-endian float32. Raises ModelError, which says what is wrong, for any others.
    """

    __slots__ = ("core", "data")

    core: Any
    """What a replay in C++ takes."""
    data: bytes

    def __init__(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise TypeError(
                f"data={shown(data)} is of type {type(data).__name__}: allowed is bytes"
            )
        object.__setattr__(self, "core", _core.Model(data))
        object.__setattr__(self, "data", data)

    @classmethod
    def of_layers(cls, layers: Sequence[Layer]) -> Model:
        """Of the weights and biases of three layers, from the inputs on."""
        values = [np.ravel(part) for layer in layers for part in layer]
        return cls(_HEADER + np.concatenate(values).astype("<f4").tobytes())

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: a Model never changes")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name}: a Model never changes")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and other.data == self.data

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"<vcache.ml.Model {self.sha256[:12]}>"

    def __reduce__(self) -> tuple[type[Model], tuple[bytes]]:
        return Model, (self.data,)

    @property
    def sha256(self) -> str:
        """The digest of the bytes, 64 hexadecimal digits."""
        return sha256(self.data).hexdigest()

    @property
    def layers(self) -> list[Layer]:
        """Copies of the weights and biases, from the inputs on; float32."""
        values = np.frombuffer(self.data, "<f4", offset=len(_HEADER)).astype(np.float32)
        found, first = [], 0
        for inputs, outputs in pairwise(_WIDTHS):
            end = first + inputs * outputs
            weights = values[first:end].reshape(inputs, outputs)
            found.append((weights, values[end : end + outputs]))
            first = end + outputs
        return found

    def predict(self, features: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """Probabilities, float32 of shape (n, 5), for features of shape (n, 17).

        Within 1e-5 of what the cache computes. Raises TypeError or ValueError for other arrays.
        """
        rows = np.asarray(features)
        if rows.dtype.kind != "f":
            raise TypeError(f"features of dtype {rows.dtype}: allowed are floats")
        if rows.ndim != 2 or rows.shape[1] != INPUTS:
            raise ValueError(f"features of shape {rows.shape}: allowed is (n, {INPUTS})")
        out = rows.astype(np.float32)
        for place, (weights, biases) in enumerate(self.layers):
            out = (out if place == 0 else np.maximum(out, 0)) @ weights + biases
        logistic: npt.NDArray[np.float32] = 0.5 + 0.5 * np.tanh(0.5 * out)
        return logistic

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file whole or not at all; raises OSError."""
        file = Path(path)
        temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        try:
            with temporary.open("xb") as out:
                out.write(self.data)
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)


ModelLike: TypeAlias = Model | str | os.PathLike[str]


def load_model(path: str | os.PathLike[str] | None = None) -> Model:
    """The model in a weights file; None: the shipped one.

    Raises ModelError, naming the path, where it is missing, no regular file, or its bytes are not
    those of a weights file.
    """
    return default_model() if path is None else model_of(path, "path")


@cache
def default_model() -> Model:
    """The shipped model. Raises ModelError where its file is not as it was shipped."""
    model = model_of(_DEFAULT, "the shipped model")
    if model.sha256 != DEFAULT_SHA256:
        raise ModelError(
            f"the shipped model {shown(str(_DEFAULT))} has the digest {model.sha256}, not"
            f" {DEFAULT_SHA256}: install vcache again"
        )
    return model


def model_of(given: object, name: str) -> Model:
    """Of what was given as argument `name`; None: the shipped one."""
    if given is None:
        return default_model()
    if isinstance(given, Model):
        return given
    if not isinstance(given, (str, os.PathLike)):
        kind = type(given).__name__
        raise TypeError(
            f"{name}={shown(given)} is of type {kind}: allowed are a path to a weights file,"
            " a vcache.ml.Model, and None"
        )
    try:
        return Model(_bytes_of(Path(given)))
    except (OSError, ValueError, ModelError) as error:
        why = (error.strerror or error) if isinstance(error, OSError) else error
        raise ModelError(
            f"{name}={shown(os.fspath(given))}: {why}; allowed is a weights file as"
            " python -m vcache train writes it"
        ) from error


def _bytes_of(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe without a writer would wait
    with os.fdopen(descriptor, "rb") as file:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a regular file")
        return file.read(_MOST)
