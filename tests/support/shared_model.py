"""Caches of several processes on one Redis that fails: what each may answer, and must in the end.

Two caches share a namespace, one of them through a proxy; a third has one of its own. Values name
their key and are never written twice, so that each that comes back is known.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from asking_machine import AskingMachine
from cache_reference import PATTERNS
from chaos_proxy import ChaosProxy
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from polling import wait_until
from redis_figures import breaker, coherence, figure, unanswered
from redis_server import RedisServer
from timeline import NOBODY, Change, Timeline

from vcache import MISSING, Cache

NAMES = ["a", "g:b", "v"]  # of which "v" has vectors
KEYS = st.sampled_from(NAMES)
CACHES = st.sampled_from([0, 0, 1, 2])
DEADLINE = 10.0
REFUSING = {"full": ("maxmemory", "1", "0"), "few replicas": ("min-replicas-to-write", "1", "0")}


class Failing(Exception):
    """What a factory raises that is told to."""


class SharedModel(AskingMachine):
    """Subclasses have the server and the proxy, which outlast an example."""

    server: RedisServer
    proxy: ChaosProxy
    count = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).count += 1
        self.run_number = self.count
        self.tagged = set[str]()
        self.last = 0, "a"
        self.caches = [self.opened(number) for number in range(3)]
        self.timelines: dict[tuple[int, str], Timeline] = {
            (space, name): Timeline() for space in range(2) for name in NAMES
        }
        self.values = 0
        self.losses = 0
        self.fault = ""
        self.is_bad = False
        self.refuses = False
        self.settle()

    def opened(self, number: int) -> Cache:
        return Cache(
            redis=self.proxy.url if number == 1 else self.server.url,
            namespace=self.namespace(number),
            memory="1MiB",
            timeout=0.1,
            jitter=0.0,
        )

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.heal()
            for cache in self.caches:
                cache.close()
            super().teardown()

    # Faults, of which there is one at a time.

    def begin(self, fault: str) -> None:
        self.fault, self.is_bad = fault, True

    @precondition(lambda self: not self.fault)
    @rule()
    def stop(self) -> None:
        """It keeps nothing on disk."""
        self.server.stop()
        self.losses += 1
        self.begin("stopped")

    @precondition(lambda self: not self.fault)
    @rule()
    def pause(self) -> None:
        self.server.pause()
        self.begin("paused")

    @precondition(lambda self: not self.fault)
    @rule(kind=st.sampled_from([*REFUSING]))
    def refuse_writes(self, kind: str) -> None:
        name, value, _ = REFUSING[kind]
        self.server.call("CONFIG", "SET", name, value)
        self.refuses = True
        self.begin(kind)

    @precondition(lambda self: not self.fault)
    @rule(
        modes=st.sampled_from(
            [{"black_hole": True}, {"refuse": True}, {"latency": 0.03}, {"reset_after": 300}]
        )
    )
    def spoil_one_connection(self, modes: dict[str, Any]) -> None:
        self.proxy.set(**modes)
        self.begin("spoiled")

    @precondition(lambda self: self.fault)
    @rule()
    def heal(self) -> None:
        fault, self.fault = self.fault, ""
        if fault == "stopped":
            self.server.start()
        elif fault == "paused":
            self.server.resume()
        elif fault in REFUSING:
            name, _, value = REFUSING[fault]
            self.server.call("CONFIG", "SET", name, value)
        elif fault:
            self.proxy.heal()

    # Changes.

    @rule(number=CACHES, name=KEYS, tagged=st.booleans(), awaited=st.booleans())
    def set(self, number: int, name: str, tagged: bool, awaited: bool) -> None:
        value = self.next_value(name)
        with self.asking(number) as cache:
            self.ask(cache, awaited, "set", name, packed(value), tags=["t"] * tagged)
        self.changed(number, {name: value}, may_vanish=tagged)
        self.last = number, name
        if tagged:
            self.tagged.add(value)

    @rule(awaited=st.booleans(), reads=st.booleans())
    def set_the_last_again(self, awaited: bool, reads: bool) -> None:
        """As a counter is stepped: also between a fault and its end, or just after that."""
        number, name = self.last
        if reads:
            self.get(number, name, awaited, looks_up=False)
        self.set(number, name, tagged=False, awaited=awaited)

    @rule(number=CACHES, names=st.sets(st.sampled_from(["a", "g:b"])), awaited=st.booleans())
    def mset(self, number: int, names: set[str], awaited: bool) -> None:
        values = {name: self.next_value(name) for name in sorted(names)}
        with self.asking(number) as cache:
            self.ask(cache, awaited, "mset", {k: packed(v) for k, v in values.items()})
        self.changed(number, values)

    @rule(number=CACHES, awaited=st.booleans())
    def set_vectors(self, number: int, awaited: bool) -> None:
        value = self.next_value("v")
        with self.asking(number) as cache:
            self.ask(cache, awaited, "set_vectors", ["v"], packed(value)[np.newaxis])
        self.changed(number, {"v": value})

    @rule(number=CACHES, name=KEYS, awaited=st.booleans())
    def delete(self, number: int, name: str, awaited: bool) -> None:
        with self.asking(number) as cache:
            self.ask(cache, awaited, "delete", name)
        self.changed(number, {name: MISSING})

    @rule(number=CACHES, names=st.sets(KEYS, max_size=3), awaited=st.booleans())
    def mdelete(self, number: int, names: set[str], awaited: bool) -> None:
        with self.asking(number) as cache:
            self.ask(cache, awaited, "mdelete", sorted(names))
        self.changed(number, dict.fromkeys(names, MISSING))

    @rule(number=CACHES, awaited=st.booleans())
    def clear(self, number: int, awaited: bool) -> None:
        with self.asking(number) as cache:
            self.ask(cache, awaited, "clear")
        self.changed(number, dict.fromkeys(NAMES, MISSING))

    @rule(number=CACHES, pattern=st.sampled_from([*PATTERNS]), awaited=st.booleans())
    def invalidate(self, number: int, pattern: str, awaited: bool) -> None:
        with self.asking(number) as cache:
            self.ask(cache, awaited, "invalidate", pattern)
        taken = [name for name in NAMES if re.fullmatch(PATTERNS[pattern], name.encode())]
        self.changed(number, dict.fromkeys(taken, MISSING))

    @rule(number=CACHES, awaited=st.booleans())
    def invalidate_tags(self, number: int, awaited: bool) -> None:
        """In good times, where it is known which values have the tag."""
        if self.is_bad:
            return
        ended = [name for name in NAMES if self.timeline(number, name).newest in self.tagged]
        with self.asking(number) as cache:
            self.ask(cache, awaited, "invalidate_tags", "t")
        self.changed(number, dict.fromkeys(ended, MISSING))

    @precondition(lambda self: self.fault not in ("stopped", "paused", "few replicas"))
    @rule(number=CACHES, name=KEYS)
    def evict(self, number: int, name: str) -> None:
        """The server removes a key of its own accord, as where its memory is full."""
        self.server.call("UNLINK", f"{self.namespace(number)}:{name}")
        self.changed(NOBODY, {name: MISSING}, space=number // 2)

    # Reads.

    @rule(number=CACHES, name=KEYS, awaited=st.booleans(), looks_up=st.booleans())
    def get(self, number: int, name: str, awaited: bool, looks_up: bool) -> None:
        with self.asking(number) as cache:
            if looks_up:
                got = self.ask(cache, awaited, "lookup", name).value
            else:
                got = self.ask(cache, awaited, "get", name, MISSING)
        self.judge(number, {name: unpacked(got)})

    @rule(number=CACHES, names=st.lists(KEYS, max_size=4), awaited=st.booleans())
    def mget(self, number: int, names: list[str], awaited: bool) -> None:
        with self.asking(number) as cache:
            got = self.ask(cache, awaited, "mget", names, MISSING)
        for name, value in zip(names, got, strict=True):
            self.judge(number, {name: unpacked(value)})

    @rule(number=CACHES, awaited=st.booleans())
    def get_vectors(self, number: int, awaited: bool) -> None:
        with self.asking(number) as cache:
            (row,), (found,) = self.ask(cache, awaited, "get_vectors", ["v"], dim=4)
        assert found or not row.any()
        self.judge(number, {"v": unpacked(row) if found else MISSING})

    @rule(number=CACHES, name=KEYS, fails=st.booleans(), awaited=st.booleans())
    def get_or_set(self, number: int, name: str, fails: bool, awaited: bool) -> None:
        value, calls = self.next_value(name), list[str]()

        def factory() -> Any:
            calls.append(name)
            if fails:
                raise Failing
            return packed(value)

        got = MISSING
        with self.asking(number) as cache:
            try:
                got = unpacked(self.ask(cache, awaited, "get_or_set", name, factory))
            except Failing:
                assert calls == [name]
        if not calls:
            self.judge(number, {name: got})
            return
        assert got == (MISSING if fails else value)
        if not self.is_bad:  # then Redis may give no answer, for which memory does not stand in
            self.judge(number, {name: MISSING})
        if not fails:
            self.changed(number, {name: value})

    # The end of bad times.

    @rule()
    def settle(self) -> None:
        """Once nothing fails any more all agree, on what was stored last wherever that is known."""
        self.heal()
        for cache in self.caches:
            wait_until(lambda cache=cache: is_well(cache), DEADLINE, "a cache that is well")
        for (space, name), timeline in self.timelines.items():
            ends = timeline.ends(self.losses, is_bad=self.is_bad)
            timeline.settle(self.agreed(space, name, ends), self.losses)
        self.is_bad = self.refuses = False

    def agreed(self, space: int, name: str, allowed: set[Hashable]) -> Hashable:
        """What all readers get in the end, which is one of these."""
        readers = [cache for number, cache in enumerate(self.caches) if number // 2 == space]
        got: list[set[Hashable]] = []

        def is_agreed() -> bool:
            got.append({unpacked(cache.get(name, MISSING)) for cache in readers})
            return len(got[-1]) == 1 and got[-1] <= allowed

        try:
            wait_until(is_agreed, DEADLINE)
        except AssertionError:
            raise AssertionError(f"{name} is {got[-1]}: allowed is one of {allowed}") from None
        return got[-1].pop()

    # What the rules share.

    def namespace(self, number: int) -> str:
        return f"run-{self.run_number}-{number // 2}"

    def timeline(self, number: int, name: str) -> Timeline:
        return self.timelines[number // 2, name]

    def next_value(self, name: str) -> str:
        self.values += 1
        return f"{name} {self.values}"

    @contextmanager
    def asking(self, number: int) -> Iterator[Cache]:
        """The cache of this number. That Redis did not answer it begins bad times."""
        cache = self.caches[number]
        before = unanswered(cache)
        yield cache
        self.is_bad = self.is_bad or unanswered(cache) > before

    def changed(
        self,
        writer: int,
        values: Mapping[str, Hashable],
        *,
        space: int | None = None,
        may_vanish: bool = False,
    ) -> None:
        for name, value in values.items():
            timeline = self.timelines[writer // 2 if space is None else space, name]
            timeline.add(
                Change(
                    writer,
                    value,
                    self.losses,
                    in_fault=self.is_bad,
                    may_vanish=self.is_bad and (may_vanish or self.refuses),
                )
            )

    def judge(self, number: int, values: Mapping[str, Hashable]) -> None:
        for name, value in values.items():
            timeline = self.timeline(number, name)
            allowed = timeline.may_see(number, self.losses, is_bad=self.is_bad)
            assert value in allowed, f"cache {number} got {value}: allowed are {allowed}"
            if not self.is_bad:
                timeline.see(number, value)


def is_well(cache: Cache) -> bool:
    cache.get("any")
    is_idle = figure(cache, "waiting") == 0
    return is_idle and breaker(cache) == "closed" and coherence(cache) == "tracking"


def packed(value: str) -> Any:
    name, number = value.split(" ")
    return np.full(4, int(number), "f4") if name == "v" else value


def unpacked(value: Any) -> Hashable:
    """The value by its name. Raises where it is no value of a model."""
    if not isinstance(value, np.ndarray):
        assert value is MISSING or isinstance(value, str)
        return value
    assert value.shape == (4,)
    (number,) = set(value.tolist())
    return f"v {int(number)}"
