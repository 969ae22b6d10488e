from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcache._keying import Encoder, Signature, bounded
from vcache.errors import UnkeyableError

ENCODER = Encoder(None)
ROUNDING = Encoder(6)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Masked(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "***"

    def __format__(self, form: str) -> str:
        return "***"


class Numbered(int):
    def __str__(self) -> str:
        return "id"

    __repr__ = __str__


class Measured(float):
    def __repr__(self) -> str:
        return "value"


class Day(datetime.date):
    def __repr__(self) -> str:
        return "day"


class Moment(datetime.datetime):
    def __repr__(self) -> str:
        return "moment"


@dataclass
class Query:
    text: str
    limit: int = 5


class Client:
    def __init__(self, name: str) -> None:
        self.name = name

    def __cache_key__(self) -> str:
        return self.name


def key(*values: Any) -> str:
    return ENCODER.all(values, [str(index) for index in range(len(values))])


DIFFERENT = [
    None, True, False, 0, 1, 1.0, -1, 2**70, 0.1, "", "1", "None", "a", "a\x1fsb", "i1;", b"a", b"",
    [], (), {}, set(), ["a"], ("a",), {"a"}, [["a"]], [["a", "b"]], ["a", "b"], ["ab"],
    [["a"], "b"],
    {"a": 1}, {"a": "1"}, {1: "a"}, [1, 2], [2, 1], [1, 2, 3], [True, 2], [2**60, 2**60 + 1],
    [2**60 + 1, 2**60], np.array([[1, 2]]), np.array([2**60]), np.array([True]), np.array(["a"]),
    [[1, 2], [3]], [[1], "a"], [Colour.RED], [Level.LOW], [np.True_, 1.5], [Client("a")],
    np.array([1j]), np.array([[0, 1]]), np.array([[0.0, 1.0, 2.0]]),
    Colour.RED, Colour.BLUE, Level.LOW, Query("a"), Query("a", 6), Client("a"), Client("b"),
    datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2), datetime.timedelta(1),
    datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC), decimal.Decimal("1.0"),
    decimal.Decimal("1.00"), uuid.UUID(int=1), pathlib.PurePosixPath("/a"), Query, Client,
    *(np.timedelta64(1, unit) for unit in ("Y", "M", "D", "s", "ns")), np.timedelta64(1),
    *(np.datetime64(1, unit) for unit in ("Y", "M", "D", "s", "ns")), np.timedelta64(2, "s"),
    *(kind("NaT", unit) for kind in (np.datetime64, np.timedelta64) for unit in ("s", "ns")),
    [np.timedelta64(1, "M")], [np.timedelta64(1, "M"), np.timedelta64(1, "D")],
    Access(0), Access.READ, Access.READ | Access.WRITE,
    Masked("a"), Masked("b"), Numbered(1), Numbered(2), Measured(1.0), Measured(2.0),
    Day(2024, 1, 2), Day(2024, 1, 3), Moment(2024, 1, 2, 3), Moment(2024, 1, 2, 4),
]  # fmt: skip


def test_different_values_have_different_keys() -> None:
    keys = [key(value, "end") for value in DIFFERENT]
    assert len(set(keys)) == len(keys)
    last = [key("start", value) for value in DIFFERENT]
    assert len(set(last)) == len(last)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([0.5, 1.0], np.array([0.5, 1.0])),
        ([0.5, 1.0], np.array([0.5, 1.0], "f4")),
        ([0.5, 1.0], (0.5, 1.0)),
        ([1, 2.5], [1.0, 2.5]),
        ([0.0, 1.0], [-0.0, 1.0]),
        ([1, 2], np.array([1, 2], "i8")),
        (np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(3, 2).T.copy().reshape(2, 3) * 0
         + np.arange(6.0).reshape(2, 3)),
        ([0.5, 1.0], [np.float32(0.5), np.float64(1.0)]),
        ([1, 2.5], [1, np.float64(2.5)]),
        ([1, 2], list(np.array([1, 2]))),
        ([0.0, 1.0], [np.float32(-0.0), np.int8(1)]),
        ([[1, 2], [3, 4]], np.array([[1.0, 2.0], [3.0, 4.0]])),
        ([[1, 2], (3, 4)], [np.array([1, 2]), [np.float32(3), 4]]),
        ([[[1], [2]]], np.array([[[1], [2]]], "f4")),
        (np.array([1 + 2j, -0.0]), np.array([1 + 2j, 0.0], "c8")),
        (np.arange(6.0)[::2], np.array([0.0, 2.0, 4.0])),
        (np.arange(3, dtype=">f4"), np.arange(3, dtype="<f4")),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({3, 1, 2}, {2, 3, 1}),
        (np.float64(0.5), 0.5),
        (np.int64(5), 5),
        (np.str_("a"), "a"),
        (np.bytes_(b"a"), b"a"),
        (np.bool_(True), True),
        (np.datetime64("2024-01-02"), np.datetime64("2024-01-02", "D")),
        (Masked("a"), Masked("a")),
        (Query("a"), Query("a", 5)),
        (Client("a"), Client("a")),
    ],
)  # fmt: skip
def test_equal_values_have_equal_keys(one: Any, other: Any) -> None:
    assert key(one, "end") == key(other, "end")
    assert key("start", one) == key("start", other)


