"""TorchScript models, run and fitted by LibTorch in the extension module `vcache._torch`."""

from __future__ import annotations

import os
import re
import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from numbers import Integral
from typing import TYPE_CHECKING, Any

from . import _core
from ._messages import caller_level
from .errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ._torch import Scorer

__all__ = ["can_train", "load_scorer", "make_trainer"]

_TORCH = "2.13"  # the LibTorch that vcache._torch is built against
_MAX_BATCH = 65_536


def load_scorer(
    path: str | os.PathLike[str], *, sha256: str | None = None, batch_size: int = 1024
) -> Scorer:
    """The TorchScript model at `path`, checked and ready to score.

    The file is read once. Its bytes must have the digest `sha256` where one is given (take it from
    outside the folder of the model), and may use allowed operators only: both are checked before
    anything of it is loaded, which is when TorchScript may run code. Raises ModelError where the
    model is refused or torch is missing.
    """
    scorer: Scorer = _torch().Scorer(os.fspath(path), _digest(sha256), _batch(batch_size))
    return scorer


def make_trainer(
    *,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
    weights: NDArray[np.float32] | None = None,
) -> _core.Trainer:
    """A trainer of models of the cache's shape, from `weights` or from random ones by the seed.

    Raises ModelError where torch is missing or an argument is outside what is allowed.
    """
    _torch()
    return _core.Trainer(
        batch_size=batch_size, learning_rate=learning_rate, seed=seed, weights=weights
    )


def can_train() -> bool:
    """Whether make_trainer() would find a torch that fits; says nothing where there is none."""
    return _loaded()[0] is not None


def _digest(sha256: object) -> str:
    if sha256 is None:
        return ""
    if not isinstance(sha256, str):
        raise TypeError(
            f"sha256={sha256!r} of type {type(sha256).__name__}: allowed is None or a str"
        )
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ValueError(f"sha256={sha256!r}: allowed are 64 hexadecimal digits")
    return sha256


def _batch(batch_size: object) -> int:
    allowed = f"allowed is an int from 1 to {_MAX_BATCH}"
    if isinstance(batch_size, bool) or not isinstance(batch_size, Integral):
        raise TypeError(f"batch_size={batch_size!r} of type {type(batch_size).__name__}: {allowed}")
    if not 1 <= int(batch_size) <= _MAX_BATCH:
        raise ValueError(f"batch_size={batch_size!r}: {allowed}")
    return int(batch_size)


@cache
def torch_library() -> str | None:
    """Path of the extension module with LibTorch, for who loads it without Python.

    None where there is none, or torch is missing or does not fit; warns once of the latter.
    """
    if _unfit():
        return None
    found = find_spec("vcache._torch")
    return None if found is None else found.origin


def _torch() -> Any:
    """The extension module, in use by the core; without importing the Python package of torch."""
    module, problem = _loaded()
    if module is None:
        raise ModelError(problem)
    return module


@cache
def _unfit() -> str:
    """Why no torch can be used; empty where one can. Warns once about one that does not fit."""
    from importlib import metadata  # not with vcache: it brings in a good part of the library

    try:
        installed = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return f"torch is not installed: models need torch {_TORCH} (pip install vcache[torch])"
    if installed.startswith(f"{_TORCH}."):
        return ""
    problem = f"torch {installed} is installed: models need torch {_TORCH}, and are switched off"
    warnings.warn(problem, RuntimeWarning, stacklevel=caller_level())
    return problem


@cache
def _loaded() -> tuple[Any, str]:
    """The module, or None and why."""
    if problem := _unfit():
        return None, problem
    try:
        module = import_module("vcache._torch")
        _core.use_torch(module._table)
    except ModelError as error:
        return None, str(error)
    except ImportError as error:
        return (
            None,
            f"vcache._torch cannot be loaded ({error}); was vcache built with VCACHE_TORCH=0?",
        )
    return module, ""
