"""What the doctor makes of what clusters and sentinels say."""

from __future__ import annotations

from typing import Any

import pytest

from vcache._symptoms import Finding
from vcache._topology import (
    SlotRange,
    failure_of,
    read_slots,
    symptoms_of_sentinel,
    symptoms_of_slots,
    symptoms_of_votes,
)
from vcache.errors import ConfigError, RedisError

A, B, C = ("h", 1), ("h", 2), ("::1", 3)
NO = RedisError("NOPERM this user has no permissions to run it")


def test_slots_are_read_in_order() -> None:
    reply = [
        [100, 16383, [b"h", 2, b"id", []]],
        [0, 99, [b"h", 1, b"id", []], [None, 3], [b"?", 4], [b"", 5]],
    ]
    assert read_slots(reply, "seed") == [
        SlotRange(0, 99, (A, ("seed", 3), ("seed", 4), ("seed", 5))),
        SlotRange(100, 16383, (B,)),
    ]
    assert read_slots([], "seed") == []


@pytest.mark.parametrize(
    "reply",
    [
        None, b"OK", 7, RedisError("ERR no"), [7], [[]], [[0]], [[0, 1, 2]], [[0, 1, [b"h"]]],
        [[0, 1, [b"\xff", 1]]], [[0, 16384, [b"h", 1]]], [[9, 8, [b"h", 1]]], [[-1, 8, [b"h", 1]]],
        [[0, 1, [b"h", b"x"]]],
    ],
)  # fmt: skip
def test_what_is_no_reply_to_cluster_slots(reply: Any) -> None:
    with pytest.raises(ValueError, match="^no reply to CLUSTER SLOTS$"):
        read_slots(reply, "seed")


@pytest.mark.parametrize(
    ("ranges", "slots", "replicas"),
    [
        (
            [SlotRange(0, 99, (A, C)), SlotRange(100, 16383, (B, C))],
            ("ok", "all 16384 slots, on 2 primaries", ""),
            ("ok", "2, and each primary has one", ""),
        ),
        (
            [SlotRange(0, 99, (A, B)), SlotRange(100, 16383, (C,))],
            ("ok", "all 16384 slots", ""),
            ("advice", "none of [::1]:3: its slots are away when it is", "a replica"),
        ),
        (
            [SlotRange(1, 16381, (A, B))],
            ("problem", "3 of 16384 slots belong to no server", "--cluster fix"),
            ("ok", "1, and each primary has one", ""),
        ),
        ([], ("problem", "16384 of 16384 slots", "--cluster fix"), None),
    ],
)
def test_slots_and_replicas(
    ranges: list[SlotRange], slots: tuple[str, str, str], replicas: tuple[str, str, str] | None
) -> None:
    found = {each.check: each for each in symptoms_of_slots(ranges)}
    assert set(found) == ({"slots", "replicas"} if replicas else {"slots"})
    for check, told in (("slots", slots), ("replicas", replicas)):
        if told is not None:
            assert_tells(found[check], *told)


def assert_tells(finding: Finding, level: str, text: str, advice: str) -> None:
    assert finding.level == level
    assert text in finding.text
    assert advice in finding.advice
    assert bool(finding.advice) == (level != "ok")


@pytest.mark.parametrize(
    ("error", "text", "advice", "is_away"),
    [
        (RedisError("connect: Connection refused"), "connect: Connection refused", "", True),
        (RedisError("timeout: no answer"), "timeout: no answer", "", True),
        (RedisError("tls: certificate has expired"), "tls: certificate has", "", True),
        (RedisError("auth: WRONGPASS"), "refused: WRONGPASS", "user and password", False),
        (ConfigError("ca_file"), "ca_file", "", False),
    ],
)
def test_servers_that_cannot_be_used(
    error: RedisError | ConfigError, text: str, advice: str, is_away: bool
) -> None:
    finding, away = failure_of(error)
    assert (finding.level, away) == ("problem", is_away)
    assert text in finding.text
    assert advice in finding.advice


@pytest.mark.parametrize(
    ("votes", "told"),
    [
        ({A: ["s:1", "s:2"]}, ("ok", "h:1 by s:1, s:2", "")),
        (
            {A: ["s:1"], C: ["s:2"]},
            ("problem", "do not agree: h:1 by s:1; [::1]:3 by s:2", "SENTINEL RESET"),
        ),
        ({}, ("problem", "no sentinel names one", "sentinel monitor")),
    ],
)
def test_votes_of_sentinels(
    votes: dict[tuple[str, int], list[str]], told: tuple[str, str, str]
) -> None:
    assert_tells(symptoms_of_votes(votes), *told)


def other(port: int, flags: str = "sentinel") -> list[bytes]:
    texts = ("ip", "h", "port", str(port), "flags", flags)
    return [text.encode() for text in texts]


@pytest.mark.parametrize(
    ("named", "others", "check", "told"),
    [
        ([b"h", b"1"], [other(2), other(3)], "sentinel", ("ok", "one of 3 that know", "")),
        ([b"h", b"1"], [other(2)], "sentinel", ("problem", "one of 2", "watch the same")),
        ([b"h", b"1"], [other(n) for n in (2, 3, 4)], "sentinel", ("advice", "of 4", "name them")),
        (
            [b"h", b"1"], [other(2), other(3, "s_down,sentinel,disconnected")],
            "sentinel", ("problem", "takes as away: h:3", "start them"),
        ),
        ([b"h", b"1"], [7, [b"flags", b"s_down"]], "sentinel", ("problem", "?:?", "start")),
        (None, NO, "user", ("problem", "SENTINEL SENTINELS", "cpp/l2/README.md")),
        (NO, [], "user", ("problem", "run: SENTINEL GET-MASTER-ADDR-BY-NAME", "user of the")),
        (NO, NO, "user", ("problem", "BY-NAME, SENTINEL SENTINELS", "user of the")),
        (None, RedisError("ERR No such"), "sentinel", ("problem", "no service 'main'", "watch")),
        ([b"h", b"x"], [], "sentinel", ("problem", "no service 'main'", "watch")),
        (
            RedisError("ERR unknown command 'SENTINEL', with args: 'x'"), [],
            "sentinel", ("problem", "not one: ERR unknown command 'SENTINEL'", "name sentinels"),
        ),
    ],
)  # fmt: skip
def test_one_of_three_sentinels(
    named: Any, others: Any, check: str, told: tuple[str, str, str]
) -> None:
    found = {each.check: each for each in symptoms_of_sentinel("main", named, others, 3)}
    assert_tells(found[check], *told)
