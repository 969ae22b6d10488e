"""One function never answers for another."""

from __future__ import annotations

import enum
import functools
import gc
import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from clocked import ClockedCache

from vcache import Cache, _core
from vcache.errors import ConfigError


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Scaler:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def scale(self, x: int) -> int:
        return x * self.factor

    def __call__(self, x: int) -> int:
        return x * self.factor


def double(x: int) -> int:
    return 2 * x


def triple(x: int) -> int:
    return 3 * x


def closed_over(cache: Cache, held: Any) -> Any:
    """A cached function that says what its closure holds."""

    @cache.cached
    def show(x: int) -> str:
        return f"{held}{x}"

    return show


NAMELESS: list[tuple[Any, str]] = [
    (lambda x: x, "a lambda"),
    (functools.partial(double), "a functools.partial"),
    (functools.update_wrapper(functools.partial(double), double), "a functools.partial"),
    (Scaler(2), "an object of type Scaler"),
    (Scaler(2).scale, "a bound method"),
    ([1, 2].count, "a bound method"),
]


@pytest.mark.parametrize(("function", "kind"), NAMELESS)
def test_what_has_no_name_needs_a_prefix(cache: ClockedCache, function: Any, kind: str) -> None:
    for decorator in (cache.cached, cache.cached(ttl=5), cache.cache_vector_search()):
        with pytest.raises(ConfigError, match=f"function=.*: {kind} has no name.*key_prefix="):
            decorator(function)
    assert cache.cached(key_prefix="named")(function)(2) == function(2)


def test_prefixes_tell_them_apart(cache: ClockedCache) -> None:
    for factor in (2, 3):
        scale = cache.cached(key_prefix=f"scale:{factor}")(Scaler(factor).scale)
        assert scale(5) == scale(5) == 5 * factor


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (2, 3),
        (1, True),
        (None, "None"),
        (b"a", "a"),
        ((1, "a"), (1, "b")),
        (Colour.RED, Colour.BLUE),
        (int, float),
        (math.sin, math.cos),
        (math, functools),
        (double, triple),
        (2, object()),
    ],
)
def test_constants_of_a_closure_are_part_of_the_key(
    cache: ClockedCache, one: Any, other: Any
) -> None:
    first, second = closed_over(cache, one), closed_over(cache, other)
    assert (first(5), second(5)) == (f"{one}5", f"{other}5")
    assert first.cache_key(5) == closed_over(cache, one).cache_key(5)
    with ClockedCache() as elsewhere:
        assert first.cache_key(5) == closed_over(elsewhere, one).cache_key(5)


@pytest.mark.parametrize("make", [object, list, lambda: lambda: 1, lambda: float("nan")])
def test_a_closure_over_other_objects(cache: ClockedCache, make: Callable[[], Any]) -> None:
    held = (make(), [])
    first = closed_over(cache, held)
    assert first(1) == closed_over(cache, held)(1) == f"{held}1"
    with pytest.raises(ConfigError, match="function=.*show: its closure holds other.*key_prefix="):
        closed_over(cache, (make(), []))
    with ClockedCache() as elsewhere:
        assert closed_over(elsewhere, (make(), [])).cache_key(1) == first.cache_key(1)


def test_a_closure_that_is_gone_may_have_held_others(cache: ClockedCache) -> None:
    closed_over(cache, [])
    with pytest.raises(ConfigError, match="its closure holds other objects"):
        closed_over(cache, [])


class Client:
    pass


@pytest.mark.parametrize("make", [Client, list])
def test_a_closure_that_is_gone_held_the_same(cache: ClockedCache, make: Any) -> None:
    client = make()
    first = closed_over(cache, client)(1)
    gc.collect()
    assert closed_over(cache, client)(1) == first


def test_a_closure_keeps_its_client_no_longer_than_it_lives(cache: ClockedCache) -> None:
    client = Client()
    seen = weakref.ref(client)
    closed_over(cache, client)
    del client
    gc.collect()
    assert seen() is None


def test_functions_of_a_closure_count_with_their_own(cache: ClockedCache) -> None:
    def scaler(factor: Any) -> Callable[[int], int]:
        def scale(x: int) -> int:
            return int(x * factor)

        return scale

    def apply(function: Callable[[int], int]) -> Any:
        @cache.cached
        def applied(x: int) -> int:
            return function(x)

        return applied

    assert [apply(scaler(2))(5), apply(scaler(3))(5), apply(cache.cached(double))(5)] == [
        10,
        15,
        10,
    ]
    assert apply(lambda x: x)(5) == 5
    with pytest.raises(ConfigError, match="other objects"):
        apply(lambda x: -x)


