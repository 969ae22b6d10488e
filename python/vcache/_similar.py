"""Vector searches that the results of nearly the same queries answer too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ._advice import Traffic, overlap
from ._callers import Caller
from ._core import MISSING
from ._current import CurrentCall, noted
from ._gist import Gist, difference, gist_of
from ._keying import numbers_of
from ._messages import shown
from ._neighbours import Indexes, Near, Query
from ._search import SearchOptions, SearchSite
from ._similar_options import Similar
from ._similar_records import Nearest, SimilarAdvice
from ._site import Args, Named
from ._site_options import CacheInfo, Options

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["SimilarSite"]

_CANDIDATES = 16  # of one look-up
_LOOKED_BELOW = 0.10  # the threshold, for the advice


class SimilarSite(SearchSite):
    """How the calls of a search are answered that is given `similar`.

    What is exactly stored is found as in any search. After a miss the nearest answered query is
    looked for whose other arguments are the same, and its result is read under its own key: so
    whatever has ended a result has ended it here.
    """

    def __init__(
        self,
        cache: Cache,
        function: Callable[..., Any],
        options: Options,
        search: SearchOptions,
        similar: Similar,
    ) -> None:
        super().__init__(cache, function, options, search)
        self._at_least = float(similar.similar)
        self._vector = self._place(similar.vector, "similar_vector")
        self._text = None if similar.text is None else self._place(similar.text, "similar_text")
        self._rows = search.depends_on
        self._indexes = Indexes(int(similar.memory))
        self._traffic = Traffic()
        self.similar_hits = 0

    @property
    def takes_one_text(self) -> bool:
        return False

    async def load(self, caller: Caller, key: str, seen: int, args: Args, named: Named) -> Any:
        query = self._query(args, named)
        if query is None:
            return await super().load(caller, key, seen, args, named)
        near = self._near(key, query)
        is_check = self._has_near(near) and self._traffic.is_check_due()
        result = MISSING if is_check else await self._answer(caller, near, query, args, named)
        if result is not MISSING:
            self.hits += 1
            self.similar_hits += 1
            return result
        best = near[0] if near else None
        source = self.source(args, named)
        begin = partial(self._begin_near, None if best is None else best.similarity)
        source = replace(source, function=partial(noted(self.function, begin), *args, **named))
        try:
            outcome, result = await self.outcome(caller, key, seen, source, args, named)
        except Exception as error:
            result = await self._answer(caller, near, query, args, named) if is_check else MISSING
            if result is MISSING:
                raise
            self.cache._loader.failures.note(error)
            return result
        if outcome.stored and outcome.stale is None and not key.startswith(self.unready_head):
            self._indexes.add(key, query)
        if best is not None:
            await self._compare(caller, best, query, result, args, named)
        return result

    async def clear(self, caller: Caller) -> None:
        self._indexes.clear()
        self._traffic.clear()
        self.similar_hits = 0
        await super().clear(caller)

    def info(self) -> CacheInfo:
        return super().info()._replace(similar=self.similar_hits)

    def attributes(self) -> dict[str, Callable[..., Any]]:
        return {"nearest": self.nearest, "advice": self.advice}

    def nearest(self, *args: Any, **named: Any) -> Nearest | None:
        """Of a call, what is nearest to it among what was answered in this process, if anything."""
        self.prepare_here()
        self.key(args, named)  # raises what the call would
        query = self._query(args, named)
        if query is None:
            return None
        found = self._indexes.near(query, -1.0, _CANDIDATES)
        judged = [(each, self._refusal(each, query)) for each in found]
        wanted = [each for each in judged if each[1] is None] or judged
        if not wanted:
            return None
        near, refused = wanted[0]
        answers = refused is None and self._is_near(near)
        return Nearest(near.key, near.similarity, answers, refused)

    def advice(self, precision: float = 0.95) -> SimilarAdvice:
        if not isinstance(precision, (int, float)) or not 0 < precision <= 1:
            allowed = "allowed is a share over 0 and up to 1"
            raise ValueError(f"precision={shown(precision)}: {allowed}")
        return self._traffic.advice(float(precision), self._at_least)

    def _query(self, args: Args, named: Named) -> Query | None:
        """Of a call; None for one that nothing similar answers: its vector or its text is none."""
        values = self.signature.bind(args, named)
        array = numbers_of(values[self._vector])
        if array is None or array.ndim not in (1, 2) or not array.size == array.shape[-1] > 0:
            return None
        gist = b""
        left_out = [self._vector]
        if self._text is not None:
            text = gist_of(values[self._text])
            if text is None:
                return None
            gist = msgspec.msgpack.encode(text)
            left_out.append(self._text)
        vector = np.array(array.reshape(-1), dtype=np.float64)  # the function may change its own
        parameters = f"{self.head}{array.ndim}:{self.arguments(args, named, left_out)}"
        return Query(self.digest.of(parameters.encode(errors="surrogatepass")), vector, gist)

    def _near(self, key: str, query: Query) -> list[Near]:
        """What may answer, and what is looked at for the advice; the nearest first.

        Its own key, under which there is no value any more, leaves.
        """
        found = self._indexes.near(query, self._at_least - _LOOKED_BELOW, _CANDIDATES)
        kept = []
        for each in found:
            refused = self._refusal(each, query)
            if each.key == key:
                self._indexes.drop(key, query)
            elif refused is None:
                kept.append(each)
            elif self._is_near(each):
                self._traffic.note_refused(refused)
        return kept

    def _refusal(self, near: Near, query: Query) -> str | None:
        if self._text is None:
            return None
        one, other = (msgspec.msgpack.decode(each.gist, type=Gist) for each in (near, query))
        return difference(one, other)

    def _has_near(self, near: list[Near]) -> bool:
        return bool(near) and self._is_near(near[0])

    def _is_near(self, near: Near) -> bool:
        return near.similarity >= self._at_least

    async def _answer(
        self, caller: Caller, near: list[Near], query: Query, args: Args, named: Named
    ) -> Any:
        """The result of the nearest that has one, or MISSING. What has none leaves `near`."""
        while self._has_near(near):
            found = await caller.core(self.cache._fresh_get, near[0].key, MISSING)
            if found is MISSING:
                self._indexes.drop(near.pop(0).key, query)
                continue
            result = self.decoded(found, args, named)
            if result is not MISSING:
                self._traffic.note(near[0].similarity, answered=True)
                return result
            near.pop(0)  # such as one of fewer rows
        return MISSING

    def _begin_near(self, similarity: float | None) -> CurrentCall:
        call = self.begin_call()
        call.similarity = similarity
        return call

    async def _compare(
        self, caller: Caller, near: Near, query: Query, fresh: Any, args: Args, named: Named
    ) -> None:
        """Notes what the near query would have answered, against what was computed."""
        if not self._traffic.note(near.similarity, answered=False):
            return
        (found,) = await caller.core(self.cache._tiers.find_again, [near.key], False)
        if found is MISSING:
            self._indexes.drop(near.key, query)
            return
        cached = self.decoded(found[0], args, named)
        if cached is not MISSING:
            share = overlap(cached, fresh, self._rows)
            if share is not None:
                self._traffic.compare(near.similarity, share)
