"""From one embedding model to another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from migrating import TEXTS, Make, Two, made
from two_models import NEW, OLD, Model, embeddings, rows

from vcache import EmbeddingCache
from vcache.errors import ConfigError
from vcache.migration import Coverage, Event, Migration


@pytest.fixture
def make() -> Iterator[Make]:
    with made() as make:
        yield make


@pytest.fixture
def two(make: Make) -> Two:
    return make()


def is_of(matrix: Any, texts: list[str], width: int) -> bool:
    return bool(np.array_equal(matrix, rows(texts, width)))


def test_the_whole_way(two: Two) -> None:
    migration = two.migration
    assert (migration.phase, migration.serving) == ("dual", two.old)
    assert is_of(migration.embed(TEXTS), TEXTS, OLD)
    assert two.run().embedded == 40
    assert is_of(migration.embed(TEXTS), TEXTS, OLD), "until it is cut over"
    assert migration.cut_over().phase == "cut_over"
    assert is_of(migration.embed(TEXTS), TEXTS, NEW)
    assert is_of(migration.embed_one("text 1"), ["text 1"], NEW) is False, "it is a row"
    assert migration.embed_one("text 1").shape == (NEW,)
    assert migration.roll_back("it finds less").serving == "old"
    assert is_of(migration.embed(TEXTS), TEXTS, OLD)
    assert len(two.old_model.batches) == 1, "nothing of it was dropped"
    assert migration.cut_over(texts=TEXTS).serving == "new"
    assert migration.finish(drop_old=True) == 40
    assert (migration.phase, migration.serving) == ("finished", two.new)
    assert not two.old.find(TEXTS)[1].any()
    assert two.new.find(TEXTS)[1].all()
    phases = [event.phase for event in migration.report().events]
    assert phases == ["dual", "cut_over", "rolled_back", "cut_over", "finished"]


def test_what_is_dropped_is_of_the_old_name_alone(two: Two) -> None:
    longer = embeddings(two.cache, Model(NEW), "old:v2")
    migration = Migration(two.old, longer, name="longer", check_every=None)
    query = embeddings(two.cache, Model(OLD), "old", kind="query")
    for each in (two.old, query, longer):
        each.embed(TEXTS[:5])
    migration.cut_over(least=0)
    assert migration.finish(drop_old=True) == 10
    assert not two.old.find(TEXTS[:5])[1].any()
    assert longer.find(TEXTS[:5])[1].all()


def test_new_first_answers_as_a_whole(make: Make) -> None:
    two = make(read="new_first")
    two.old.embed(TEXTS)
    two.run(TEXTS[:20])
    for texts, width in (
        (TEXTS[:20], NEW),
        (TEXTS[19:21], OLD),
        (TEXTS[20:], OLD),
        (["never seen"], OLD),
        ([], OLD),
    ):
        answer = two.migration.answer(texts)
        assert (answer.model, answer.is_new) == (("new", True) if width == NEW else ("old", False))
        if texts:
            assert is_of(answer.matrix, texts, width)
    assert is_of(two.migration.embed(TEXTS[:20]), TEXTS[:20], OLD), "embed() is of what serves"
    report = two.migration.report()
    assert (report.asked, report.covered) == (20 + 2 + 20 + 1, 20 + 1)
    two.migration.roll_back()
    assert two.migration.answer(TEXTS[:20]).model == "old"
    two.migration.resume()
    assert two.migration.answer(TEXTS[:20]).model == "new"
    two.migration.cut_over(least=0)
    assert two.migration.answer(["never seen"]).model == "new"


def test_old_reads_old(two: Two) -> None:
    two.run()
    assert two.migration.answer(TEXTS).model == "old"
    assert two.migration.report().asked == 0


def test_the_twins(make: Make) -> None:
    two = make(read="new_first")
    two.run(TEXTS[:2])

    async def main() -> None:
        migration = two.migration
        assert is_of(await migration.aembed(TEXTS), TEXTS, OLD)
        assert (await migration.aembed_one("a")).shape == (OLD,)
        assert (await migration.aanswer(TEXTS[:2])).model == "new"
        assert (await migration.aanswer(TEXTS[:3])).model == "old"
        assert (await migration.acoverage(TEXTS)).share == 2 / 40

    asyncio.run(main())


ASKED = st.lists(
    st.tuples(
        st.sampled_from(["answer", "embed", "fill", "cut", "back", "resume"]),
        st.lists(st.sampled_from(TEXTS[:8]), max_size=5),
    ),
    max_size=25,
)


@given(ASKED)
@settings(max_examples=40)
def test_no_answer_mixes_models(steps: list[tuple[str, list[str]]]) -> None:
    two = Two(read="new_first")
    migration = two.migration
    try:
        for name, texts in steps:
            if name == "answer":
                answer = migration.answer(texts)
                width = NEW if answer.is_new else OLD
                assert is_of(answer.matrix, texts, width) or not texts
                assert answer.model == ("new" if answer.is_new else "old")
                assert answer.is_new or migration.phase != "cut_over"
            elif name == "embed":
                width = NEW if migration.phase == "cut_over" else OLD
                assert is_of(migration.embed(texts), texts, width) or not texts
            elif name == "fill":
                two.new.embed(texts)
            elif name == "cut" and migration.phase != "cut_over":
                migration.cut_over(least=0)
            elif name == "back":
                migration.roll_back()
            elif name == "resume" and migration.phase != "dual":
                migration.resume()
    finally:
        two.close()


def test_coverage(two: Two) -> None:
    assert two.migration.coverage(TEXTS) == Coverage(40, 0, 0)
    assert two.migration.coverage(TEXTS).share is None
    two.old.embed(TEXTS[:20])
    two.new.embed(TEXTS[15:25])
    requests = two.cache.stats().requests
    steps: list[int] = []
    found = two.migration.coverage([*TEXTS, *TEXTS], progress=steps.append)
    assert found == Coverage(texts=40, live=25, covered=10)
    assert (found.share, found.as_dict()["share"]) == (0.4, 0.4)
    assert steps == list(range(1, 41))
    assert two.cache.stats().requests == requests, "nothing is counted"


def test_a_cut_over_needs_coverage(two: Two) -> None:
    two.old.embed(TEXTS)
    with pytest.raises(ConfigError, match="the coverage is not known"):
        two.migration.cut_over()
    with pytest.raises(ConfigError, match=r"the coverage is 0.0000: allowed is at least 0.99"):
        two.migration.cut_over(texts=TEXTS)
    with pytest.raises(ConfigError, match="the coverage is not known"):
        two.migration.cut_over(texts=["not live"])
    assert two.migration.phase == "dual"
    two.run(TEXTS[:30])
    assert two.migration.cut_over(least=0.75, texts=TEXTS).phase == "cut_over"


def test_phases_have_an_order(two: Two) -> None:
    migration = two.migration
    for call in (migration.finish, migration.resume):
        with pytest.raises(ConfigError, match="is dual: allowed are"):
            call()
    migration.cut_over(least=0)
    with pytest.raises(ConfigError, match="is cut_over: allowed are dual and rolled_back"):
        migration.cut_over(least=0)
    migration.finish()
    assert migration.finish(drop_old=True) == 0, "it may be dropped later"
    for call in (migration.roll_back, migration.resume):
        with pytest.raises(ConfigError, match="is finished"):
            call()


def test_dropping_needs_another_name(two: Two) -> None:
    new = EmbeddingCache(Model(4), model="old", cache=two.cache, dims=4)
    migration = Migration(two.old, new, name="dims")
    migration.embed(TEXTS)
    migration.cut_over(least=0)
    with pytest.raises(ConfigError, match="drop_old=True: allowed is False"):
        migration.finish(drop_old=True)
    migration.embed(TEXTS)
    assert migration.finish() == 0
    assert two.old.find(TEXTS)[1].all()


def test_a_file_keeps_the_phase(make: Make, tmp_path: Path) -> None:
    path, events = tmp_path / "state", list[Event]()
    two = make(state_path=path)
    other = two.join(state_path=path, on_event=events.append)
    two.migration.cut_over(least=0, why="it is good")
    assert other.serving is two.old
    assert other.check().serving == "new"
    assert [(event.phase, event.why) for event in events] == [("cut_over", "it is good")]
    other.roll_back("it is not")
    assert two.migration.check().phase == "rolled_back"
    assert two.join(state_path=path).phase == "rolled_back"
    with pytest.raises(ConfigError, match="is one of other models"):
        Migration(two.new, two.old, state_path=path)


def test_a_rollback_that_cannot_be_written_is_not_lost(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    two = make(state_path=folder / "state")
    two.migration.cut_over(least=0)
    other = two.join(state_path=folder / "state")
    gone = folder.rename(tmp_path / "elsewhere")
    report = two.migration.roll_back("now")
    assert (report.phase, report.serving) == ("rolled_back", "old")
    assert "FileNotFoundError" in (report.problem or "")
    with pytest.raises(FileNotFoundError):
        two.migration.resume()
    gone.rename(folder)
    assert two.migration.check().problem is None
    assert other.check().phase == "rolled_back"


def test_a_phase_that_is_not_known_is_the_old_model(make: Make, tmp_path: Path) -> None:
    two = make(state_path=tmp_path / "none" / "state")
    report = two.migration.report()
    assert (report.phase, report.serving) == (None, "old")
    assert report.problem is not None
    assert is_of(two.migration.embed(TEXTS), TEXTS, OLD)


def test_calls_have_it_checked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted: list[Callable[[], object]] = []
    monkeypatch.setattr(
        "vcache.migration._phases.workers.submit", lambda work: submitted.append(work) or True
    )
    now = [1e9]
    two = make(check_every="15s", clock=lambda: now[0])
    two.migration.embed(["a"])
    two.migration.embed(["a"])
    assert len(submitted) == 1
    now[0] += 15
    two.migration.answer(["a"])
    assert len(submitted) == 2
    submitted[0]()
    assert two.migration.phase == "dual"


def test_report(make: Make) -> None:
    two = make(read="new_first")
    two.run()
    two.migration.answer(TEXTS)
    report = two.migration.report()
    assert json.dumps(report.as_dict())
    text = str(report)
    assert "migration migration: dual, old answers" in text
    assert "40 of 40 texts asked for under new" in text
    assert "done: 40 of 40 texts, 40 embedded" in text
    assert "dual: it is new" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": ""}, "name='': allowed is printable text of 1 to 64 characters"),
        ({"read": "new"}, "read='new': allowed are 'old' and 'new_first'"),
        ({"waiting": -1}, "waiting=-1: allowed is an int of 0 or more"),
        ({"check_every": -1}, "check_every=-1: allowed is more than 0"),
        ({"state_path": 5}, "state_path=5: allowed are None and a path"),
    ],
)
def test_bad_arguments(make: Make, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        make(**options)
    assert said in str(raised.value)


def test_bad_models(two: Two) -> None:
    with pytest.raises(ConfigError, match="new=5 of type int: allowed is an EmbeddingCache"):
        Migration(two.old, 5)  # type: ignore[arg-type]
    same = embeddings(two.cache, Model(NEW), "old")
    for new in (two.old, same):
        with pytest.raises(ConfigError, match="it has the keys of `old`, model 'old'"):
            Migration(two.old, new)


def test_bad_shares(two: Two) -> None:
    for least in (-0.1, 1.1, "all", True):
        with pytest.raises(ConfigError, match="least=.*: allowed is a number from 0 to 1"):
            two.migration.cut_over(least=least)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="why='': allowed is printable text of 1 to 500"):
        two.migration.roll_back("")
    assert two.migration.phase == "dual"
