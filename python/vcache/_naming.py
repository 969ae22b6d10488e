"""Names of cached functions, by which the results of one are told from those of another.

A name must mean the same function in every process that shares a Redis, so it says nothing of
this process: it is the qualified name, and a digest of the constants that a closure holds.
"""

from __future__ import annotations

import enum
import inspect
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from ._digest import PLAIN, KeyDigest
from ._keying import Encoder
from ._locks import ForkLock
from ._messages import shown
from ._methods import Method
from .errors import ConfigError, UnkeyableError

__all__ = ["Names", "full_name"]

# Returns an object that a closure holds.
_Reference = Callable[[], object]

_SCALARS = (type(None), bool, int, float, str, bytes)
_ENCODER = Encoder(None)
_EMPTY: Any = object()


class Names:
    """The functions that one cache was given, by name. Thread-safe."""

    def __init__(self, digest: KeyDigest = PLAIN) -> None:
        self._digest = digest
        self._lock = ForkLock()
        self._closures: dict[str, tuple[CodeType, list[_Reference]]] = {}
        self._generations: dict[str, int] = {}

    def claim(self, function: Callable[..., Any]) -> tuple[str, str]:
        """Name of a function and digest of the constants in its closure, "" for none.

        Raises ConfigError for a function that has no name of its own, and for one that differs
        from an earlier one of its name in the objects that its closure holds.
        """
        _check_own_name(function)
        name, closure = full_name(function), _Closure()
        found = _python_function(function)
        if found is None:
            return name, ""
        closure.add(found)
        digest = closure.digest(self._digest)
        if closure.objects:
            self._check_only(f"{name} {digest}", name, found, closure)
        return name, digest

    def _check_only(
        self, known_as: str, name: str, function: FunctionType, closure: _Closure
    ) -> None:
        original = inspect.unwrap(function)
        code = getattr(original, "__code__", function.__code__)
        with self._lock:
            seen = self._closures.get(known_as)
            if seen is not None and seen[0] is code and not closure.holds(seen[1]):
                raise ConfigError(
                    f"function={name}: its closure holds other objects than that of the function"
                    " of this name which the cache has: allowed is that with key_prefix=, a name"
                    " for each"
                )
            self._closures[known_as] = code, list(map(_reference, closure.objects))

    def generation(self, record: str) -> int | None:
        """The generation that is known under this name, None for none."""
        return self._generations.get(record)

    def reach(self, record: str, generation: int) -> int:
        """The later one of `generation` and that which is known; it is known from now on."""
        with self._lock:
            latest = max(generation, self._generations.get(record, 0))
            self._generations[record] = latest
        return latest

    def step(self, record: str) -> int:
        """A generation that no process had before, unless its clock was set back."""
        now = time.time_ns() // 1000
        return self.reach(record, max(now, self._generations.get(record, 0) + 1))


class _Closure:
    """What a function takes from the functions around it: constants, and other objects."""

    def __init__(self) -> None:
        self.objects: list[object] = []
        self._constants: list[str] = []
        self._functions: set[int] = set()

    def add(self, function: FunctionType) -> None:
        self._functions.add(id(function))
        assigned = _assigned(function.__code__)
        for name, cell in _cells(function):
            value = _contents(cell)
            if name in assigned or value is _EMPTY:
                self.objects.append(cell)
                continue
            constant = self._constant(value)
            if constant is None:
                self.objects.append(value)
            else:
                self._constants.append(f"{name}={constant}")

    def digest(self, digest: KeyDigest) -> str:
        if not self._constants:
            return ""
        text = "\n".join(self._constants)
        return digest.of(text.encode(errors="surrogatepass"))[:32]

    def holds(self, others: Sequence[_Reference]) -> bool:
        """Whether its objects are these, none of which is gone."""
        pairs = zip(self.objects, others, strict=False)
        return len(self.objects) == len(others) and all(a is b() for a, b in pairs)

    def _constant(self, value: Any) -> str | None:
        """The text of a constant, None for what is none: it may change, or has no lasting name."""
        if hasattr(value, "cache_key"):  # a cached function, of which its own closure counts
            value = inspect.unwrap(value)
        if isinstance(value, FunctionType):
            return self._of_function(value)
        if _is_global(value):
            return full_name(value)
        if isinstance(value, ModuleType):
            return value.__name__
        try:
            return _ENCODER.one(value) if _is_constant(value) else None
        except (UnkeyableError, ValueError):
            return None

    def _of_function(self, function: FunctionType) -> str | None:
        if function.__name__ == "<lambda>":
            return None
        if id(function) not in self._functions:
            self.add(function)
        return full_name(function)


def full_name(function: Any) -> str:
    """Module and qualified name; those of its class for an object without."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or '__main__'}.{name}"


def _reference(value: object) -> _Reference:
    """What returns the object, and None once it is gone; one that cannot be asked so is kept."""
    try:
        return weakref.ref(value)
    except TypeError:  # such as a list: it is kept
        return lambda: value


def _check_own_name(function: Any) -> None:
    """Raises ConfigError for what has no qualified name, or shares it with others of its kind."""
    owner = getattr(function, "__self__", None)
    if isinstance(function, Method):
        kind = None
    elif isinstance(function, partial):
        kind = "a functools.partial"
    elif isinstance(function, MethodType) or not isinstance(owner, ModuleType | None):
        kind = "a bound method"
    elif not hasattr(function, "__qualname__"):
        kind = f"an object of type {type(function).__name__}"
    else:
        kind = "a lambda" if function.__qualname__.endswith("<lambda>") else None
    if kind is not None:
        raise ConfigError(
            f"function={shown(function)}: {kind} has no name of its own, by which its results are"
            " told from those of others: allowed is that with key_prefix="
        )


def _python_function(function: Any) -> FunctionType | None:
    """The first function of Python's own under the wrappers of `function`, itself among them."""
    while not isinstance(function, FunctionType):
        function = getattr(function, "__wrapped__", None)
        if function is None:
            return None
    return function


def _cells(function: FunctionType) -> Iterator[tuple[str, CellType]]:
    """The free variables of a function, but the function itself and the class it is defined in."""
    code = function.__code__
    is_local = function.__qualname__.endswith(f"<locals>.{code.co_name}")
    known = {"__class__", code.co_name} if is_local else {"__class__"}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        if name not in known:
            yield name, cell


def _assigned(code: CodeType) -> set[str]:
    """The free variables that the code itself assigns to."""
    if not code.co_freevars:
        return set()
    from dis import get_instructions

    stores = ("STORE_DEREF", "DELETE_DEREF")
    return {step.argval for step in get_instructions(code) if step.opname in stores}


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # assigned later
        return _EMPTY


def _is_global(value: Any) -> bool:
    """Whether it is a class or a built-in function that its name leads to."""
    if isinstance(value, BuiltinFunctionType):
        return isinstance(value.__self__, ModuleType)
    return isinstance(value, type) and "<locals>" not in value.__qualname__


def _is_constant(value: Any) -> bool:
    if type(value) in (tuple, frozenset):
        return all(map(_is_constant, value))
    return type(value) in _SCALARS or isinstance(value, enum.Enum)
