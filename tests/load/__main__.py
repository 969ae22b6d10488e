"""`python tests/load`: load on a cache over a Redis of its own, with faults; fails by its gates."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from chaos_proxy import ChaosProxy
from load_faults import Faults
from load_generator import MIX, Generator, Load
from load_report import Report
from load_source import Source
from redis_server import RedisServer

from vcache import Cache


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    load = Load(
        threads=options.threads,
        keys=options.keys,
        zipf=options.zipf,
        mix=parse_mix(options.mix),
        batch=options.batch,
        dim=options.dim,
        rate=options.rate,
        seconds=options.seconds,
        seed=options.seed,
    )
    report = run(load, options)
    for line in report.rows if options.rows else ():
        print(json.dumps(line))
    print(json.dumps(report.summary()))
    failures = report.failures(expects_faults=bool(options.script), recovery=options.recovery)
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    return 1 if failures else 0


def run(load: Load, options: argparse.Namespace) -> Report:
    with (
        tempfile.TemporaryDirectory(prefix="vcache-load-") as folder,
        RedisServer(Path(folder)) as server,
        ChaosProxy(server.port) as proxy,
        Cache(redis=proxy.url, memory=options.memory, timeout=options.timeout) as cache,
    ):
        faults = Faults(server, proxy)
        steps, source = faults.steps(options.script), Source(options.source)
        return Generator(cache, load, steps, faults.counts, source=source).run()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/load", description=__doc__)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--keys", type=int, default=2000)
    parser.add_argument("--zipf", type=float, default=0.9)
    parser.add_argument("--mix", default=",".join(f"{k}={v}" for k, v in MIX.items()))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.0, help="calls a second; 0: all it can")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory", default="1MiB")
    parser.add_argument("--timeout", type=float, default=0.25)
    parser.add_argument("--source", type=float, default=0.0, help="calls a second that it answers")
    parser.add_argument("--script", default="", help='as in "t=2 kill; t=3 start"')
    parser.add_argument("--recovery", type=float, default=1.0, help="most seconds to recover")
    parser.add_argument("--rows", action="store_true", help="one JSON object a second")
    return parser.parse_args(argv)


def parse_mix(text: str) -> dict[str, float]:
    pairs = (part.split("=") for part in text.split(","))
    return {name: float(share) for name, share in pairs}


if __name__ == "__main__":
    raise SystemExit(main())
