"""Cached methods: what stands in a class, and what is got from it for an object."""

from __future__ import annotations

from functools import partial, update_wrapper
from types import MethodType
from typing import Any

__all__ = ["Method"]

# Attributes of a cached method that take what the method takes.
_OF_A_CALL = frozenset({"cache_key", "invalidate", "refresh", "ainvalidate", "arefresh", "nearest"})


class Method(partial[Any]):
    """A method whose results are cached, as it stands in its class."""

    @classmethod
    def over(cls, wrapper: Any) -> Method:
        """One with all that `wrapper` carries."""
        method = cls(wrapper)
        update_wrapper(method, wrapper)
        vars(method).update(vars(wrapper))
        return method

    def __reduce__(self) -> Any:
        return self.func.__qualname__  # by its name, as functions do

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else _BoundMethod(self.func, instance)


# The same, got from an object or, if it is a class method, from a class.
class _BoundMethod(partial[Any]):
    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.func.__doc__

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.func, name)
        if name in _OF_A_CALL:
            return partial(value, self.__self__)
        return MethodType(value, self.__self__) if name == "__wrapped__" else value

    @property
    def __self__(self) -> Any:
        return self.args[0]

    @property
    def __func__(self) -> Any:
        return self.func

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _BoundMethod):
            return NotImplemented
        return self.func is other.func and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((self.func, id(self.__self__)))

    def __repr__(self) -> str:
        return f"<bound method {self.func.__qualname__} of {self.__self__!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, self.func.__name__)
