"""Which texts answer each other where their vectors say that they are the same."""

from __future__ import annotations

from typing import Any

import pytest
from clocked import ClockedCache
from similar_searches import FIRST, text_search

from vcache import _gist

SAME = [
    ("How do I reset my password?", "how can I reset the password"),
    ("How do I reset my password?", "How do I reset my passwords??"),
    ("what is the capital of France", "What's the capital of France?"),
    ("price of 1,000 apples", "the price of 1000 apples"),
    ("five best laptops for students", "the 5 best laptops for students"),
    ("I don't like the new layout", "I do not like the new layout"),
    ("Is Python faster than Ruby?", "is Python faster than Ruby"),
    ("why does my build fail", "why does the build fail"),
    ("weather in New York", "weather in new york"),
    ("bread free of gluten", "bread without gluten"),
    ("\u5982\u4f55\u91cd\u7f6e\u5bc6\u7801", "\u5982\u4f55\u91cd\u7f6e\u5bc6\u7801\uff1f"),
]

OTHERS = [
    ("number", "flights under 300 euros", "flights under 500 euros"),
    ("number", "results of 2023", "results of 2024"),
    ("number", "top five laptops for students", "top ten laptops for students"),
    ("number", "growth of 5% in sales", "growth of -5% in sales"),
    ("number", "price of an H100 card", "price of an A100 card"),
    ("number", "history of World War I", "history of World War II"),
    ("number", "revenue in the first quarter", "revenue in the second quarter"),
    ("number", "sales report for January", "sales report for June"),
    ("number", "how many miles to the moon", "how many kilometers to the moon"),
    ("number", "pay 20 dollars back", "pay 20 euros back"),
    ("number", "\u0663 apples a week", "\u0664 apples a week"),
    ("number", "population of France", "population of France 1900"),
    ("negation", "foods that contain gluten", "foods that do not contain gluten"),
    ("negation", "which plants are safe for cats", "which plants aren't safe for cats"),
    ("negation", "which plants are safe for cats", "which plants aren\u2019t safe for cats"),
    ("negation", "recipes with nuts", "recipes without nuts"),
    ("negation", "snacks with sugar for kids", "sugar-free snacks for kids"),
    ("negation", "welche Pilze sind essbar", "welche Pilze sind nicht essbar"),
    ("negation", "\u00bfpuedo viajar con visado?", "\u00bfpuedo viajar sin visado?"),
    ("negation", "\u6211\u559c\u6b22\u732b", "\u6211\u4e0d\u559c\u6b22\u732b"),
    ("opposite", "is raw milk healthy to drink", "is raw milk unhealthy to drink"),
    ("opposite", "how to enable dark mode", "how to disable dark mode"),
    ("opposite", "stocks with the highest yield", "stocks with the lowest yield"),
    ("opposite", "when should I buy a house", "when should I sell a house"),
    ("opposite", "exercise before breakfast", "exercise after breakfast"),
    ("opposite", "is smoking legal here", "is smoking illegal here"),
    ("name", "what is the capital of France", "what is the capital of Spain"),
    ("name", "the CEO of IBM today", "the CEO of SAP today"),
    ("question", "when was the bridge built", "where was the bridge built"),
    ("question", "how many cups a recipe has", "how long a recipe has"),
    ("order", "is Python faster than Ruby", "is Ruby faster than Python"),
    ("order", "flights from Paris to London", "flights from London to Paris"),
    ("order", "convert pdf files to word documents", "convert word documents to pdf files"),
    ("order", "does a dog chase a cat", "does a cat chase a dog"),
    ("order", "is plan A better than plan B", "is plan B better than plan A"),
    ("words", "cheap sofa covers", "garden hose nozzle"),
    (
        "length",
        "reset password",
        "I want to know which steps my colleague must follow to reset a forgotten password",
    ),
]

NO_TEXTS: list[Any] = [
    "",
    " ",
    "?",
    "...",
    "hi",
    "ok thanks",
    "weather",
    "what is it?",
    "the",
    None,
    5,
    b"reset my password",
    "word " * 1000,
]


@pytest.mark.parametrize(("cached", "asked"), SAME)
def test_other_words_for_the_same(cache: ClockedCache, cached: str, asked: str) -> None:
    calls: list[str] = []
    search = text_search(cache, calls)
    assert search(cached) == search(asked)
    assert calls == [cached]


@pytest.mark.parametrize(("reason", "cached", "asked"), OTHERS)
def test_another_question(cache: ClockedCache, reason: str, cached: str, asked: str) -> None:
    for first, second in ((cached, asked), (asked, cached)):
        calls: list[str] = []
        search = text_search(ClockedCache(), calls)
        assert search(first) != search(second)
        assert calls == [first, second]
    one, other = _gist.gist_of(cached), _gist.gist_of(asked)
    assert one is not None
    assert other is not None
    assert _gist.difference(one, other) == _gist.difference(other, one) == reason


@pytest.mark.parametrize("text", NO_TEXTS)
def test_a_text_that_says_too_little_has_exact_hits_only(cache: ClockedCache, text: Any) -> None:
    calls: list[Any] = []
    search = text_search(cache, calls)
    search("how do I reset my password")
    search(text)
    search(text)
    search("how do I reset the password")
    assert calls == ["how do I reset my password", text]


def test_the_nearest_that_is_no_other_question_answers(cache: ClockedCache) -> None:
    calls: list[str] = []
    search = text_search(cache, calls)
    results = {n: search(f"price of {n} red apples") for n in (5, 6, 7)}
    assert search("the price of 6 red apples") == results[6]
    assert search("the price of 7 red apples") == results[7]
    assert len(calls) == 3


def test_what_told_texts_apart_is_said(cache: ClockedCache) -> None:
    @cache.cache_vector_search(similar=0.9, similar_text="query")
    def search(query: str, vector: Any) -> list[int]:
        return [1]

    search("flights under 300 euros", FIRST)
    near = search.nearest("flights under 500 euros", FIRST)
    assert (near.answers, near.refused) == (False, "number")
    assert search.nearest("flights under 300 euros", FIRST).refused is None
    search("flights under 500 euros", FIRST)
    search("flights not under 300 euros", FIRST)
    assert search.advice().refused == {"number": 2, "negation": 1}


def test_without_similar_text_a_text_is_a_parameter_as_others_are(cache: ClockedCache) -> None:
    calls: list[str] = []
    search = text_search(cache, calls, similar_text=None)
    search("how do I reset my password")
    search("how do I reset the password")
    assert len(calls) == 2


def test_no_text_is_kept() -> None:
    gist = _gist.gist_of("the Salary of Alice in 2024")
    assert gist is not None
    assert all(isinstance(n, int) for n in (*gist.content, *gist.words, *gist.names, *gist.values))
    assert len(gist.content) == 3
