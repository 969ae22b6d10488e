"""What the keys of one decorated function begin with: its name, and its generation.

The generation is what cache_clear() steps. It is kept in the cache too, for processes that call the
function later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._callers import Caller, run_blocking
from ._calls import BLOCKING
from ._core import MISSING
from ._costing import Runs
from ._keying import LAST_TAGS, MAX_KEY
from ._naming import full_name
from ._site_options import key_prefix, signature_of

if TYPE_CHECKING:
    from ._core import TieredCache
    from .cache import Cache

__all__ = ["Heads"]

_NO_HEAD = "\0" * (MAX_KEY + 1)  # no key begins with so much


class Heads:
    """The heads of one function's keys. Thread-safe under the GIL."""

    def __init__(self, cache: Cache, function: Callable[..., Any], prefix: str | None) -> None:
        self.cache, self.function = cache, function
        self.signature = signature_of(function)
        self.digest = cache._digest
        self.quick_hits: Callable[[], int] = int  # hits that the wrapper itself counts
        self.restart: Callable[[str], object] = str  # tells the wrapper of another head
        self.hits = self.misses = self.uncached = 0
        self.runs = Runs()
        self.name, closure = full_name(function), ""
        if prefix is None:
            self.name, closure = cache._names.claim(function)
        self.prefix = key_prefix(prefix, self.name)
        self.closure = f"+{closure}" if closure else ""
        known = cache._names.generation(self.record)
        self.is_ready = known is not None or not cache._has_redis
        self.begin(known or 0)

    @property
    def record(self) -> str:
        """The key of the generation that the last cache_clear() began."""
        return f"{self.prefix}:generation{self.closure}"

    @property
    def unready_head(self) -> str:
        """What the keys begin with that are made before the generation is known."""
        return f"{self.record}:"

    async def ready(self, caller: Caller) -> None:
        """Takes up the generation that is kept in the cache, as soon as Redis says which it is.

        Before that what was cleared cannot be told from what was not.
        """
        if not self.is_ready:
            self._take_up(await caller.core(self._kept))

    def prepare(self) -> None:
        """As ready(), in this thread."""
        run_blocking(self.ready(BLOCKING))

    def _kept(self) -> int | None:
        """The generation that is kept in the cache, 0 for none; None where Redis does not say."""
        core = self.cache._tiers
        before = _unanswered(core)
        (found,) = core.find_again([self.record], False)  # which counts no request
        if found is MISSING:
            return 0 if _unanswered(core) == before else None
        return found[0] if type(found[0]) is int else 0

    def _take_up(self, kept: int | None) -> None:
        if kept is not None:
            self.is_ready = True
            self.begin(self.cache._names.reach(self.record, kept))

    def begin(self, generation: int) -> None:
        """Makes keys of this generation from now on."""
        self.generation = generation
        self.head = f"{self.prefix}:{generation}{self.closure}:"
        self.tails: dict[int, tuple[Any, ...]] = {}
        if not self.digest.is_keyed:
            self.tails = self.signature.tails
        if not self.is_ready:  # the quick ways find nothing
            self.head, self.tails = self.unready_head, {}
        self.text_head = f"{self.head}{LAST_TAGS[str]}"  # before a str that is all
        self.cache._modes.aim(self)

    def aim(self) -> None:
        """Has the wrapper look for what it answers itself, but not while there are blocks.

        Requires: called by the modes.
        """
        self.hits += self.quick_hits()  # which begin anew
        self.restart(_NO_HEAD if self.cache._modes.are_on else self.text_head)

    async def clear(self, caller: Caller) -> None:
        self.is_ready = True
        self.begin(self.cache._names.step(self.record))
        self.hits = self.misses = self.uncached = 0
        self.runs.restart()
        if self.cache._has_redis:
            await caller.core(self._keep)

    def _keep(self) -> None:
        self.cache.set(self.record, self.generation, ttl=None)


def _unanswered(core: TieredCache) -> int:
    """How often Redis did not answer so far: one more after each time, and maybe more."""
    counters = core.stats()
    return int(counters["skipped"] + counters["errors"])
