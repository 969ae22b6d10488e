from __future__ import annotations

import gc
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vcache import Cache
from vcache._announcing import (
    HEARTBEAT,
    LIFETIME,
    MARK,
    MOST_RECORD,
    Announcement,
    Question,
    about_of,
    encoded,
)
from vcache._boards import ASK, SLOTS, FolderBoard, runtime_folder, slot_name
from vcache._ticker import Ticker
from vcache.errors import ConfigError


class Clock:
    """Time that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """A folder, its board, and a ticker, all on one clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder / "vcache"
        self.board = FolderBoard("vcache", self.folder, self.clock)
        self.ticker = Ticker(self.clock, starts_threads=False)

    def announce(self, cache: Cache) -> Announcement:
        about = about_of(cache._config)
        made = Announcement(cache, self.board, about, ticker=self.ticker, clock=self.clock)
        made.start()
        return made

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.now += 1
            self.ticker.run_due()

    def records(self) -> list[dict[str, Any]]:
        return [msgspec.msgpack.decode(data[MARK:]) for data in self.board.all_live(MOST_RECORD)]

    def ask(self, question: Question) -> None:
        self.board.write(ASK, msgspec.msgpack.encode(question), 10)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_cache_is_seen_while_it_lives(desk: Desk) -> None:
    with Cache(namespace="vcache", memory="1MiB") as cache:
        cache.set("a", 1)
        cache.get("a")
        announcement = desk.announce(cache)
        assert desk.records() == []
        desk.pass_time(1)
        (record,) = desk.records()
        assert (record["pid"], record["namespace"]) == (os.getpid(), "vcache")
        assert (record["stats"]["hits"], record["memory_limit"]) == (1, 1 << 20)
        cache.get("a")
        desk.pass_time(HEARTBEAT)
        assert desk.records()[0]["stats"]["hits"] == 2
        announcement.stop()
        assert desk.records() == []
        desk.pass_time(HEARTBEAT)
        assert desk.records() == []


def test_what_crashed_is_gone_after_three_heartbeats(desk: Desk) -> None:
    with Cache() as cache:
        desk.announce(cache)
        desk.pass_time(1)
        desk.clock.now += LIFETIME - 0.5
        assert len(desk.records()) == 1
        desk.clock.now += 1
        assert desk.records() == []


def test_a_cache_is_not_kept_alive(desk: Desk) -> None:
    cache = Cache()
    desk.announce(cache)
    desk.pass_time(1)
    del cache
    gc.collect()
    desk.pass_time(1)
    assert desk.records() == []
    assert desk.ticker._all == []


def test_two_that_chose_one_slot_part(desk: Desk) -> None:
    with Cache() as one, Cache() as other:
        announcements = [desk.announce(one), desk.announce(other)]
        for each in announcements:
            each._mark = each._mark[:-2] + "07"
        desk.pass_time(1)
        assert sorted(each._slot or 0 for each in announcements) == [7, 8]
        assert len(desk.records()) == 2
        # As if both had found the slot free at once.
        for each in announcements:
            each._slot = 9
        desk.pass_time(2 * HEARTBEAT)
        assert len({each._slot for each in announcements}) == 2


def test_with_all_places_taken_it_is_told_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for slot in range(SLOTS):
        desk.board.write(slot_name(slot), b"f" * MARK, 1000)
    with Cache() as cache, caplog.at_level(logging.WARNING, "vcache.announce"):
        desk.announce(cache)
        desk.pass_time(3)
    (record,) = caplog.records
    assert record.fields == {"of": "announce", "error": "ConfigError"}  # type: ignore[attr-defined]


def test_questions_are_answered_at_the_next_look(desk: Desk) -> None:
    with Cache() as cache:
        cache.set("here", 1)
        desk.announce(cache)
        desk.pass_time(1)
        for key, held in ((b"here", True), (b"not", False)):
            desk.ask(Question(id=key.decode(), key=key))
            desk.pass_time(1)
            assert desk.records()[0]["answer"] == {
                "id": key.decode(),
                "held": held,
                "learned": None,
            }
        assert cache.stats().requests == 0, "asking counts nothing"
        desk.ask(Question(id="empty", key=b""))
        desk.pass_time(1)
        assert desk.records()[0]["answer"] == {"id": "empty"}


