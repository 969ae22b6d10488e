"""What a search with `similar` says of itself: plain frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Nearest", "SimilarAdvice", "SimilarBand"]


@dataclass(frozen=True, slots=True)
class Nearest:
    """The answered query nearest to a call: `key` of its result, cosine `similarity`.

    answers: whether it would answer the call. refused: what tells the texts apart, such as "number"
    or "negation"; None for nothing.
    """

    key: str
    similarity: float
    answers: bool
    refused: str | None


@dataclass(frozen=True, slots=True)
class SimilarBand:
    """Queries whose nearest answered one was of a cosine similarity from `low` to below `high`.

    seen: how many there were. answered: with the result of that one. compared: of how many the
    result was computed, and compared with that. precision: which share of the rows that the other
    result has the computed one had too, on average; None without comparisons.
    """

    low: float
    high: float
    seen: int
    answered: int
    compared: int
    precision: float | None


@dataclass(frozen=True, slots=True)
class SimilarAdvice:
    """What a search with `similar` has learned in this process about its threshold.

    threshold: the lowest at which semantic answers would have had the wanted `precision`; 1.0 where
        none would have; None while too little was seen.
    similar: the one in use.
    compared: comparisons in all.
    bands: by similarity, the highest first; those that nothing fell in are left out.
    refused: near enough, and told apart by the text: how often, by what.
    """

    threshold: float | None
    similar: float
    precision: float
    compared: int
    bands: tuple[SimilarBand, ...]
    refused: Mapping[str, int]
