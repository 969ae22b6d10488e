"""What the integrations share: their arguments, and whose vectors a host's model makes."""

from __future__ import annotations

import re
from typing import Any

from .._messages import shown
from ..errors import ConfigError

__all__ = ["check_name", "digest_of", "dims_of", "missing", "model_of"]

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Where hosts keep the name of a model.
_NAMED_BY = ("model", "model_name", "model_id")
# Options under which one model makes other vectors, which no name tells of.
_VARY = (
    "additional_kwargs",
    "embed_instruction",
    "encode_kwargs",
    "model_kwargs",
    "query_encode_kwargs",
    "query_instruction",
    "text_instruction",
)


def missing(module: str, package: str, extra: str) -> ImportError:
    """What to raise where a module's host is not installed."""
    return ImportError(
        f"vcache.integrations.{module} needs {package}, which is not installed: pip install"
        f" 'vcache[{extra}]'",
        name=package.replace("-", "_"),
    )


def check_name(name: object) -> str:
    """The `name` of a store, under which its entries stand in a cache."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise ConfigError(f"name={shown(name)}: allowed are 1 to 64 of A-Z a-z 0-9 _ . -")


def model_of(host: object, given: str | None) -> str:
    """The model that keys name: as given, else as `host` says, if that tells its vectors apart."""
    if given is not None:
        return given
    varied = [name for name in _VARY if getattr(host, name, None)]
    if varied:
        raise ConfigError(
            f"model=None: {type(host).__name__} has {varied[0]}, which changes its vectors; allowed"
            " is a model= that names both"
        )
    found = [getattr(host, name, None) for name in _NAMED_BY]
    named = [name for name in found if isinstance(name, str) and name not in ("", "unknown")]
    if not named:
        raise ConfigError(
            f"model=None: {type(host).__name__} does not say which model it is; allowed is a model="
            " that names it and its version"
        )
    return named[0]


def dims_of(host: object) -> int | None:
    """The `dimensions` that a model was asked for, which keys name too."""
    dims: Any = getattr(host, "dimensions", None)
    return dims if type(dims) is int else None


def digest_of(digest: Any, *parts: str) -> str:
    """Hexadecimal digits for these parts, which none run into another."""
    hashed = digest.new()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "little") + data)
    return str(hashed.hexdigest())
