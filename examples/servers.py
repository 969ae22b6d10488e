"""The servers of the examples: those that the environment names, else some that end with them."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from vcache.demo.server import find_binary, redis_server


@contextmanager
def redis() -> Iterator[str]:
    """The URL of a Redis: REDIS_URL, or a redis-server of our own on a Unix socket."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    binary = find_binary()
    if binary is None:
        sys.exit("no redis-server here: name a Redis by REDIS_URL, or apt install redis-server")
    with redis_server(binary) as url:
        yield url


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL with pgvector: POSTGRES_URL, or the one in the package pgserver."""
    if url := os.environ.get("POSTGRES_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="vcache-example-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # where it has its locks
        try:
            import pgserver
        except ImportError:
            sys.exit("no PostgreSQL here: name one by POSTGRES_URL, or pip install pgserver")
        server = pgserver.get_server(f"{folder}/data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