def test_counters_and_recursion(cache: ClockedCache) -> None:
    calls = 0

    def make() -> Any:
        @cache.cached
        def fibonacci(n: int) -> int:
            nonlocal calls
            calls += 1
            return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

        return fibonacci

    assert make()(10) == make()(10) == 55
    assert calls == 11


def test_a_variable_that_is_assigned_later(cache: ClockedCache) -> None:
    @cache.cached
    def first(x: int) -> int:
        return later * x

    later = 2
    assert first(5) == 10


def test_what_is_defined_anew_goes_on(cache: ClockedCache) -> None:
    cell = "@cache.cached\ndef f(x):\n    return held[0] + x\n"
    outer = f"def make(held):\n{''.join(f'    {line}' for line in cell.splitlines(True))}"
    answers = []
    for held in ([1], [2]):
        scope: dict[str, Any] = {"cache": cache, "__name__": "notebook", "held": held}
        run = compile(f"{cell}\n{outer}    return f\n", "cell", "exec")
        exec(run, scope)
        answers.append((scope["f"](1), scope["make"](held)(1)))
    assert answers == [(2, 2), (2, 2)]


def retry(attempts: int) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            return [function(*args), attempts]

        return wrapper

    return decorate


def test_functions_under_other_decorators(cache: ClockedCache) -> None:
    functions = [cache.cached(retry(3)(f)) for f in (double, triple)]
    assert [f(5) for f in functions] == [[10, 3], [15, 3]]
    assert functions[0].cache_key(5).startswith(f"{__name__}.double:")
    assert cache.cached(retry(4)(double))(5) == [10, 4]
    quick = cache.cached(functools.lru_cache(closed_over(cache, 7).__wrapped__))
    assert quick(1) == "71"


def test_methods_of_classes_in_functions(cache: ClockedCache) -> None:
    def make(factor: int) -> Any:
        class Local(Scaler):
            def __init__(self) -> None:
                super().__init__(factor)

            @cache.cached
            def scale(self, x: int) -> int:
                return super().scale(x) * factor

        return Local()

    assert [make(2).scale(1), make(3).scale(1)] == [4, 9]


class OverOneCore(ClockedCache):
    """Another process: its own object over the entries that others see too."""

    def __init__(self, core: _core.TieredCache | None) -> None:
        self.core = core
        super().__init__()
        self._has_redis = True

    def _open(self, config: Any) -> _core.TieredCache:
        self.core = self.core or super()._open(config)
        return self.core


def cleared(cache: Cache, answer: str) -> Any:
    @cache.cached(key_prefix="answer")
    def function(text: str) -> str:
        return answer

    return function


def test_clearing_outlasts_the_process() -> None:
    first = OverOneCore(None)
    function = cleared(first, "old")
    assert function("a") == cleared(OverOneCore(first.core), "new")("a") == "old"
    function.cache_clear()
    after = cleared(OverOneCore(first.core), "new")
    assert after("a") == after("a") == "new"
    assert after.cache_info()[:2] == (1, 1)
    assert cleared(first, "newer")("a") == "new"
    after.cache_clear()
    assert cleared(OverOneCore(first.core), "newest")("a") == "newest"
    first.close()


def test_clearing_outlasts_a_new_definition(cache: ClockedCache) -> None:
    function = cleared(cache, "old")
    function("a")
    function.cache_clear()
    assert cleared(cache, "new")("a") == "new"
    assert cache.stats().entries == 2


def test_the_generation_of_an_async_function() -> None:
    import asyncio

    def make(cache: Cache, answer: str) -> Any:
        @cache.cached(key_prefix="answer")
        async def function(text: str) -> str:
            return answer

        return function

    async def main() -> None:
        first = OverOneCore(None)
        function = make(first, "old")
        await function("a")
        await function.acache_clear()
        for use in ("call", "refresh", "invalidate"):
            after = make(OverOneCore(first.core), "new")
            if use == "invalidate":
                assert await after.ainvalidate("a")
            else:
                assert await (after if use == "call" else after.arefresh)("a") == "new"
        first.close()

    asyncio.run(main())
