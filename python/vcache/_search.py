"""Vector searches: their tenant, the epoch of their index, and answers from larger ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ._callers import Caller
from ._core import MISSING
from ._digest import KeyDigest
from ._filling import Storing
from ._keying import Encoder, bounded
from ._messages import shown
from ._site import Args, Named, Site
from ._site_options import Options
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What cache_vector_search() was given beside what any decorator is."""

    superset: bool | str = False
    depends_on: Callable[[Any], Any] | None = None
    index: str | None = None
    tenant: str | Callable[..., Any] | None = None


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

    def key(self, args: Args, named: Named) -> str:
        if self._tenant is None and self._top_k is None:
            return super().key(args, named)
        self.prepare_here()
        values, names = list(self.signature.bind(args, named)), list(self.signature.names)
        marks = "" if self._tenant is None else self._tenant_part(args, named)
        if self._asked(values) is not None and self._top_k is not None:
            marks += _SUPERSET
            del values[self._top_k], names[self._top_k]
        arguments = self.encoded(values, names) if values else ""
        return bounded(self.head, marks + arguments, self.digest)

    def storing_of(self, key: str, args: Args, named: Named) -> Storing:
        storing = super().storing_of(key, args, named)
        if self._index is None and self._top_k is None:
            return storing
        values = self.signature.bind(args, named)
        if self._index is not None:
            tag = epoch_tag(values[self._index], self.digest)
            storing = replace(storing, tags=(tag,))
        top_k = self._asked(values)
        if top_k is None:
            return storing
        return replace(
            storing,
            encode=partial(_packed, top_k, storing.encode),
            decode=partial(_unpacked, top_k, storing.decode),
        )

    def decoded(self, found: Any, args: Args, named: Named) -> Any:
        top_k = None
        if self._top_k is not None:
            top_k = self._asked(self.signature.bind(args, named))
        if top_k is None:
            return super().decoded(found, args, named)
        try:
            return _unpacked(top_k, self.decode, found)
        except Exception:  # of a user's function too, whatever it raises
            return MISSING

    async def load(self, caller: Caller, key: str, seen: int, args: Args, named: Named) -> Any:
        """As of any call; where the search that was waited for was too small, in another one."""
        self.misses += 1
        source, storing = self.source(args, named), self.storing_of(key, args, named)
        while True:
            outcome = await self.cache._load_one(caller, key, source, storing, seen)
            try:
                return self.result(outcome, storing)
            except _TooSmall:
                seen = self.cache._loader.flights.step

    def _asked(self, values: Sequence[Any]) -> int | None:
        """The `top_k` of a call that a larger one may answer: one query that asks for some rows."""
        if self._top_k is None:
            return None
        top_k = values[self._top_k]
        if isinstance(top_k, np.integer):
            top_k = int(top_k)
        if type(top_k) is not int or top_k < 1 or any(map(_has_rows, values)):
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

    def _index_of(self, given: object) -> int | None:
        names = self.signature.names
        if given is None:
            return names.index(_INDEX) if _INDEX in self.signature.single_names else None
        return self._place(given, "index")

    def _top_k_of(self, given: object) -> int | None:
        if given is False:
            return None
        return self._place("top_k" if given is True else given, "superset")

    def _tenant_of(self, given: object) -> tuple[str, Callable[[Args, Named], Any]] | None:
        if given is None:
            return None
        if callable(given):
            return "tenant", lambda args, named: given(*args, **named)
        is_named = isinstance(given, str) and self.signature.has_named
        if not is_named or given in self.signature.single_names:
            place = self._place(given, "tenant")
            return str(given), lambda args, named: self.signature.bind(args, named)[place]
        return str(given), lambda args, named: named.get(str(given), MISSING)

    def _place(self, given: object, option: str) -> int:
        """Where a parameter stands. Raises ConfigError for what names none."""
        singles = self.signature.single_names
        if not isinstance(given, str) or given not in singles:
            raise ConfigError(
                f"{option}={shown(given)}: {self.name} has no such parameter: allowed are"
                f" {', '.join(singles) or 'none'}"
            )
        return self.signature.names.index(given)


class _TooSmall(Exception):
    """What is stored is of a smaller `top_k`, and not all there is; or only of another."""


# How what is stored can be cut: by rows, by the rows of each of its columns, or not at all.
_ROWS, _COLUMNS, _WHOLE = range(3)


def _has_rows(value: Any) -> bool:
    """Whether it is a matrix, so that the call is several queries."""
    if isinstance(value, (list, tuple)):
        first = value[0] if value else None
        return isinstance(first, np.ndarray) or (
            isinstance(first, (list, tuple)) and bool(first) and isinstance(first[0], (int, float))
        )
    return getattr(value, "ndim", 0) > 1


def _packed(top_k: int, encode: Callable[[Any], Any] | None, result: Any) -> Any:
    """What is stored of the result of a search for `top_k` rows."""
    cut = _cut_of(result)
    plain = result if encode is None else encode(result)
    return [top_k, cut, list(plain) if cut == _COLUMNS else plain]


def _cut_of(result: Any) -> int:
    if isinstance(result, tuple) and result and all(map(_is_column, result)):
        return _COLUMNS if len(set(map(len, result))) == 1 else _WHOLE
    if isinstance(result, (list, tuple)):
        # One list alone may be a row, or the rows of the one query.
        return _WHOLE if len(result) == 1 and _is_column(result[0]) else _ROWS
    if isinstance(result, np.ndarray) and result.ndim > 0:
        return _WHOLE if result.ndim > 1 and len(result) == 1 else _ROWS
    return _WHOLE


def _is_column(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _unpacked(top_k: int, decode: Callable[[Any], Any] | None, stored: Any) -> Any:
    """The first `top_k` rows of what is stored. Raises _TooSmall where that are not enough."""
    of, cut, rows = stored
    if top_k != of:
        known = -1 if cut == _WHOLE else len(rows[0] if cut == _COLUMNS else rows)
        if cut == _WHOLE or (top_k > of and known >= of):
            raise _TooSmall
    if top_k < of:
        rows = [column[:top_k] for column in rows] if cut == _COLUMNS else rows[:top_k]
    if decode is not None:
        return decode(rows)
    return tuple(rows) if cut == _COLUMNS else rows