def test_vectors_are_rounded() -> None:
    exact, near = [0.1, 0.2], np.array([0.1, 0.2], "f4")
    assert ENCODER.one(exact) != ENCODER.one(near)
    assert ROUNDING.one(exact) == ROUNDING.one(near)
    assert ROUNDING.one([0.1]) != ROUNDING.one([0.10001])
    assert ROUNDING.one(list(near)) == ROUNDING.one(exact)
    assert ROUNDING.one(np.array([0.1j])) == ROUNDING.one(np.array([0.1j], "c8"))


NAN = float("nan")


@pytest.mark.parametrize(
    "value",
    [[NAN], np.array([np.inf]), [1.0, -float("inf")], [np.float32(NAN)], [1, np.float64(NAN)],
     [[1.0], [NAN]], np.array([NAN + 1j]), np.array([1j * np.inf]),
     [np.array([1.0, NAN])]],
)  # fmt: skip
def test_nan_and_inf_in_a_vector(value: Any) -> None:
    with pytest.raises(ValueError, match="argument 'vector'"):
        ENCODER.all([value], ["vector"])


def test_a_part_of_another_object_is_not_a_key() -> None:
    class Unknown:
        pass

    endless: list[Any] = []
    endless.append(endless)
    for value in (
        Unknown(),
        [Unknown()],
        {"a": Unknown()},
        lambda: 1,
        endless,
        np.array([None]),
        np.ma.masked_array([1.0], [True]),
        [np.ma.masked_array([1.0], [True])],
        [np.ma.masked],
        np.array([NAN], np.longdouble),
        [np.longdouble(1)],
        [np.longdouble(1), 1.0],
        np.longdouble(1),
        np.array([1], np.clongdouble),
        np.zeros(1, "i4, i4")[0],
        np.void(b"a"),
        1 + 2j,
    ):
        with pytest.raises(UnkeyableError, match="argument 'x'.*allowed are None, bool") as caught:
            ENCODER.all([value], ["x"])
        assert isinstance(caught.value, TypeError)


def test_subclasses_are_not_what_they_derive_from() -> None:
    class Name(str):
        __slots__ = ()

    assert key(Name("a"), 1) != key("a", 1)
    assert key(Level.LOW, 1) != key(1, 1)


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
nested = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6
)


@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_texts_never_run_together(one: list[str], other: list[str]) -> None:
    assert (key(*one) == key(*other)) == (one == other) or len(one) != len(other)


@given(st.lists(nested, min_size=1, max_size=4))
def test_the_quick_way_writes_the_same(values: list[Any]) -> None:
    try:
        wanted = key(*values)
    except ValueError:
        return
    assert ENCODER.quick(tuple(values)) == wanted


@given(st.text(st.characters(), max_size=2000))
def test_keys_are_bounded_text(text: str) -> None:
    made = bounded("head:", f"s{text}")
    assert len(made.encode()) <= 1024
    assert made.startswith("head:")


def test_long_arguments_are_hashed() -> None:
    assert bounded("h:", "s" + "x" * 2000) != bounded("h:", "s" + "x" * 2001)
    assert bounded("h:", "s" + "x" * 2000).startswith("h:h")
    assert bounded("h:", "s" + "x" * 1000) == "h:s" + "x" * 1000


def plain_one(a: Any, b: Any = 2) -> None: ...
def keyword_only(a: Any, *, b: Any = 2, c: Any) -> None: ...
def variadic(a: Any, *rest: Any, b: Any = 2, **named: Any) -> None: ...
def positional_only(a: Any, /, b: Any = 2, **named: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "args", "named", "bound"),
    [
        (plain_one, (1,), {}, [1, 2]),
        (plain_one, (1, 5), {}, [1, 5]),
        (plain_one, (), {"b": 5, "a": 1}, [1, 5]),
        (keyword_only, (1,), {"c": 3}, [1, 2, 3]),
        (keyword_only, (), {"c": 3, "a": 1, "b": 4}, [1, 4, 3]),
        (variadic, (1,), {}, [1, (), 2, {}]),
        (variadic, (1, 8, 9), {"x": 7, "b": 3}, [1, (8, 9), 3, {"x": 7}]),
        (positional_only, (1,), {"a": 9}, [1, 2, {"a": 9}]),
    ],
)
def test_binding(
    function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any], bound: list[Any]
) -> None:
    signature = Signature(function)
    assert list(signature.bind(args, named)) == bound
    if not named and len(args) in signature.tails:
        assert [*args, *signature.tails[len(args)]] == bound


@pytest.mark.parametrize(
    ("function", "args", "named"),
    [
        (plain_one, (), {}),
        (plain_one, (1, 2, 3), {}),
        (plain_one, (1,), {"a": 1}),
        (plain_one, (1,), {"colour": 1}),
        (keyword_only, (1,), {}),
        (keyword_only, (1, 2), {"c": 1}),
        (positional_only, (), {"a": 1}),
    ],
)
def test_binding_fails_as_the_call_does(
    function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        function(*args, **named)
    with pytest.raises(TypeError, match=r"argument|parameter"):
        Signature(function).bind(args, named)
