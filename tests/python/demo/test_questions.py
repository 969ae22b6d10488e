from collections import Counter

import pytest

from vcache.demo import questions
from vcache.demo.corpus import Passage


def passage(lead: str) -> Passage:
    return Passage("here", lead, lead)


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("Return the path", "return the path"),
        ("Returns the path", "return the path"),
        ("Copies one file", "copy one file"),
        ("Searches all folders", "search all folders"),
        ("A path that was returned", None),
    ],
)
def test_action(topic: str, said: str | None) -> None:
    assert questions.action(topic) == said


def test_an_action_is_asked_for_in_several_wordings() -> None:
    asked = questions.wordings("Open the front door")
    assert asked[:2] == ["How do I open the front door?", "how to open the front door"]
    assert len(set(asked)) == len(questions.WORDING_SHARES)


def test_anything_else_is_asked_about() -> None:
    asked = questions.wordings("A door in the wall")
    assert asked[0] == "What is meant by: A door in the wall?"
    assert len(set(asked)) == len(questions.WORDING_SHARES)


def test_topics_put_actions_first_and_leave_markup_out() -> None:
    leads = [
        "A door in the wall.",
        "Open the front door.",
        "See `the door` below <here>.",
        "Too short.",
    ]
    assert questions.topics(map(passage, leads), 10) == [
        "Open the front door",
        "A door in the wall",
    ]
    assert questions.topics(map(passage, leads), 1) == ["Open the front door"]


def test_the_stream_is_seeded_and_skewed() -> None:
    subjects = [f"Open the door number {n}" for n in range(100)]
    stream = questions.stream(subjects, 4000, 7)
    assert stream == questions.stream(subjects, 4000, 7)
    assert stream != questions.stream(subjects, 4000, 8)
    asked = Counter(stream).most_common()
    assert asked[0][1] > 20 * asked[len(asked) // 2][1]
    assert len(asked) > len(subjects)  # some topics came in more than one wording
