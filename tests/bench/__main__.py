"""`script/bench`: prints each figure to reach as a ratio measured in this run, and stores JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from figures import refilled
from harness import GIVEN, CannotRun, Outcome, WrongAnswer
from rich.console import Console
from rich.table import Table

ROWS = {
    "L1 get": "memory.get_hit",
    "L1 set": "memory.set_vector",
    "L1 get_vectors": "memory.batch",
    "cached decorator": "memory.decorator",
    "awaited get": "awaited.hit",
    "vector search hit": "similar.exact_hit",
    "semantic look-up": "similar.look_up",
    "ASGI middleware": "http.hit",
    "embed from memory": "embedding.memory",
    "embed from Redis": "embedding.from_redis",
    "embed, LlamaIndex": "embedding.against_llamaindex",
    "two threads": "memory.two_threads",
    "memory per vector": "footprint.memory",
    "snapshot": "snapshot.file",
    "Redis get_vectors": "redis.get_vectors",
    "Redis set_vectors": "redis.set_vectors",
    "Redis get": "redis.one_get",
    "Redis bytes": "redis.stored_size",
    "Redis rows": "concurrent.rows",
    "Redis coroutines": "concurrent.coroutines",
    "Redis threads": "concurrent.threads",
    "stampede": "stampede.one_key",
    "Redis cluster": "concurrent.cluster",
    "float16 at rest": "precision.float16",
    "int8 at rest": "precision.int8",
    "Redis frozen": "outage.frozen",
    "Redis back": "outage.back",
    "Redis invalidation": "invalidation.seen",
    "profile realistic": "profiles.realistic",
    "profile zipf": "profiles.zipf",
    "simulator LRU": "simulator.lru",
    "learned hit": "learned_live.hit",
    "learned eviction": "learned_live.eviction",
    "learned training": "learned_live.training",
    "learned bytes": "learned_live.equal_bytes",
    "learned misses": "learned.misses",
    "learned experts": "learned.experts",
    "learned classics": "learned.classics",
    "learned learners": "learned.learners",
    "learned model": "learned.model",
    "learned costs": "learned.costs",
    "learned predict": "learned.predict",
    "learned speed": "learned.speed",
    "import vcache": "footprint.import_time",
    "notebooks": "notebooks.second_run",
    "demo": "demo.quick",
}
PEERS = ("numpy", "cachebox", "redis", "hiredis", "redisvl", "fastapi", "torch", "vcache")
PEERS += ("langchain-core", "llama-index-core", "cashews", "moka-py", "usearch")
ROOT = Path(__file__).parents[2]
RESULTS, README = ROOT / "build" / "bench", ROOT / "README.md"
DEFAULT_ROUNDS = 9


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    console = Console()
    if options.traces is not None:
        GIVEN["traces"] = options.traces
    rows = ROWS | ({"demo": "demo.full"} if options.full else {})
    wanted = [part.lower() for part in options.only or [""]]
    chosen = {
        name: where for name, where in rows.items() if any(part in name.lower() for part in wanted)
    }
    if options.list or not chosen:
        console.print("\n".join(rows))
        return 0 if options.list else 2
    machine = describe_machine()
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()), style="dim")
    table = new_table()
    results = []
    for name, where in chosen.items():
        with console.status(name):
            result = measure(where, options.rounds)
        results.append({"row": name, **result})
        add_to(table, name, result)
        console.print(f"  {name}: {summary(result)}", highlight=False)
    console.print(table)
    path = options.json or RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"machine": machine, "rounds": options.rounds, "rows": results}, indent=2)
    )
    console.print(f"Stored in {path}")
    if options.readme:
        README.write_text(refilled(README.read_text(), ROWS, results))
        console.print(f"Filled in {README}")
    return 1 if any("wrong" in result for result in results) else 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="rows whose name holds this, or another one"
    )
    parser.add_argument(
        "--rounds", type=int, default=DEFAULT_ROUNDS, help="the best of so many counts"
    )
    parser.add_argument("--full", action="store_true", help="the demo at full length")
    parser.add_argument(
        "--traces", type=Path, metavar="FOLDER", help="of .npz files, which rows of learned need"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="default: build/bench/TIME.json")
    parser.add_argument(
        "--readme", action="store_true", help="fill the figures in README.md with those of this run"
    )
    parser.add_argument("--list", action="store_true", help="name the rows")
    return parser.parse_args(argv)


def measure(where: str, rounds: int) -> dict[str, Any]:
    """One row as a JSON object; `cannot_run` or `wrong` says why there is no figure."""
    module, function = where.split(".")
    try:
        outcome: Outcome = getattr(import_module(f"rows.{module}"), function)(rounds)
    except (CannotRun, ImportError) as reason:
        return {"checks": [], "measured": {}, "cannot_run": str(reason)}
    except WrongAnswer as reason:
        return {"checks": [], "measured": {}, "wrong": str(reason)}
    checks = [asdict(check) | {"reached": check.reached} for check in outcome.checks]
    return {"checks": checks, "measured": outcome.measured}


def new_table() -> Table:
    table = Table(title="Figures to reach", title_justify="left")
    for heading in ("row", "against", "measured", "target", "reached"):
        table.add_column(heading, justify="right" if heading in ("measured", "target") else "left")
    return table


def add_to(table: Table, name: str, result: dict[str, Any]) -> None:
    if reason := result.get("wrong") or result.get("cannot_run"):
        table.add_row(name, reason, "-", "-", "[red]no[/]")
    for number, check in enumerate(result["checks"]):
        bound = "≥" if check["at_least"] else "≤"
        table.add_row(
            "" if number else name,
            check["what"],
            f"{check['value']:.4g}{check['unit']}",
            f"{bound} {check['target']:g}{check['unit']}",
            "[green]yes[/]" if check["reached"] else "[red]no[/]",
        )


def summary(result: dict[str, Any]) -> str:
    if reason := result.get("wrong") or result.get("cannot_run"):
        return reason
    return " · ".join(
        f"{name} {readable(name, value)}" for name, value in result["measured"].items()
    )


def readable(name: str, value: float) -> str:
    if "(" in name or name == "bytes":
        return f"{value:.4g}"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e9:.0f} ns"


def describe_machine() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    found = {"CPU": cpu or platform.processor(), "cores": str(os.cpu_count())}
    found["Python"] = platform.python_version()
    for package in PEERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


if __name__ == "__main__":
    sys.exit(main())
