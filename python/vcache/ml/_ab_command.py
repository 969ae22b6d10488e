"""`python -m vcache ab-test`: which of two policies misses fewer requests, and how sure that is."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .._messages import shown
from .._progress import bars
from ..errors import ModelError
from ..sim._command import add_cache_options, report_oddities
from ..sim._trace import Trace, read_trace
from ._ab import ARMS, ab_test
from ._comparison import Comparison

__all__ = ["main"]

FINE, INTERRUPTED = 0, 130
_LOG = "access_patterns.jsonl"
_DESCRIPTION = """\
Compares two eviction policies, by the requests that each would have missed, with a confidence
interval of 95 %: live, over the access log that a service is writing, or over a trace. Keys are
halved by a hash; both policies get both halves, in caches of metadata only, so that the service
notices nothing. Ctrl-C ends a live test early, with the result so far.
Exit status: 0 fine, 2 an argument or file is not usable."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command; its exit status."""
    parser = _parser()
    given = parser.parse_args(list(arguments))
    try:
        found = _compared(given)
    except (ModelError, OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("vcache ab-test: interrupted\n")
        return INTERRUPTED
    sys.stdout.write(json.dumps(found.as_dict(), indent=2) + "\n" if given.json else _text(found))
    return FINE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vcache ab-test",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = f"one of {', '.join(ARMS)}"
    parser.add_argument("--policy", metavar="NAME", default="learned", help=f"{names} (learned)")
    parser.add_argument("--against", metavar="NAME", default="lru", help=f"{names} (lru)")
    parser.add_argument(
        "--access-log",
        metavar="FILE",
        help="a log that a cache is writing, Cache(access_log=FILE) (default: VCACHE_ACCESS_LOG,"
        f" or {_LOG})",
    )
    parser.add_argument(
        "--duration", default="1h", help="how long the log is followed, such as 30m (default: 1h)"
    )
    parser.add_argument("--trace", metavar="FILE", help="a trace as simulate takes it, not a log")
    parser.add_argument(
        "--size",
        "--capacity",
        dest="size",
        default="10%",
        help="capacity: a number, a share such as 1%% of the trace or of what the log holds"
        " already, or with --unit bytes a size such as 512MiB (default: 10%%)",
    )
    add_cache_options(parser)
    return parser


def _compared(given: argparse.Namespace) -> Comparison:
    if given.trace is not None and given.access_log is not None:
        raise ValueError("--trace and --access-log: allowed is one of the two")
    trace = None if given.trace is None else _trace(given.trace)
    with bars() as told:
        return ab_test(
            trace,
            given.policy,
            given.against,
            access_log=_log(given.access_log) if trace is None else None,
            duration=given.duration,
            capacity=given.size,
            unit=given.unit,
            seed=given.seed,
            model=given.model_path,
            objective=given.objective,
            progress=told,
        )


def _trace(path: str) -> Trace:
    trace = read_trace(path)
    report_oddities(path, trace)
    return trace


def _log(path: str | None) -> str:
    found = path or os.environ.get("VCACHE_ACCESS_LOG") or _LOG
    if not Path(found).is_file():
        raise ValueError(
            f"--access-log={shown(found)}: there is no such file; a cache writes it,"
            " Cache(access_log=FILE). Allowed too is a trace, --trace"
        )
    return found


def _text(found: Comparison) -> str:
    unit = "bytes" if found.unit == "bytes" else "entries"
    lines = [
        f"{found.policy} against {found.against} on {found.source}: {found.capacity:,} {unit},"
        f" {found.requests:,} requests counted, {found.warm_up:,} before",
    ]
    if not found.is_complete:
        lines.append("ended early")
    if found.skipped:
        lines.append(f"{found.skipped:,} lines skipped")
    if found.difference is not None:
        what = "cost missed" if found.objective == "cost" else "missed"
        width = max(len(found.policy), len(found.against), len("difference"))
        lines += [
            f"{found.policy:<{width}}  {found.miss_ratio:>8.2%} {what}",
            f"{found.against:<{width}}  {found.against_miss_ratio:>8.2%} {what}",
            f"{'difference':<{width}}  {100 * found.difference:>+8.2f} points,"
            f" 95 %: {100 * (found.low or 0.0):+.2f} to {100 * (found.high or 0.0):+.2f}",
        ]
    if found.relative is not None:
        lines[-1] += f" ({found.relative:+.1%} of {found.against}'s)"
    return "\n".join([*lines, found.verdict]) + "\n"
