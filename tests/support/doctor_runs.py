"""Runs of `python -m vcache doctor`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# Options of a server that the doctor finds nothing wrong with.
GOOD = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")


def doctor(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Exit status and all that was printed."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith("REDIS_")}
    done = subprocess.run(
        [sys.executable, "-m", "vcache", "doctor", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ours | variables,
        cwd=folder,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def findings(folder: Path, *arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
    """Exit status and the findings about one server, by what was looked at."""
    status, out = doctor(folder, "--json", *arguments, **variables)
    return status, {each["check"]: each for each in json.loads(out)["findings"]}


def findings_by_server(
    folder: Path, *arguments: str, **variables: str
) -> tuple[int, dict[str, dict[str, Any]]]:
    """As findings(), by the address of the server; "": about all of them."""
    status, out = doctor(folder, "--json", *arguments, **variables)
    found: dict[str, dict[str, Any]] = {}
    for each in json.loads(out)["findings"]:
        server = each["server"]
        about = found.setdefault(server, {})
        assert each["check"] not in about, "told twice"
        about[each["check"]] = each
    return status, found


def problems(found: dict[str, dict[str, Any]]) -> set[tuple[str, str]]:
    """Server and check of each problem."""
    return {
        (server, check)
        for server, about in found.items()
        for check, each in about.items()
        if each["level"] == "problem"
    }
