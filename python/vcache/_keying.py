"""Keys of calls: the arguments of a function, bound and encoded so that no two calls share a key.

Each value is a letter for its type and a text that says where it ends; only the last value, which
ends with the key, is written plainly. Numbers in lists and arrays are a digest of their values, so
that a list and an array of the same numbers are the same argument.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._digest import PLAIN, KeyDigest
from .errors import UnkeyableError

__all__ = ["LAST_TAGS", "MAX_KEY", "Encoder", "Signature", "are_constant", "bounded", "numbers_of"]

MAX_KEY = 1024
_EXACT_INT = 2**53  # up to here a float64 holds every int
_ALLOWED = (
    "allowed are None, bool, int, float, str, bytes, enums, dates, Decimal, UUID, paths, arrays,"
    " dataclasses, lists, tuples, dicts and sets of these, and objects with __cache_key__"
)

# How the value of a scalar is had, whatever a subclass makes of its text.
_SCALARS: dict[type, Callable[[Any], Any]] = {
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
    bytes: bytes.__bytes__,
}

_END = "\x1f"  # ASCII's unit separator

# How the last value of a key is written where its type is exactly one of these.
LAST_TAGS: dict[type, str] = {str: "s", int: "i", float: "f", bool: "b", type(None): "n"}

# Types whose repr() says all there is, by name so that they need not be imported.
_TEXTUAL = {
    "datetime.datetime",
    "datetime.date",
    "datetime.time",
    "datetime.timedelta",
    "decimal.Decimal",
    "uuid.UUID",
    "pathlib.PurePath",
    "pathlib._local.PurePath",
}


class Encoder:
    """Writes values into keys; numbers of lists and arrays rounded to `precision` decimals."""

    def __init__(self, precision: int | None) -> None:
        self.precision = precision
        self._by_type: dict[type, Callable[[Any], str]] = {
            type(None): lambda _: "n;",
            bool: lambda value: "b1;" if value else "b0;",
            int: lambda value: f"i{value};",
            float: lambda value: f"f{value!r};",
            str: _text,
            bytes: lambda value: f"y{value.hex()};",
            list: lambda value: self._sequence("l", value),
            tuple: lambda value: self._sequence("t", value),
            dict: self._mapping,
            set: self._set,
            frozenset: self._set,
            np.ndarray: self._array,
        }

    def quick(self, values: tuple[Any, ...]) -> str:
        """As all(). Raises KeyError for types that take a longer look, and whatever all() does."""
        by_type, text = self._by_type, ""
        for value in values[:-1]:
            if type(value) is str and _END not in value:
                text = f"{text}s{value}{_END}"
            else:
                text += by_type[type(value)](value)
        last = values[-1]
        tag = LAST_TAGS.get(type(last))
        return f"{text}{tag}{last}" if tag else text + by_type[type(last)](last)

    def tail(self, values: tuple[Any, ...]) -> str:
        """What quick() writes of values that end a key, and follow others."""
        first = ("",)
        return self.quick((*first, *values))[len(f"s{_END}") :] if values else ""

    def all(self, values: Sequence[Any], names: Sequence[str]) -> str:
        """The values of one call. Raises UnkeyableError or ValueError naming the argument."""
        parts = [self.named(value, name) for value, name in zip(values, names, strict=True)]
        if parts:
            last = _plain(values[-1])
            tag = LAST_TAGS.get(type(last))
            if tag is not None:
                parts[-1] = f"{tag}{last}"
        return "".join(parts)

    def named(self, value: Any, name: str) -> str:
        """The value of the argument `name`. Raises UnkeyableError or ValueError naming it."""
        try:
            return self.one(value)
        except UnkeyableError as error:
            raise UnkeyableError(f"argument {name!r}: {error}") from None
        except RecursionError:
            raise UnkeyableError(f"argument {name!r} is nested too deeply: {_ALLOWED}") from None
        except ValueError as error:
            raise ValueError(f"argument {name!r}: {error}") from None

    def one(self, value: Any) -> str:
        encode = self._by_type.get(type(value))
        return self._foreign(value) if encode is None else encode(value)

    def _sequence(self, tag: str, values: Sequence[Any]) -> str:
        numbers = _stacked(values)
        if numbers is not None:
            return self._digest(numbers)
        return f"{tag}{len(values)}[" + "".join(map(self.one, values))

    def _mapping(self, values: Mapping[Any, Any]) -> str:
        pairs = sorted(self.one(key) + self.one(value) for key, value in values.items())
        return f"d{len(pairs)}[" + "".join(pairs)

    def _set(self, values: Iterable[Any]) -> str:
        parts = sorted(map(self.one, values))
        return f"e{len(parts)}[" + "".join(parts)

    def _array(self, array: NDArray[Any]) -> str:
        if _is_real(array):
            return self._digest(array)
        if array.dtype.kind == "c" and array.dtype.itemsize <= 16:
            return f"z{self._digest(np.stack([array.real, array.imag], axis=-1))}"
        if array.dtype.kind not in "biuSUmM":
            raise UnkeyableError(f"an array of {array.dtype} cannot be part of a key: {_ALLOWED}")
        digest = PLAIN.of(np.ascontiguousarray(array).tobytes())
        return f"a{_text(array.dtype.str)}{_text(repr(array.shape))}{digest};"

    def _digest(self, array: NDArray[Any]) -> str:
        return f"v{_core.digest_vector(array, self.precision).hex()};"

    def _foreign(self, value: Any) -> str:
        if isinstance(value, type):
            return f"k{_text(_type_name(value))}"
        custom = getattr(value, "__cache_key__", None)
        if custom is not None:
            own = custom() if callable(custom) else custom
            return f"x{_text(_type_name(type(value)))}{self.one(own)}"
        if isinstance(value, enum.Enum):
            named = value.value if value.name is None else value.name  # F(0) has none
            return f"m{_text(_type_name(type(value)))}{self.one(named)}"
        for base in type(value).__mro__:
            if _type_name(base) in _TEXTUAL:
                return f"o{_text(_type_name(type(value)))}{_represented(value, base)}"
        if is_dataclass(value):
            return self._dataclass(value)
        return self._converted(value)

    def _dataclass(self, value: Any) -> str:
        own = "".join(self.one(getattr(value, field.name)) for field in fields(value))
        return f"c{_text(_type_name(type(value)))}{own}"

    def _converted(self, value: Any) -> str:
        """Subclasses as what they derive from, NumPy scalars and foreign arrays as ours."""
        if isinstance(value, np.datetime64 | np.timedelta64):
            return f"w{_text(value.dtype.str)}{value.view(np.int64)};"
        if isinstance(value, np.generic):
            plain = _plain(value)
            if not isinstance(plain, np.generic):
                return self.one(plain)
        elif isinstance(value, np.ma.MaskedArray):
            raise UnkeyableError(f"a masked array cannot be part of a key: {_ALLOWED}")
        elif hasattr(value, "__array__"):
            return self._array(_as_array(value))
        else:
            for base in (int, float, str, bytes, list, tuple, dict, set, frozenset):
                if isinstance(value, base):
                    plain = _SCALARS.get(base, lambda same: same)(value)
                    return f"u{_text(_type_name(type(value)))}{self._by_type[base](plain)}"
        name = _type_name(type(value))
        raise UnkeyableError(f"a value of type {name} cannot be part of a key: {_ALLOWED}")


class Signature:
    """How a function takes its arguments; brings those of a call into one order."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._inspected = inspect.signature(function)
        parameters = list(self._inspected.parameters.values())
        kinds = inspect.Parameter
        self.names = [parameter.name for parameter in parameters]
        self._single = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        self._positional = [p for p in self._single if p.kind is not kinds.KEYWORD_ONLY]
        self._has_rest = any(p.kind is kinds.VAR_POSITIONAL for p in parameters)
        self.has_named = any(p.kind is kinds.VAR_KEYWORD for p in parameters)
        self.is_method = _is_method(function, self.names)
        self.is_plain = len(self._positional) == len(parameters)
        self.tails = {} if self._has_rest else dict(self._tails())

    def _tails(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """By number of positional arguments: what follows them where nothing is given by name."""
        ends: tuple[Any, ...] = ({},) if self.has_named else ()
        defaults = [p.default for p in self._single]
        for count in range(len(self._positional) + 1):
            if not any(default is inspect.Parameter.empty for default in defaults[count:]):
                yield count, (*defaults[count:], *ends)

    def bind(self, args: tuple[Any, ...], named: dict[str, Any]) -> Sequence[Any]:
        """One value for each of `names`. Raises TypeError as the call itself would."""
        if self.is_plain and not named and len(args) == len(self.names):
            return args
        left = dict(named)
        values = [self._value(i, p, args, left) for i, p in enumerate(self._single)]
        rest = args[len(self._positional) :]
        too_many = (rest and not self._has_rest) or (left and not self.has_named)
        if too_many or any(value is _ABSENT for value in values):
            self._inspected.bind(*args, **named)  # raises
        if self._has_rest:
            values.insert(len(self._positional), rest)
        if self.has_named:
            values.append(left)
        return values

    @property
    def single_names(self) -> list[str]:
        """The parameters that take one argument each."""
        return [parameter.name for parameter in self._single]

    def with_value(
        self, args: tuple[Any, ...], named: dict[str, Any], name: str, value: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The same call with another argument for the parameter `name`."""
        bound = self._inspected.bind(*args, **named)
        bound.arguments[name] = value
        return bound.args, bound.kwargs

    def _value(
        self, index: int, parameter: inspect.Parameter, args: tuple[Any, ...], left: dict[str, Any]
    ) -> Any:
        if index < len(self._positional) and index < len(args):
            return args[index]
        if parameter.kind is not parameter.POSITIONAL_ONLY and parameter.name in left:
            return left.pop(parameter.name)
        return _ABSENT if parameter.default is parameter.empty else parameter.default


def bounded(head: str, arguments: str, digest: KeyDigest = PLAIN) -> str:
    """The key of `arguments` under `head`, at most 1024 bytes.

    Long ones as their digest, and all of them if it is keyed.
    """
    key = head + arguments
    if not digest.is_keyed and _fits(key):
        return key
    return f"{head}h{digest.of(arguments.encode(errors='surrogatepass'))}"


def _fits(key: str) -> bool:
    if key.isascii():
        return len(key) <= MAX_KEY
    try:
        return len(key.encode()) <= MAX_KEY
    except UnicodeEncodeError:  # a lone surrogate
        return False


def are_constant(values: Iterable[Any]) -> bool:
    """Whether quick() writes the same of them whenever it is asked."""
    return all(type(v) in LAST_TAGS or (type(v) is dict and not v) for v in values)


_ABSENT: Any = object()


def _text(value: str) -> str:
    return f"s{value}{_END}" if _END not in value else f"S{len(value)}:{value}"


def _type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _represented(value: Any, base: type) -> str:
    """What `base` says of a value, and what a subclass with a repr() of its own says."""
    own, of_base = repr(value), base.__repr__(value)  # type: ignore[call-arg]
    return _text(own) if own == of_base else _text(of_base) + _text(own)


def _plain(value: Any) -> Any:
    """A NumPy scalar as Python's own, where one says the same; anything else as it is."""
    return value.item() if isinstance(value, np.generic) and value.dtype.kind in "biufSU" else value


def _stacked(values: Sequence[Any]) -> NDArray[Any] | None:
    """A list of numbers, or of equally long lists of them, as an array; None if it is no such."""
    kinds = set(map(type, values))
    if not kinds or not all(map(_may_be_numbers, kinds)):
        return None
    if kinds <= {int, float}:
        is_exact = int not in kinds or all(abs(v) <= _EXACT_INT for v in values if type(v) is int)
        return np.asarray(values, dtype=np.float64) if is_exact else None
    if len(kinds) == 1 and issubclass(kinds.pop(), np.generic):
        return _if_real(np.asarray(values))
    rows: list[NDArray[Any]] = []
    for value in values:
        row = numbers_of(value)
        if row is None or (rows and row.shape != rows[0].shape):
            return None
        rows.append(row)
    return np.stack(rows, dtype=np.float64, casting="unsafe")


def _may_be_numbers(kind: type) -> bool:
    return kind in (int, float, list, tuple) or hasattr(kind, "__array__")


def numbers_of(value: Any) -> NDArray[Any] | None:
    """A number, a list or an array of them as an array; None if it is no such."""
    if type(value) in (list, tuple):
        return _stacked(value)
    if hasattr(value, "__cache_key__") or isinstance(value, np.ma.MaskedArray):
        return None
    return _if_real(_as_array(value))


def _as_array(value: Any) -> NDArray[Any]:
    """A number or a foreign array as NumPy's. Raises UnkeyableError where it does not convert."""
    try:
        if hasattr(value, "detach"):  # a tensor of torch, which may be part of a gradient
            value = value.detach().cpu()
            if str(value.dtype).startswith(("torch.bfloat16", "torch.float8")):
                value = value.float()
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        name = _type_name(type(value))
        raise UnkeyableError(f"a {name} that is no array ({error}): {_ALLOWED}") from None


def _if_real(array: NDArray[Any]) -> NDArray[Any] | None:
    return array if _is_real(array) else None


def _is_real(array: NDArray[Any]) -> bool:
    """Whether float64 holds every element."""
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        return False
    if array.dtype.kind == "f" or array.dtype.itemsize < 8 or array.size == 0:
        return True
    return bool(array.max() <= _EXACT_INT and array.min() >= -_EXACT_INT)


def _is_method(function: Callable[..., Any], names: Sequence[str]) -> bool:
    """Whether it is defined in a class body and takes its instance or class first."""
    scope = getattr(function, "__qualname__", "").rpartition(".")[0]
    in_class = bool(scope) and not scope.endswith("<locals>")
    return in_class and bool(names) and names[0] in ("self", "cls")