def test_somebody_who_watches_has_figures_each_second(desk: Desk) -> None:
    with Cache() as cache:
        desk.announce(cache)
        desk.pass_time(1)
        written = desk.records()[0]["written"]
        desk.pass_time(1)
        assert desk.records()[0]["written"] == written
        desk.ask(Question(id="w"))
        desk.pass_time(1)
        assert desk.records()[0]["written"] == written + 2


@pytest.mark.parametrize(
    "data", [b"\xc1", b"\x00" * 5000, msgspec.msgpack.encode({"id": 1}), msgspec.msgpack.encode([])]
)
def test_a_question_that_is_none_is_passed_over(desk: Desk, data: bytes) -> None:
    desk.board.write(ASK, data, 10)
    with Cache() as cache:
        desk.announce(cache)
        desk.pass_time(1)
        assert desk.records()[0]["answer"] is None


def test_a_folder_that_is_gone_ends_nothing(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with Cache() as cache, caplog.at_level(logging.WARNING, "vcache.announce"):
        announcement = desk.announce(cache)
        desk.folder.write_text("not a folder")
        desk.pass_time(2 * HEARTBEAT)
        assert len(caplog.records) == 1
        desk.folder.unlink()
        desk.pass_time(HEARTBEAT)
        assert len(desk.records()) == 1
        announcement.stop()


def test_a_record_is_bounded() -> None:
    stats = {"groups": {f"g{n}": {"misses": n} for n in range(5000)}, "latency": {}, "hits": 1}
    data = encoded("0" * MARK, {"pid": 1, "stats": stats})
    assert len(data) <= MOST_RECORD
    assert msgspec.msgpack.decode(data[MARK:]) == {
        "pid": 1,
        "stats": {"groups": {}, "latency": {}, "hits": 1},
    }


def test_no_secret_is_in_a_record() -> None:
    secret = "hunter2-hunter2-hunter2"
    with Cache(
        redis=f"redis://bob:{secret}@127.0.0.1:1", key_secret=secret, encryption_key=b"k" * 32
    ) as cache:
        told = repr(about_of(cache._config))
    assert "hunter2" not in told
    assert "kkkk" not in told
    assert "bob" not in told


def test_a_time_in_memory_that_goes_by_use_is_not_said_to_be_one() -> None:
    with Cache() as cache, Cache(adaptive_ttl=True) as by_use:
        assert about_of(cache._config)["memory_ttl"] == 300.0
        assert about_of(by_use._config)["memory_ttl"] is None


def test_a_folder_is_of_its_user_alone(desk: Desk) -> None:
    desk.board.write("live:1", b"x", 10)
    assert stat.S_IMODE(desk.folder.stat().st_mode) == 0o700
    (file,) = desk.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    desk.folder.chmod(0o777)
    for call in (
        lambda: desk.board.write("live:1", b"x", 10),
        lambda: desk.board.read("live:1", 1),
        lambda: list(desk.board.all_live(10)),
        desk.board.namespaces,
    ):
        with pytest.raises(ConfigError, match="allowed is a folder of this user"):
            call()


def test_no_link_is_followed(desk: Desk, tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_bytes(b"%020d" % 9_000_000_000 + b"planted")
    desk.board.write("live:1", b"x", 10)
    desk.folder.joinpath("vcache!live:2").symlink_to(aim)
    with pytest.raises(OSError, match="symbolic links"):
        desk.board.read("live:2", 10)
    linked = tmp_path / "linked"
    linked.symlink_to(desk.folder)
    with pytest.raises(ConfigError):
        FolderBoard("vcache", linked, desk.clock).write("live:1", b"x", 10)


def test_a_board_forgets(desk: Desk) -> None:
    desk.board.write("a", b"12345", 10)
    assert desk.board.read("a", 3) == b"123"
    assert desk.board.read("b", 3) == b""
    desk.clock.now += 10
    assert desk.board.read("a", 3) == b""
    desk.board.erase("a")
    desk.board.erase("a")
    desk.folder.joinpath("vcache!c").write_bytes(b"short")
    assert desk.board.read("c", 3) == b""


def test_where_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_folder() == tmp_path / "vcache"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "none"))
    assert runtime_folder().name == f"vcache-{os.getuid()}"


def test_unasked_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, desk: Desk
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    use: Callable[[Cache], object] = lambda cache: cache.get("a")  # noqa: E731
    with Cache() as cache:
        use(cache)
        assert cache._announcement is None
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="announce='yes': allowed are True and False"):
        Cache(announce="yes")  # type: ignore[arg-type]
