"""Fault scripts: what is done to a server or to the way to it, and when."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from chaos_proxy import ChaosProxy
from redis_server import RedisServer

_STEP = re.compile(r"\s*t=(?P<time>[0-9.]+)\s+(?P<action>\w+)(?:\s+(?P<value>\S+))?\s*")
_ENDS = frozenset({"start", "resume", "heal"})


@dataclass(frozen=True)
class Step:
    """At `time` seconds `run` is called.

    Where it ends a fault, it is timed how long Redis then takes to hit again; where it empties
    Redis, how long the hit rate takes to be what it was.
    """

    time: float
    name: str
    run: Callable[[], object]
    ends_fault: bool = False
    empties: bool = False


class Faults:
    """The faults of one server and, where there is one, of the proxy before it.

    Actions of a script: kill, start, pause, resume, flush; of the proxy heal and each mode with a
    value, as in "t=1 kill; t=2 start; t=3 latency 0.3; t=4 heal".
    """

    def __init__(self, server: RedisServer, proxy: ChaosProxy | None = None) -> None:
        self.server = server
        self.proxy = proxy
        self._done: Counter[str] = Counter()

    def steps(self, script: str) -> list[Step]:
        steps = []
        for text in filter(str.strip, script.split(";")):
            found = _STEP.fullmatch(text)
            if found is None:
                raise ValueError(f"step {text!r}: wanted is t=SECONDS ACTION [VALUE]")
            action = found["action"]
            run = self._action(action, found["value"])
            time, empties = float(found["time"]), action == "flush"
            steps.append(Step(time, action, run, action in _ENDS, empties))
        return sorted(steps, key=lambda step: step.time)

    def counts(self) -> Counter[str]:
        """What really struck, by kind."""
        struck = Counter(self._done)
        if self.proxy is not None:
            struck += self.proxy.counts()
            del struck["connections"]
        return struck

    def _action(self, action: str, value: str | None) -> Callable[[], object]:
        server, proxy = self.server, self.proxy
        own: dict[str, Callable[[], object]] = {
            "kill": server.kill,
            "start": server.start,
            "pause": server.pause,
            "resume": server.resume,
            "flush": lambda: server.call("FLUSHALL"),
        }
        if action in own:
            return partial(self._run, action, own[action])
        if proxy is None:
            raise ValueError(f"action {action!r} needs a proxy")
        if action == "heal":
            return proxy.heal
        return lambda: proxy.set(**{action: _parsed(value)})

    def _run(self, action: str, run: Callable[[], object]) -> None:
        run()
        if action not in _ENDS:
            self._done[action] += 1


def _parsed(text: str | None) -> Any:
    if text is None:
        return True
    return float(text) if "." in text else int(text)
