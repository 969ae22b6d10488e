from __future__ import annotations

import inspect

import pytest

from vcache import errors


@pytest.mark.parametrize(
    ("error", "bases"),
    [
        (errors.ConfigError, (errors.VcacheError, ValueError)),
        (errors.UnkeyableError, (errors.VcacheError, TypeError)),
        (errors.SerializationError, (errors.VcacheError, TypeError)),
        (errors.RedisError, (errors.VcacheError,)),
        (errors.RedisTimeout, (errors.RedisError,)),
        (errors.FactoryTimeout, (errors.VcacheError,)),
        (errors.ModelError, (errors.VcacheError,)),
        (errors.SnapshotError, (errors.VcacheError,)),
    ],
)
def test_tree(error: type[Exception], bases: tuple[type[Exception], ...]) -> None:
    assert all(issubclass(error, base) for base in bases)


def test_all_names_every_exception_and_the_head_draws_it() -> None:
    defined = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    assert set(errors.__all__) == defined
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in defined)
