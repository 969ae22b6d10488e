"""Names of environment variables: whose they are, and which of ours have no effect yet."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Sequence

from ._messages import caller_level
from .errors import ConfigError

__all__ = ["check_names", "warn_of_idle"]

# Those of the build, the tests and the scripts of vcache.
_BUILD = frozenset(
    f"VCACHE_{name}"
    for name in (
        *("BENCH_HELD_OUT", "COMMITS", "COVERAGE", "FUZZ", "HIREDIS_SDIST", "LOG_LINES"),
        *("NIGHTLY", "PYTHON", "RELEASE", "SANITIZE", "TEST_DATA", "TORCH", "TORCH_FOLDER"),
        *("VERSION", "WERROR"),
        *("XTENSOR_INCLUDE", "XTL_INCLUDE", "XXHASH_INCLUDE", "ZSTD_INCLUDE", "ZSTD_LIBRARY"),
    )
)
# Those that Kubernetes sets in every container beside a service named vcache or vcache-….
_SERVICE = re.compile(
    r"VCACHE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_\w+)?)?)"
)


def check_names(extras: Iterable[str], known: Sequence[str]) -> None:
    """Raises ConfigError for a VCACHE_ variable of the environment or in `extras` that is unknown.

    Empty ones count as unset. Values are not shown, an unknown variable may hold a secret.
    """
    named = [name for name, text in os.environ.items() if text]
    for name in sorted({*named, *extras}):
        is_ours = name.startswith("VCACHE_") and not _SERVICE.fullmatch(name)
        if is_ours and name not in _BUILD and name not in known:
            from difflib import get_close_matches

            nearest = get_close_matches(name, [n for n in known if n.startswith("VCACHE_")], 1, 0.0)
            raise ConfigError(
                f"{name} is no variable of vcache: the nearest is {nearest[0]}, and allowed are"
                " those of .env.example"
            )


def warn_of_idle(names: Sequence[str], why: str) -> None:
    """Warns of variables that are set and have no effect."""
    if names:
        text = f"set, but without effect {why}: {', '.join(names)}"
        warnings.warn(text, RuntimeWarning, stacklevel=caller_level())
