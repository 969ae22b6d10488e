"""Two-tier cache for embeddings and vector search: this process' memory and Redis.

import vcache

cache = vcache.Cache(redis="redis://127.0.0.1:6379/0")

@cache.cache_vector_search(ttl="5m")
def search(namespace, vector, top_k=10): ...

embeddings = vcache.EmbeddingCache(model.encode, model="all-MiniLM-L6-v2", cache=cache)
matrix = embeddings.embed(["two texts", "one matrix"])
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from . import _core
except ImportError as error:
    raise ImportError(
        f"the native part of vcache cannot be loaded ({error}); build it with `pip install .` in"
        " the checkout (README.md names the system packages), and start Python elsewhere than in"
        " the folder python/, which holds the sources without it",
        name="vcache._core",
    ) from error

from . import errors, logs
from ._current import current
from .cache import Cache
from .options import RedisOptions
from .stats import Health, Lookup, Stats

if TYPE_CHECKING:
    from .costs import CostReport
    from .embedding import EmbeddingCache
    from .env import get_cache

__all__ = [
    "MISSING",
    "Cache",
    "CostReport",
    "EmbeddingCache",
    "Health",
    "Lookup",
    "RedisOptions",
    "Stats",
    "current",
    "errors",
    "get_cache",
]

MISSING = _core.MISSING
__version__: str = _core.__version__

# Silent until the application says where its log goes.
logging.getLogger(__name__).addHandler(logging.NullHandler())
logs.mark_core_records()

# Loaded with their first use.
_LAZY = {"CostReport": ".costs", "EmbeddingCache": ".embedding", "get_cache": ".env"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
