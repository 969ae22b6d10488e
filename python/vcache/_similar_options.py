"""Options of semantic hits, checked. What needs more is loaded with the first such search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from ._freshness import FreshnessOptions
from ._messages import shown
from ._search import SearchOptions, SearchSite
from ._site_options import Options
from .errors import ConfigError
from .sizes import Size, parse_size

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["Similar", "VectorSearchOptions", "search_site", "split_options"]

_MAX_MEMORY = 1 << 40


class VectorSearchOptions(FreshnessOptions, total=False):
    """Options of cache_vector_search() beside its own.

    similar: a cosine similarity, such as 0.97. After an exact miss the result of the nearest
        query answers that is at least so similar and was given the same for all other
        parameters. Only searches for which this process has called the function are compared.
        The result is read under that query's key, which makes it a second look-up in stats():
        what has expired or was deleted, invalidated or cleared answers nothing. Every 32nd such
        answer is computed all the same, for the advice() of the function; where that raises, the
        nearest query answers. nearest() of the function says what would answer a call. Use
        similar_text where there is a text: vectors alone hardly show a changed number, a "not", or
        "is A better than B" turned round.
    similar_vector: the name of the argument that is the query's vector: `vector` unless given.
    similar_text: the name of the argument that is its text, which may then differ, but not in
        numbers, dates, units, negations, opposites, names or the order of its words. A call
        whose text is none, has fewer than two meaningful words or over 4,096 characters has
        exact hits only. Of the text, salted hashes of its words are kept.
    similar_memory: of vectors and keys, "64MiB" unless given, outside the `memory` of the
        cache; the oldest leave. All vectors are compared; where an index has over 20,000 the
        older ones are in a graph if `vcache[similar]` is installed, which nearly always finds
        the nearest.
    """

    similar: float | None
    similar_vector: str | None
    similar_text: str | None
    similar_memory: Size | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """What of these is of semantic hits. Raises for what is not allowed."""

    similar: float
    vector: str = "vector"
    text: str | None = None
    memory: Size = "64MiB"

    def __post_init__(self) -> None:
        given: Any = self.similar
        is_number = isinstance(given, Real) and not isinstance(given, bool)
        if not is_number or not 0 < given <= 1:
            allowed = "allowed is None or a cosine similarity over 0 and up to 1"
            raise ValueError(f"similar={shown(given)}: {allowed}")
        allowed = "allowed are 1 byte to 1 TiB, as an int or such as '64MiB'"
        size = parse_size(self.memory, "similar_memory", most=_MAX_MEMORY, allowed=allowed)
        if size == 0:
            raise ValueError(f"similar_memory={shown(self.memory)}: {allowed}")
        object.__setattr__(self, "memory", size)


def split_options(options: Mapping[str, Any]) -> tuple[Similar | None, dict[str, Any]]:
    """What is of semantic hits, None for none, and the rest.

    Raises ConfigError for what goes only with `similar`, and the errors of what is not allowed.
    """
    rest = {name: value for name, value in options.items() if not name.startswith("similar")}
    given = {name: options[name] for name in options if name not in rest}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in VectorSearchOptions.__annotations__:
            raise TypeError(f"{name}: allowed are {', '.join(VectorSearchOptions.__annotations__)}")
        if "similar" not in given:
            raise ConfigError(f"{name}={shown(given[name])}: allowed only with similar")
    if not given:
        return None, rest
    return Similar(**{name.removeprefix("similar_"): value for name, value in given.items()}), rest


def search_site(
    options: Options,
    search: SearchOptions,
    similar: Similar | None,
    cache: Cache,
    function: Callable[..., Any],
) -> SearchSite:
    if similar is None:
        return SearchSite(cache, function, options, search)
    from ._similar import SimilarSite

    return SimilarSite(cache, function, options, search, similar)
