"""Vector searches: their tenant, the epoch of their index, and answers from larger ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arguments import callable_argument
from ._callers import Caller
from ._core import MISSING
from ._current import Made, amended
from ._digest import KeyDigest
from ._filling import Storing
from ._flight import Outcome
from ._keying import Encoder, bounded
from ._messages import shown
from ._site import Args, Named, Site
from ._site_options import Options
from ._source import Source
from ._superset import Found, TooSmall, has_rows, packed, unpacked
from .errors import ConfigError, UnkeyableError

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["SearchOptions", "SearchSite", "epoch_tag"]

_EXACT = Encoder(None)
_INDEX = "namespace"  # the parameter that says which index is searched, unless another is named

# Before what they stand for in a key, where a value's own text can begin with neither.
_TENANT, _SUPERSET = "@", "+"


def epoch_tag(index: Any, digest: KeyDigest) -> bytes:
    """The tag of all cached searches of an index. Raises UnkeyableError for what has no key."""
    text = _EXACT.named(index, _INDEX)
    return f"epoch:{digest.of(text.encode(errors='surrogatepass'))[:32]}".encode()


# An argument of a call.
Find = Callable[[Args, Named], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What cache_vector_search() was given beside what any decorator is."""

    superset: bool | str = False
    depends_on: Callable[[Any], Any] | None = None
    index: str | None = None
    tenant: str | Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        if self.depends_on is not None:
            callable_argument(self.depends_on, "depends_on")


