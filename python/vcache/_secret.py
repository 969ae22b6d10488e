"""Secrets that nothing shows by accident: not repr(), not vars(), no traceback with its locals."""

from __future__ import annotations

from typing import Any

__all__ = ["Secret", "hidden", "revealed"]


class Secret:
    """A value that is or holds a secret. A pickle has it as it is."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def reveal(self) -> Any:
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> tuple[type[Secret], tuple[object]]:
        return Secret, (self._value,)


def hidden(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The same with those of these names that are not None as secrets."""
    return {
        name: Secret(value) if name in names and value is not None else value
        for name, value in values.items()
    }


def revealed(values: dict[str, Any]) -> dict[str, Any]:
    """What was hidden, as it was."""
    return {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in values.items()
    }
