"""What of a query's text tells it apart from others whose vectors are nearly the same.

Embeddings hardly move where a question is reversed, a number changed or a "not" put in. So two
texts are compared by what does not survive in a vector: numbers, dates and units, negations,
opposites, names, the order of words, what is asked for. Words are kept as 32 bits of their hash,
which a process salts anew, and never as text. English is known best; numbers, names and order need
no language, negations are known in some ten.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

import msgspec

from ._gist_words import (
    CJK_NEGATIONS,
    CONTRACTED,
    KINDS,
    MEASURED,
    NEGATIONS,
    NUMBER_WORDS,
    OPPOSING,
    POLES,
    STOP_WORDS,
    VALUE_WORDS,
)

__all__ = ["MAX_TEXT", "Gist", "difference", "gist_of"]

MAX_TEXT = 4096  # characters
_MIN_WORDS = 2  # that mean something
_MIN_SHARED = 0.5  # of the meaningful words of the text that has fewer
_MAX_LENGTHS = 2.0  # times as many words

_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+(?:['\u2019][^\W_]+)*")
_ROMAN = re.compile(r"[IVXLC]{2,}")
_GROUPED = re.compile(r"(?<=\d)[,_'\u2019](?=\d{3})")
_EDGES = " \t\n\"'`.,;:!?()[]{}<>*\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026\u3002\uff0c"
_SENTENCE_END = (".", "!", "?", ":", "\u3002")
_LETTER = "\0"  # before a single capital, which is no article


class Gist(msgspec.Struct, frozen=True, array_like=True):
    """One text. All but the counts are hashes of words, without duplicates."""

    length: int  # words
    negations: int
    content: tuple[int, ...]  # words that mean something, in their order
    words: tuple[int, ...]
    names: tuple[int, ...]  # words with a capital that no sentence begins with
    values: tuple[int, ...]  # numbers, dates and units, sorted, with duplicates
    poles: tuple[int, ...]  # sides of opposites
    opposed: tuple[int, ...]  # words of which the text has the opposite, such as that of "unsafe"
    kinds: tuple[str, ...]  # what is asked for, such as "when"


def gist_of(text: object) -> Gist | None:
    """None for what is no text, is too short to be told apart, or too long to be compared."""
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        return None
    reader = _Reader()
    for chunk, begins in _chunks(unicodedata.normalize("NFKC", text)):
        reader.read(chunk, begins)
    gist = reader.gist()
    return gist if len(gist.content) >= _MIN_WORDS else None


def difference(one: Gist, other: Gist) -> str | None:
    """What makes them different questions, in one word; None for nothing that is seen."""
    if one.values != other.values:
        return "number"
    if one.negations != other.negations:
        return "negation"
    if _are_opposed(one, other) or _are_opposed(other, one) or _poles_differ(one, other):
        return "opposite"
    if not (set(one.names) <= set(other.words) and set(other.names) <= set(one.words)):
        return "name"
    if one.kinds and other.kinds and set(one.kinds) != set(other.kinds):
        return "question"
    return _difference_of_words(one, other)


def _difference_of_words(one: Gist, other: Gist) -> str | None:
    shared = set(one.content) & set(other.content)
    if len(shared) < _MIN_SHARED * min(len(one.content), len(other.content)):
        return "words"
    if max(one.length, other.length) > _MAX_LENGTHS * min(one.length, other.length):
        return "length"
    if [w for w in one.content if w in shared] != [w for w in other.content if w in shared]:
        return "order"
    return None


def _are_opposed(one: Gist, other: Gist) -> bool:
    return not set(one.opposed).isdisjoint(set(other.words) - set(one.words))


def _poles_differ(one: Gist, other: Gist) -> bool:
    """Whether both speak of one scale, and of other sides of it."""
    shared = {pole // 2 for pole in one.poles} & {pole // 2 for pole in other.poles}
    sides = [{pole for pole in each.poles if pole // 2 in shared} for each in (one, other)]
    return sides[0] != sides[1]


def _chunks(text: str) -> Iterator[tuple[str, bool]]:
    """What stands between spaces, and whether it begins a sentence."""
    begins = True
    for chunk in text.split():
        bare = chunk.strip(_EDGES)
        if bare:
            yield bare, begins
        begins = chunk.endswith(_SENTENCE_END)


class _Reader:
    """Collects what is said of a text, chunk by chunk."""

    def __init__(self) -> None:
        self._length = self._negations = 0
        self._content: dict[str, None] = {}
        self._words: dict[str, None] = {}
        self._names: dict[str, None] = {}
        self._values: list[str] = []
        self._poles: set[int] = set()
        self._opposed: dict[str, None] = {}
        self._kinds: dict[str, None] = {}
        self._last = ""

    def read(self, chunk: str, begins: bool) -> None:
        if any(map(str.isdigit, chunk)):
            self._value(_plain_number(chunk))
            self._length += 1
            return
        if chunk[0] in "$%" or unicodedata.category(chunk[0]) == "Sc":
            self._values.append(chunk[0])
        for found in _WORD.finditer(chunk):
            self._word(found[0], begins and found.start() == 0)

    def gist(self) -> Gist:
        return Gist(
            length=self._length,
            negations=self._negations,
            content=_hashes(self._content),
            words=_hashes(self._words),
            names=_hashes(self._names),
            values=tuple(sorted(_hashes(self._values))),
            poles=tuple(self._poles),
            opposed=_hashes(self._opposed),
            kinds=tuple(self._kinds),
        )

    def _value(self, value: str) -> None:
        self._values.append(value)
        self._content[value] = self._words[value] = None
        self._last = ""

    def _word(self, written: str, begins: bool) -> None:
        self._length += 1
        word = written.replace("\u2019", "'").casefold()
        if word.endswith(CONTRACTED) or word in NEGATIONS or word in CJK_NEGATIONS:
            self._negations += 1
        if word in NUMBER_WORDS:
            self._value(NUMBER_WORDS[word])
        elif word in VALUE_WORDS or _ROMAN.fullmatch(written):
            self._value(_stem(word))
        else:
            self._ask(word)
            self._mean(written, _stem(word), word, begins)

    def _ask(self, word: str) -> None:
        if self._last == "how" and word in MEASURED:
            self._kinds.pop("how", None)
            self._kinds[f"how {MEASURED[word]}"] = None
        elif word in KINDS:
            self._kinds[word] = None
        self._last = word

    def _mean(self, written: str, stem: str, word: str, begins: bool) -> None:
        is_letter = len(written) == 1 and written.isupper() and written != "I" and not begins
        stem = _LETTER + stem if is_letter else stem
        self._words[stem] = None
        if is_letter or not (word in STOP_WORDS or word in NEGATIONS):
            self._content[stem] = None
        if not begins and written[0].isupper() and written != "I":
            self._names[stem] = None
        for each in (word, stem):
            if each in POLES:
                self._poles.add(POLES[each])
        for prefix in OPPOSING:
            if word.startswith(prefix) and len(word) >= len(prefix) + 3:
                self._opposed[_stem(word[len(prefix) :])] = None


def _plain_number(chunk: str) -> str:
    """One form of what has digits, such as "1,000", "H100" or "-5%"."""
    number = _GROUPED.sub("", chunk.casefold()).replace("\u2212", "-")
    return "".join(str(unicodedata.digit(c, c)) if c.isdigit() else c for c in number)


def _stem(word: str) -> str:
    """Without a possessive or plural ending."""
    word = word.removesuffix("'s")
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] not in "su" else word


def _hashes(words: Iterable[str]) -> tuple[int, ...]:
    return tuple(hash(word) & 0xFFFFFFFF for word in words)
