"""One process of a migration. Reads one JSON list a line, a call and its arguments; answers each.

Its arguments are the URL of Redis and a file to which each text is written that the new model is
asked to embed. "start" answers when so many texts are embedded as it is given.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

from two_models import NEW, OLD, Model, embeddings, rows

from vcache import Cache
from vcache.migration import Migration, Progress


class Worker:
    def __init__(self, url: str, path: str) -> None:
        cache = Cache(redis=url, timeout=5, jitter=0)
        self._path = Path(path)
        self.migration = Migration(
            embeddings(cache, Model(OLD), "old"),
            embeddings(cache, self._embed, "new"),
            read="new_first",
            check_every=None,
        )

    def answer(self, name: str, *given: Any) -> Any:
        if name == "start":
            return self._start(*given)
        if name == "wait":
            job = self.migration._job
            assert job is not None
            return job.wait().as_dict()
        if name == "answer":
            found = self.migration.answer(given)
            return [found.model, found.matrix.tolist()]
        if name == "embed":
            return self.migration.embed(given).tolist()
        if name == "cover":
            return self.migration.coverage(given).share
        report = getattr(self.migration, name)(**(given[0] if given else {}))
        return [report.phase, report.serving]

    def _start(self, texts: list[str], batch: int, rate: float | None, enough: int) -> int:
        reached = threading.Event()

        def told(progress: Progress) -> None:
            if progress.embedded >= enough or progress.state == "done":
                reached.set()

        job = self.migration.start(texts, batch=batch, rate=rate, on_progress=told)
        reached.wait()
        return job.progress.embedded

    def _embed(self, texts: list[str]) -> Any:
        with self._path.open("a") as file:
            file.writelines(f"{text}\n" for text in texts)
        return rows(texts, NEW)


def serve(url: str, path: str) -> None:
    worker = Worker(url, path)
    say("ready")
    for line in sys.stdin:
        say(json.dumps(worker.answer(*json.loads(line))))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(*sys.argv[1:])
