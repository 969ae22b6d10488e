"""
TorchScript models for vcache, run by LibTorch; loaded on first use.
"""

from __future__ import annotations
import numpy
import numpy.typing
import typing

__all__: list[str] = ["Scorer"]

class Scorer:
    """
    A TorchScript module, frozen, that scores float32 matrices. Thread-safe.
    """
    def __init__(
        self, path: str, sha256: str, batch_size: typing.SupportsInt | typing.SupportsIndex
    ) -> None: ...
    def score(self, features: typing.Any) -> numpy.typing.NDArray[numpy.float32]:
        """
        Scores of shape (n,) or (n, outputs) for features of shape (n, inputs), read in place.
        """
    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...

_table: typing.Any
