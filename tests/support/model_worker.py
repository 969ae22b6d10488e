"""One worker that shares models with others. Reads one JSON object a line, and answers each.

{"race": n, "seed": s}: n times publishes a model, or fetches that of another; the versions that it
published and those that it fetched, in their order. {"fetch": true}: the model's digest, or null.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from small_models import small_model

from vcache import Cache
from vcache.ml import SharedModels


def serve(url: str) -> None:
    models = SharedModels(Cache(redis=url, timeout=5))
    say("ready")
    for line in sys.stdin:
        task = json.loads(line)
        if "race" in task:
            say(json.dumps(raced(models, task["race"], task["seed"])))
        else:
            found = models.fetch()
            say(json.dumps(found and found.model.sha256))


def raced(models: SharedModels, times: int, seed: int) -> dict[str, Any]:
    published, seen = [], []
    while len(published) < times:
        manifest = models.publish(small_model(seed + len(published)), loss=0.5)
        if manifest is not None:
            published.append(manifest.version)
        elif (found := models.fetch()) is not None:
            seen.append(found.manifest.version)
    return {"published": published, "seen": seen}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
