"""What a cache under the policy "learned" can be asked, and how it is set up to learn."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from . import _core
from ._messages import caller_level, shown
from ._model import torch_library
from ._weights import default_model
from .durations import parse_duration
from .errors import ConfigError, ModelError

if TYPE_CHECKING:
    from ._arguments import Key

__all__ = [
    "Explanation",
    "LearnedCalls",
    "Minimize",
    "learning_of",
    "parse_interval",
    "parse_minimize",
    "parse_path",
]

Minimize = Literal["misses", "cost"]

_NOT_LEARNED = 'the policy of this cache is not "learned"'
_WAIT = 60.0  # seconds; a fit takes well under one


@dataclass(frozen=True)
class Explanation:
    """Why the entry of a key stays in memory or leaves it, as of now. Times are in look-ups.

    Where memory is full of small values, or of few, a classic policy decides and nothing is known
    of keys: all numbers are 0 then.
    """

    held: bool
    """Whether memory has it; else it is remembered from before."""
    leader: str
    """Who decides in the key's part of memory: a policy, or the model "frozen" or "online"."""
    accesses: int
    age: int
    """Since the last access."""
    hits: int
    """Since it came into memory; 0 where it is not there."""
    resident: int
    """Since then."""
    mean_residence: float
    """How long entries stay, on average."""
    probabilities: dict[float, float] = field(default_factory=dict)
    """That it is read again within so many mean residences, by the model; empty without one."""


class LearnedCalls:
    """Calls that have to do with learned eviction."""

    _tiers: _core.TieredCache

    def predict(self, key: Key) -> float:
        """P(`key` is read within the next hour), by the model in use and the rate of late.

        Calibrated by what became of keys an hour after they were sampled, once such hours are over.
        0.0 for a key that this process knows nothing of. Raises ConfigError unless the policy is
        "learned", and ModelError where there is no model yet.
        """
        probability = self._tiers.predict(key)
        if probability is not None:
            return float(probability)
        learning = self._learning()
        if not learning["has_model"]:
            raise ModelError(f"no model is in use: {learning['problem'] or 'none is fitted yet'}")
        return 0.0

    def explain(self, key: Key) -> Explanation | None:
        """What decides whether the entry of `key` stays in memory; None for an unknown key.

        Raises ConfigError unless the policy is "learned".
        """
        known = self._tiers.explain(key)
        if known is not None:
            return Explanation(**known)
        self._learning()
        return None

    def retrain(self, *, wait: bool = False) -> str:
        """Fits a new model to what was seen of late, in a native thread beside the calls.

        It is published only where it is no worse than the one in use on the newest examples, which
        it was not fitted to. With `wait`, what became of it: "published", "refused", or why it
        could not be fitted; else "pending". Raises ConfigError unless the policy is "learned".
        """
        self._learning()
        return self._tiers.retrain(_WAIT if wait else 0.0)

    def roll_back_model(self) -> bool:
        """Goes back to the model published before the one in use; False where there is none.

        Raises ConfigError unless the policy is "learned".
        """
        self._learning()
        return self._tiers.roll_back_model()

    def pin_expert(self, expert: str | None) -> None:
        """Has one expert decide from now on, whatever the others do; None: the best of late.

        One of "s3fifo", "lru", "arc", "wtinylfu", with `minimize="cost"` "gdsf", and with a model
        "frozen" or, once one is fitted, "online". Raises ConfigError, and pins none, for any other,
        and unless the policy is "learned".
        """
        learning = self._learning()
        if expert is not None and expert not in learning["experts"]:
            allowed = ", ".join(learning["experts"])
            raise ConfigError(f"expert={shown(expert)}: allowed are None, {allowed}")
        if not self._tiers.pin_expert(expert or ""):
            raise ConfigError(f"expert={shown(expert)} does not take part everywhere yet")

    def _learning(self) -> dict[str, Any]:
        found: dict[str, Any] | None = self._tiers.learning()
        if found is None:
            raise ConfigError(_NOT_LEARNED)
        return found


def learning_of(
    *, model_path: str | None, model_sha256: str | None, interval: float, minimize: str
) -> _core.Learning:
    """How a cache is to learn. Warns where the model named cannot be used; the shipped one is."""
    common = {
        "model": _shipped(),
        "torch_library": torch_library() or "",
        "interval": interval,
        "minimizes_cost": minimize == "cost",
    }
    if model_path is None:
        return _core.Learning(**common)
    try:
        return _core.Learning(model_path=model_path, model_sha256=model_sha256 or "", **common)
    except ModelError as error:
        warnings.warn(
            f"model_path={shown(model_path)}: {error}; the shipped model is used instead",
            RuntimeWarning,
            stacklevel=caller_level(),
        )
        return _core.Learning(**common)


def _shipped() -> Any:
    try:
        return default_model().core
    except ModelError as error:
        warnings.warn(
            f"{error}; the classic policies decide", RuntimeWarning, stacklevel=caller_level()
        )
        return None


def parse_minimize(value: object, name: str) -> str:
    if value not in ("misses", "cost"):
        raise ConfigError(f'{name}={shown(value)}: allowed are "misses" and "cost"')
    return str(value)


def parse_path(value: object, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ConfigError(f"{name}={shown(value)}: allowed are None and a path")
    return os.fsdecode(os.fspath(value))


def parse_interval(value: object, name: str) -> float:
    return 0.0 if value is None else parse_duration(value, name)