class SearchSite(Site):
    """How the calls of one vector search are keyed and stored.

    Under `superset` a key has no `top_k`, and what is stored says which it is of.
    """

    def __init__(
        self, cache: Cache, function: Callable[..., Any], options: Options, search: SearchOptions
    ) -> None:
        super().__init__(cache, function, options)
        if search.depends_on is not None:
            self.storing = replace(self.storing, depends_on=search.depends_on)
        self._index = self._index_of(search.index)
        self._tenant = self._tenant_of(search.tenant)
        self._top_k = self._top_k_of(search.superset)

    @property
    def decodes(self) -> bool:
        return self._top_k is not None or super().decodes

    @property
    def takes_one_text(self) -> bool:
        return self._tenant is None and super().takes_one_text

    def quick_tails(self) -> dict[int, str] | None:
        return None if self._tenant is not None else super().quick_tails()

    def key(self, args: Args, named: Named) -> str:
        if self._tenant is None and self._top_k is None:
            return super().key(args, named)
        self.prepare_here()
        return bounded(self.head, self.arguments(args, named), self.digest)

    def arguments(self, args: Args, named: Named, left_out: Iterable[int] = ()) -> str:
        """The part of a key for the arguments of a call, but those in the places `left_out`."""
        values, names = list(self.signature.bind(args, named)), list(self.signature.names)
        marks, places = self._tenant_part(args, named), set(left_out)
        if self._top_k is not None and self._asked(values) is not None:
            marks += _SUPERSET
            places.add(self._top_k)
        for place in sorted(places, reverse=True):
            del values[place], names[place]
        return marks + (self.encoded(values, names) if values else "")

    def storing_of(self, key: str, args: Args, named: Named) -> Storing:
        storing = super().storing_of(key, args, named)
        index = MISSING if self._index is None else self._index(args, named)
        if index is not MISSING:
            storing = replace(storing, tags=(epoch_tag(index, self.digest),))
        top_k = self._asked_by(args, named)
        if top_k is None:
            return storing
        return replace(
            storing,
            encode=partial(packed, storing.encode),
            decode=partial(unpacked, top_k, storing.decode),
            wanted=_of_result(storing.wanted),
            depends_on=_of_result(storing.depends_on),
        )

    def source(self, args: Args, named: Named) -> Source:
        source, top_k = super().source(args, named), self._asked_by(args, named)
        if top_k is None:
            return source
        return replace(
            source,
            unpack=lambda made, _: [Found(top_k, made.result)],
            amend=_amended_found,
        )

    def result(self, outcome: Outcome, storing: Storing, top_k: int | None = None) -> Any:
        """Raises TooSmall for the outcome of another search that does not answer this one."""
        result = super().result(outcome, storing)
        if not isinstance(result, Found):
            return result
        if top_k is not None and result.top_k != top_k:  # it is not stored, so it was not packed
            raise TooSmall
        return result.result

    def decoded(self, found: Any, args: Args, named: Named) -> Any:
        top_k = self._asked_by(args, named)
        if top_k is None:
            return super().decoded(found, args, named)
        try:
            return unpacked(top_k, self.decode, found)
        except Exception:  # of a user's function too, whatever it raises
            return MISSING

    async def load(self, caller: Caller, key: str, seen: int, args: Args, named: Named) -> Any:
        source = self.source(args, named)
        return (await self.outcome(caller, key, seen, source, args, named))[1]

    async def outcome(
        self, caller: Caller, key: str, seen: int, source: Source, args: Args, named: Named
    ) -> tuple[Outcome, Any]:
        """As of any call, and its result.

        Where the search that was waited for was too small, those of another one.
        """
        self.misses += 1
        storing, top_k = self.storing_of(key, args, named), self._asked_by(args, named)
        while True:
            outcome = await self.cache._load_one(caller, key, source, storing, seen)
            try:
                return outcome, self.result(outcome, storing, top_k)
            except TooSmall:
                seen = self.cache._loader.flights.step

    def _asked_by(self, args: Args, named: Named) -> int | None:
        """As _asked()."""
        return None if self._top_k is None else self._asked(self.signature.bind(args, named))

    def _asked(self, values: Sequence[Any]) -> int | None:
        """The `top_k` of a call that a larger one may answer: one query that asks for some rows."""
        if self._top_k is None:
            return None
        top_k = values[self._top_k]
        if isinstance(top_k, np.integer):
            top_k = int(top_k)
        if type(top_k) is not int or top_k < 1 or has_rows(values):
            return None
        if self.signature.has_named and has_rows(values[-1].values()):
            return None
        return top_k

    def _tenant_part(self, args: Args, named: Named) -> str:
        """Raises UnkeyableError where the call has no tenant."""
        if self._tenant is None:
            return ""
        name, find = self._tenant
        tenant = find(args, named)
        if tenant is None or tenant is MISSING or (isinstance(tenant, (str, bytes)) and not tenant):
            given = "nothing" if tenant is MISSING else shown(tenant)
            raise UnkeyableError(
                f"{name}={given}: a call of {self.name} needs a tenant: allowed is what tells"
                " whose results it may share"
            )
        return _TENANT + _EXACT.named(tenant, name)

    def _index_of(self, given: str | None) -> Find | None:
        names, has_named = self.signature.single_names, self.signature.has_named
        if given is None and _INDEX not in names and not has_named:
            return None
        return self._finder(_INDEX if given is None else given, "index")

    def _top_k_of(self, given: object) -> int | None:
        if given is False:
            return None
        return self._place("top_k" if given is True else given, "superset")

    def _tenant_of(self, given: str | Callable[..., Any] | None) -> tuple[str, Find] | None:
        if given is None:
            return None
        if callable(given):
            return "tenant", lambda args, named: given(*args, **named)
        return given, self._finder(given, "tenant")

    def _finder(self, name: str, option: str) -> Find:
        """What finds an argument in a call, or MISSING among those that have no parameter."""
        is_declared = name in self.signature.single_names
        if isinstance(name, str) and self.signature.has_named and not is_declared:
            return lambda args, named: named.get(name, MISSING)
        place = self._place(name, option)
        return lambda args, named: self.signature.bind(args, named)[place]

    def _place(self, given: object, option: str) -> int:
        """Where a parameter stands. Raises ConfigError for what names none."""
        singles = self.signature.single_names
        if not isinstance(given, str) or given not in singles:
            raise ConfigError(
                f"{option}={shown(given)}: {self.name} has no such parameter: allowed are"
                f" {', '.join(singles) or 'none'}"
            )
        return self.signature.names.index(given)


def _of_result(function: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    return None if function is None else lambda found: function(found.result)


def _amended_found(made: Made, storing: Storing) -> Storing:
    """As amended(); a None is none by its own, not in a Found."""
    return replace(amended(made, storing), ttl=amended(made, storing).ttl_of(made.result))
