from pathlib import Path

import pytest

from vcache.demo import corpus
from vcache.demo.errors import NoTextError

SOURCE = '''
"""Opens a door in the wall. It takes a key and a little patience to turn it."""


class Door:
    """Keep visitors out of the house until somebody rings the bell twice."""

    def open(self):
        """Open the door slowly, so that the cat has time to leave the mat.

        >>> Door().open()

        Returns:
            Nothing that anybody should read as prose.
        """

    def _hide(self):
        """A private helper whose words nobody needs to find in the corpus."""
'''


def no_progress(done: int) -> None:
    pass


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "door.py"
    path.write_text(SOURCE)
    return path


def test_docstrings_carry_their_qualified_name(source: Path) -> None:
    names = [name for name, _ in corpus.docstrings("house.door", source)]
    assert names == ["house.door", "house.door.Door", "house.door.Door.open"]


def test_examples_and_sections_are_not_prose(source: Path) -> None:
    text = dict(corpus.docstrings("door", source))["door.Door.open"]
    assert corpus.sentences(text) == [
        "Open the door slowly, so that the cat has time to leave the mat."
    ]


@pytest.mark.parametrize("text", ["", "  ", "\n \n\n"])
def test_an_empty_text_has_no_sentences(text: str) -> None:
    assert corpus.sentences(text) == []


@pytest.mark.parametrize("broken", ["def (:", "\0", '"""unclosed'])
def test_a_file_that_does_not_parse_has_no_docstring(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(broken)
    assert list(corpus.docstrings("broken", path)) == []


def test_chunks_end_at_sentences_and_lose_no_word() -> None:
    text = " ".join(
        f"Sentence number {n} says very little about anything at all." for n in range(30)
    )
    passages = list(corpus.chunk("here", text))
    assert " ".join(passage.text for passage in passages) == text
    assert all(len(passage.text.split()) <= corpus.MAX_WORDS for passage in passages)
    assert all(passage.text.startswith(passage.lead) for passage in passages)
    assert len(passages) > 1


def test_installed_docstrings_are_distinct_bounded_and_repeatable() -> None:
    passages = corpus.from_docstrings(120, 7, no_progress)
    assert len(passages) == 120
    assert len({passage.text.casefold() for passage in passages}) == 120
    assert all(len(passage.text.split()) >= corpus.MIN_WORDS for passage in passages)
    assert passages == corpus.from_docstrings(120, 7, no_progress)
    assert passages != corpus.from_docstrings(120, 8, no_progress)


def test_a_folder_gives_its_text_files_once_each(tmp_path: Path) -> None:
    text = "The first rule of the house is that everybody closes the door."
    (tmp_path / "deep").mkdir()
    (tmp_path / "rules.md").write_text(text)
    (tmp_path / "deep" / "copy.txt").write_text(text.upper())
    (tmp_path / "image.png").write_text(text + " Never read.")
    found = corpus.from_folder(tmp_path, 100, no_progress)
    assert [(passage.where, passage.text.casefold()) for passage in found] == [
        ("deep/copy.txt", text.casefold())
    ]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_text_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoTextError, match=name):
        corpus.from_folder(tmp_path / name, 10, no_progress)
