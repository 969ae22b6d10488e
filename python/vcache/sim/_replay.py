"""One trace through one policy at one capacity."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import _core
from .._messages import shown
from .._model import can_train
from .._weights import ModelLike, model_of
from ..sizes import parse_size
from ._trace import Trace, TraceLike, trace_of

__all__ = ["POLICIES", "Capacity", "Objective", "Result", "Unit", "replay"]

Capacity = int | str
Unit = Literal["entries", "bytes"]
Objective = Literal["misses", "cost"]

POLICIES: tuple[str, ...] = tuple(_core.replay_names())
"""Every policy that replay() knows: those of a cache, and "fifo" and "belady"."""

Progress = Callable[[int], object]

_STRETCH = 1 << 18  # requests without a look at signals
_MOST = 2**63 - 1
_SHARE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*%")


@dataclass(frozen=True)
class Result:
    """What a replay counted.

    policy, capacity, unit: of the replay; the capacity in entries or bytes.
    requests, hits, evictions: how many; `miss_ratio` is 1 - hits / requests.
    bytes_requested, bytes_hit: sums of the sizes asked for, an object of unknown size being one
        byte; `byte_miss_ratio` is 1 - bytes_hit / bytes_requested, or 0 where nothing has a size.
    cost_requested, cost_saved: sums of the costs of all requests, and of the hits among them.
    seconds: that the replay took.
    skipped: lines of the trace's file that were no requests.
    leader, switches, experts: of "learned", else empty: the expert that it followed last, how often
        it changed to another, and what each missed in its shadow, a smaller cache that sees a share
        of the objects from when the cache was first full. "frozen" is the model, "online" the one
        that was fitted meanwhile.
    fits: how often that was fitted.
    policy_bytes: of "learned", else 0: what its experts, their shadows and its ghosts occupied.
    """

    policy: str
    capacity: int
    unit: Unit
    requests: int
    hits: int
    miss_ratio: float
    byte_miss_ratio: float
    cost_saved: float
    cost_requested: float
    bytes_requested: int
    bytes_hit: int
    evictions: int
    seconds: float
    skipped: int
    leader: str = ""
    switches: int = 0
    experts: dict[str, int] = field(default_factory=dict, hash=False)
    fits: int = 0
    policy_bytes: int = 0


def replay(
    trace: TraceLike,
    policy: str,
    capacity: Capacity,
    *,
    unit: Unit = "entries",
    seed: int = 0,
    model: ModelLike | None = None,
    objective: Objective = "misses",
    learns: bool = True,
) -> Result:
    """Counts what a cache that begins empty would have hit.

    trace: ids of objects, whole numbers of shape (n,); a Trace, which has sizes and costs too; or
        the path of a file that read_trace() reads.
    policy: one of POLICIES. They are the classes that evict in a live cache, but "fifo", which
        heeds no use, and "belady", which knows the future: it evicts what is asked for again last,
        which no cache that stores every newcomer beats where capacity counts entries. Where it
        counts bytes that is a good guess only.
    capacity: how many objects fit, or with unit="bytes" how many bytes of them, as a number or
        "512MiB"; or "1%" of the trace's distinct objects, or of their bytes, and at least 1. An
        object keeps the size with which it came; one larger than the capacity is never stored.
    unit: "entries" or "bytes".
    seed: of the policies that leave something to chance, 0 to 2**64 - 1. Equal seeds give equal
        results on one machine.
    model: of "learned", others need none: a vcache.ml.Model, the path of a weights file as
        `python -m vcache train` writes it, or None for the shipped one.
    objective: what "learned" is to have least of, "misses" or the "cost" of them.
    learns: whether "learned" fits a second model, the expert "online", to what became of the
        requests so far, beginning with `model`. Needs the torch that vcache was built for: without
        it none is fitted, and `fits` of the result is 0.

    Lets other threads run meanwhile, and Ctrl-C end it. Raises ValueError or TypeError, naming
    argument, value and what is allowed, and ModelError for a file of another kind.
    """
    return run(
        trace_of(trace),
        policy,
        capacity,
        unit,
        seed,
        model=model,
        objective=objective,
        learns=learns,
    )


def run(
    trace: Trace,
    policy: str,
    capacity: Capacity,
    unit: Unit,
    seed: int = 0,
    progress: Progress = lambda requests: None,
    *,
    model: ModelLike | None = None,
    objective: Objective = "misses",
    learns: bool = True,
) -> Result:
    """replay(), which tells `progress` of requests as they are done."""
    entries = capacity_of(capacity, trace, unit)
    cache = new_cache(policy, entries, unit, seed, model=model, objective=objective, learns=learns)
    feed(cache, trace, policy, progress=progress)
    counted = cache.totals()
    bytes_missed = counted["bytes_requested"] - counted["bytes_hit"]
    return Result(
        policy=policy,
        capacity=entries,
        unit=unit,
        miss_ratio=(counted["requests"] - counted["hits"]) / counted["requests"],
        byte_miss_ratio=bytes_missed / max(counted["bytes_requested"], 1),
        skipped=trace.skipped,
        **experts_of(cache),
        **counted,
    )


def new_cache(
    policy: str,
    capacity: int,
    unit: Unit,
    seed: int,
    *,
    model: ModelLike | None = None,
    objective: Objective = "misses",
    learns: bool = True,
) -> _core.Replay:
    """An empty cache."""
    check_policy(policy)
    check_objective(objective)
    check_seed(seed)
    check_learns(learns)
    used = model_of(model, "model") if policy == "learned" or model is not None else None
    core: Any = None if used is None else used.core
    return _core.Replay(
        policy=policy,
        capacity=capacity,
        in_bytes=unit == "bytes",
        seed=int(seed),
        model=core,
        by_cost=objective == "cost",
        examples=0,
        learns=learns and policy == "learned" and can_train(),
    )


def feed(
    cache: _core.Replay,
    trace: Trace,
    policy: str,
    first: int = 0,
    end: int | None = None,
    progress: Progress = lambda requests: None,
    *,
    times: npt.NDArray[np.int64] | None = None,
) -> None:
    """Replays the requests from number `first` to before `end`; `times` are all in nanoseconds."""
    next_uses = trace.next_uses if policy == "belady" else None
    arrays = [trace.ids, trace.sizes, trace.costs, next_uses, times]
    end = trace.requests if end is None else end
    for start in range(first, end, _STRETCH):
        stretch = slice(start, min(start + _STRETCH, end))
        cache.run(*[None if values is None else values[stretch] for values in arrays])
        progress(stretch.stop - start)


def experts_of(cache: _core.Replay) -> dict[str, Any]:
    """What a Result says of the experts."""
    found = cache.experts()
    if not found:
        return {}
    names = {"leader": "leader", "switches": "switches", "experts": "misses"}
    told = {name: found[key] for name, key in names.items()}
    return told | {"fits": found.get("fits", 0), "policy_bytes": found["memory_bytes"]}


def check_policy(policy: object) -> None:
    if policy not in POLICIES:
        raise ValueError(f"policy={shown(policy)}: allowed are {', '.join(POLICIES)}")


def check_objective(objective: object) -> None:
    if objective not in ("misses", "cost"):
        raise ValueError(f"objective={shown(objective)}: allowed are 'misses' and 'cost'")


def check_learns(learns: object) -> None:
    if not isinstance(learns, bool):
        kind = type(learns).__name__
        raise TypeError(f"learns={shown(learns)} is of type {kind}: allowed are True and False")


def check_seed(seed: object) -> None:
    allowed = "allowed are whole numbers from 0 to 2**64 - 1"
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed={shown(seed)} is of type {type(seed).__name__}: {allowed}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed={shown(seed)}: {allowed}")


def check_unit(unit: object, trace: Trace) -> None:
    if unit not in ("entries", "bytes"):
        raise ValueError(f"unit={shown(unit)}: allowed are 'entries' and 'bytes'")
    if unit == "bytes" and trace.sizes is None:
        raise ValueError("unit='bytes': the trace has no sizes; allowed is 'entries'")


def capacity_of(capacity: object, trace: Trace, unit: Unit, name: str = "capacity") -> int:
    """Entries or bytes of a capacity given as argument `name`."""
    check_unit(unit, trace)
    allowed = "allowed are a whole number above 0, a share of the trace such as '1%'"
    if unit == "bytes":
        allowed += ", and a size such as '512MiB'"
    found = -1
    if isinstance(capacity, str) and (match := _SHARE.fullmatch(capacity.strip())):
        share = Fraction(match[1]) / 100
        whole = trace.footprint if unit == "bytes" else trace.objects
        found = max(int(whole * share), 1) if 0 < share <= 1 else -1
    elif isinstance(capacity, str) and unit == "entries":
        found = int(capacity) if capacity.strip().isdecimal() else -1
    elif isinstance(capacity, bool) or not isinstance(capacity, (int, np.integer, str)):
        kind = type(capacity).__name__
        raise TypeError(f"{name}={shown(capacity)} is of type {kind}: {allowed}")
    else:
        found = parse_size(capacity, name, most=_MOST, allowed=allowed)
    if not 0 < found <= _MOST:
        raise ValueError(f"{name}={shown(capacity)}: {allowed}")
    return found
