"""A stream of questions as a service would see it: few topics asked often, in changing words."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate

from .corpus import Passage

ZIPF_EXPONENT = 1.0  # the share of the topic of rank r is proportional to 1/r
WORDING_SHARES = (0.62, 0.18, 0.09, 0.06, 0.05)  # most people ask in the commonest words
MIN_WORDS, MAX_WORDS = 4, 16
ASKABLE = re.compile(r"[^\W\d_][\w ,.'()/-]+")  # begins with a letter, holds no markup
ACTION_WORDS = """
add append apply assert build calculate call cancel change check choose clear close collect
combine compile compute configure connect construct convert copy count create decode decorate
define delete determine display download draw emit encode ensure enter escape estimate evaluate
execute expand extract fetch fill filter find flatten flush format generate get handle identify
import insert install invoke iterate join list load locate look make map match merge modify move
normalize open parse perform pop prepare print process produce provide raise read recalculate
record register remove rename render replace report request reset resolve retrieve return round
run save schedule search seed select send serialize set shut sort split start stop store strip
test transform translate truncate try turn unpack update use validate verify wait walk wrap
write yield
"""
ACTIONS = frozenset(ACTION_WORDS.split())


def topics(passages: Iterable[Passage], limit: int) -> list[str]:
    """At most `limit` first sentences that one could ask about; those that say an action first."""
    leads = (passage.lead for passage in passages)
    found = dict.fromkeys(lead.rstrip(".!? ") for lead in leads if askable(lead))
    return sorted(found, key=lambda topic: action(topic) is None)[:limit]


def askable(sentence: str) -> bool:
    words = sentence.split()
    return MIN_WORDS <= len(words) <= MAX_WORDS and bool(ASKABLE.fullmatch(sentence))


def wordings(topic: str) -> list[str]:
    """The ways in which one topic is asked, commonest first."""
    if act := action(topic):
        return [
            f"How do I {act}?",
            f"how to {act}",
            f"how do i {act} in python",
            topic,
            f"What is the best way to {act}?",
        ]
    return [
        f"What is meant by: {topic}?",
        f"explain: {topic.lower()}",
        f"tell me more about this: {topic}",
        topic,
        f"where does it say: {topic.lower()}",
    ]


def action(topic: str) -> str | None:
    """`Returns the path` -> `return the path`; None where no action is named."""
    head, _, rest = topic.partition(" ")
    verb = head.lower()
    for ending, stem in (("", ""), ("ies", "y"), ("es", ""), ("s", "")):
        base = verb.removesuffix(ending) + stem
        if verb.endswith(ending) and base in ACTIONS:
            return f"{base} {rest}"
    return None


def stream(subjects: Sequence[str], length: int, seed: int) -> list[str]:
    """`length` questions over `subjects`, by Zipf's law; the same seed gives the same questions."""
    rng = random.Random(seed)
    ranked = list(subjects)
    rng.shuffle(ranked)
    weights = list(accumulate(1.0 / rank**ZIPF_EXPONENT for rank in range(1, len(ranked) + 1)))
    asked = rng.choices(ranked, cum_weights=weights, k=length)
    styles = rng.choices(range(len(WORDING_SHARES)), weights=WORDING_SHARES, k=length)
    return [wordings(topic)[style] for topic, style in zip(asked, styles, strict=True)]
