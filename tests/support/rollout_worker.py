"""One process of a rollout. Reads one JSON list a line, a method and its arguments; answers each.

Its arguments are the URL of Redis and the stages' shares. "sides" tells of the keys that follow.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from vcache import Cache
from vcache.rollout import Rollout, Stage


def answer(rollout: Rollout, name: str, *given: Any) -> Any:
    if name == "sides":
        return [rollout.side_of(key) for key in given]
    if name in ("check", "advance", "roll_back", "restart"):
        report = getattr(rollout, name)(*given)
        return [report.phase, report.share, report.why]
    return getattr(rollout, name)(*given)


def serve(url: str, *shares: str) -> None:
    control, canary = (Cache(redis=url, timeout=5, namespace=name) for name in ("ns", "vcache"))
    stages = [Stage(float(share), "1h") for share in shares]
    rollout = Rollout(control, canary, stages=stages, check_every=None)
    say("ready")
    for line in sys.stdin:
        say(json.dumps(answer(rollout, *json.loads(line))))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(*sys.argv[1:])
