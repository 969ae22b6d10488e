"""What follows, and what does not, from the facts that `explain` has gathered about a key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ._entry import InRedis
from ._history import History
from ._live import Answer, Live
from ._server import ServerFigures
from ._text import count, duration

__all__ = ["Facts", "conclusions", "unknowns"]


@dataclass(frozen=True)
class Facts:
    """`answers` are by the ids of caches, of those that answered."""

    entry: InRedis
    caches: list[Live]
    answers: dict[str, Answer]
    histories: list[History]
    servers: list[ServerFigures]
    now: float

    @property
    def held(self) -> list[Live]:
        return [live for live in self.caches if self._says(live) is True]

    @property
    def not_held(self) -> list[Live]:
        return [live for live in self.caches if self._says(live) is False]

    @property
    def silent(self) -> list[Live]:
        return [live for live in self.caches if self._says(live) is None]

    def _says(self, live: Live) -> bool | None:
        answer = self.answers.get(live.id)
        return None if answer is None else answer.held


def conclusions(facts: Facts) -> list[str]:
    """What can be said, the most important first."""
    lines = list(_where(facts))
    if facts.entry.asked:
        lines += _of_redis(facts)
    for live in facts.not_held:
        lines += [f"{live.name}: {text}" for text in _of_memory(facts, live)]
    if not facts.held and not (facts.entry.found and not facts.entry.why_not):
        lines += _of_logs(facts)
    return lines


def _where(facts: Facts) -> Iterator[str]:
    entry = facts.entry
    if facts.held:
        names = ", ".join(live.name for live in facts.held)
        yield f"A read in these processes is a hit in memory: {names}."
    if entry.found and not entry.why_not:
        yield "A read anywhere else is a hit in Redis."
    elif entry.found:
        yield f"Redis has it, and a read is a miss all the same: {entry.why_not}."
    elif entry.asked and not entry.failures:
        yield "Redis does not have it, so a read where memory has not either is a miss."
    elif not facts.held and not entry.asked:
        yield "No memory that answered has it, so a read there is a miss."


def _of_redis(facts: Facts) -> Iterator[str]:
    if facts.entry.found or facts.entry.failures:
        return
    evicted = [server.figures.get("evicted_keys") for server in facts.servers]
    known = [number for number in evicted if number is not None]
    if len(known) < len(evicted) or not known:
        yield "Redis does not say whether it evicts (INFO is refused)."
    elif sum(known) == 0:
        yield (
            "Redis has evicted nothing since it was started: it was never stored, has expired, or"
            " was deleted or invalidated."
        )
    else:
        policies = {str(server.figures.get("maxmemory_policy", "?")) for server in facts.servers}
        yield (
            f"Redis has evicted {count(sum(known))} keys since it was started"
            f" ({', '.join(sorted(policies))}): this may be one of them. Otherwise it was never"
            " stored, has expired, or was deleted or invalidated."
        )


def _of_memory(facts: Facts, live: Live) -> Iterator[str]:
    """Why it may not be in the memory of one cache."""
    record, figures = live.record, live.record.stats
    answer = facts.answers[live.id]
    if figures.memory_limit == 0:
        yield "it has no memory tier."
        return
    if answer.learned is not None:
        yield _learned(answer.learned)
    elif figures.evictions == 0:
        yield "it has evicted nothing, so memory never had it, or it expired or was removed."
    else:
        policy = str(figures.policy.get("active", "its policy"))
        kept = "remembers this key no more" if policy == "learned" else "keeps no list of them"
        yield (
            f"it has evicted {count(figures.evictions)} entries under {policy}, which {kept}: this"
            " may be one."
        )
    if facts.entry.found:
        yield from _not_promoted(live)
    if record.memory_ttl is not None:
        yield f"memory keeps what it has for {duration(record.memory_ttl)} at most."
    coherence = (figures.redis or {}).get("coherence")
    if coherence == "tracking":
        yield "Redis tells it what others change, and memory drops that at once."
    elif coherence == "down":
        yield "its link to Redis for changes is down, so memory counts as unverified."


def _learned(known: dict[str, object]) -> str:
    return (
        f"the policy {known.get('leader', '?')} let go of it: {known.get('accesses', '?')} accesses"
        f" are remembered, the last {known.get('age', '?')} look-ups ago, while entries stay for"
        f" {_number(known.get('mean_residence'))} on average."
    )


def _number(value: object) -> str:
    return f"{value:.0f} look-ups" if isinstance(value, int | float) else "an unknown time"


def _not_promoted(live: Live) -> Iterator[str]:
    record = live.record
    if record.promotion_threshold > 1:
        yield (
            f"a value enters memory at hit {record.promotion_threshold} in Redis"
            " (promotion_threshold)."
        )
    if not record.admits_all:
        yield "what may enter memory is limited (admit)."
    if record.stats.declined:
        yield f"{count(record.stats.declined)} values did not enter memory so far."


def _of_logs(facts: Facts) -> Iterator[str]:
    for history in facts.histories:
        if history.last_hit is not None:
            ago = duration(facts.now - history.last_hit)
            yield (
                f"It was there {ago} ago: a hit in {history.last_hit_tier} ({history.path}). What"
                " ended it since, the log does not say."
            )
        elif history.misses and history.began is not None:
            yield (
                f"It was asked for {history.misses} times and never there since the log begins,"
                f" {duration(facts.now - history.began)} ago ({history.path})."
            )


def unknowns(facts: Facts) -> list[str]:
    """What cannot be known."""
    lines = []
    if facts.silent:
        names = ", ".join(live.name for live in facts.silent)
        lines.append(f"whether these have it, which did not answer in time: {names}")
    lines.append("whether processes have it whose caches are not announced (announce=True)")
    if facts.entry.asked and not facts.entry.found and not facts.entry.failures:
        lines.append("which of expiry, deletion and invalidation ended it: Redis keeps no record")
    if facts.entry.failures:
        lines.append("whether a server has it that could not be asked")
    entry = facts.entry.entry
    if entry is not None and entry.encrypted:
        lines.append("its tags and metadata, which are encrypted")
    if not facts.histories:
        lines.append(
            "who asked for it before: no access log is given (--access-log, or a cache of this"
            " host made with access_log=)"
        )
    elif not any(history.lookups for history in facts.histories):
        lines.append(
            "whether it was asked for under another key_secret than that of VCACHE_KEY_SECRET"
        )
    return lines
