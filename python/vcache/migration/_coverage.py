"""How much of what the old model's cache has, the new one's has too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..embedding import EmbeddingCache
from ..errors import RedisError

__all__ = ["Coverage", "coverage_of", "is_answering"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of distinct texts: `live` ones are under either model, `covered` ones under the new one."""

    texts: int
    live: int
    covered: int

    @property
    def share(self) -> float | None:
        """Of the live ones, 0 to 1; None: there are none."""
        return self.covered / self.live if self.live else None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"share": self.share}


def coverage_of(
    texts: Iterable[str],
    old: EmbeddingCache,
    new: EmbeddingCache,
    progress: Callable[[int], object],
) -> Coverage:
    """Asks for each text whether it is there, and reads, counts and promotes nothing.

    Raises RedisError where Redis does not say.
    """
    seen: set[str] = set()
    live = covered = 0
    for text in texts:
        key = new.key(text)
        if key in seen:
            continue
        seen.add(key)
        has_new = new.has(text)
        covered += has_new
        live += has_new or old.has(text)
        progress(len(seen))
    if not (is_answering(old) and is_answering(new)):
        raise RedisError("Redis gives no answer: the coverage is not known")
    return Coverage(len(seen), live, covered)


def is_answering(embeddings: EmbeddingCache) -> bool:
    """Whether Redis is asked, where there is one."""
    redis = embeddings._cache.stats().redis
    return redis is None or redis["breaker"] == "closed"
