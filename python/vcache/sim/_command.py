"""`python -m vcache simulate`: miss ratios of policies and sizes on traces, as a table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from .._messages import shown
from .._progress import bar
from .._weights import model_of
from ..errors import ModelError
from ._replay import POLICIES, Result, capacity_of, check_policy, run
from ._trace import Trace, read_trace

__all__ = ["add_cache_options", "main", "names_of", "report_oddities"]

FINE, INTERRUPTED = 0, 130
_NO_PLOT = "--plot needs matplotlib: pip install 'vcache[analysis]'"
_DESCRIPTION = """\
Replays traces of requests through the eviction policies of the cache, without any values, and
prints how many requests each would have missed. A trace is an access log (.jsonl), a CSV file of
libCacheSim (time, id, size) or arrays of NumPy (.npz with ids, and sizes and costs).
Exit status: 0 fine, 2 an argument or file is not usable."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command; its exit status."""
    parser = _parser()
    given = parser.parse_args(list(arguments))
    if given.plot is not None and find_spec("matplotlib") is None:
        parser.error(_NO_PLOT)
    try:
        results = _simulate(given)
    except (ModelError, OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("vcache simulate: interrupted\n")
        return INTERRUPTED
    if given.json:
        rows = [{"trace": name, **asdict(result)} for name, result in results]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        sys.stdout.write(_table(results))
    if given.plot is not None:
        from ._plot import write_plot

        write_plot(results, given.plot)
    return FINE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vcache simulate",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--trace", metavar="FILE", action="append", required=True, help="may be given again"
    )
    parser.add_argument(
        "--policy",
        metavar="NAMES",
        default="all",
        help=f"all, or some of {', '.join(POLICIES)}, separated by commas",
    )
    parser.add_argument(
        "--size",
        metavar="SIZES",
        default="1%,10%",
        help="capacities, separated by commas: a number, a share of the trace such as 1%%, or with"
        " --unit bytes a size such as 512MiB (default: 1%%,10%%)",
    )
    add_cache_options(parser)
    parser.add_argument(
        "--no-learning", action="store_true", help="learned has no model but that, and fits none"
    )
    parser.add_argument("--plot", metavar="FILE.png", type=Path, help="miss ratio over size")
    return parser


def add_cache_options(parser: argparse.ArgumentParser) -> None:
    """Those of every command that replays requests, and that it can print JSON."""
    parser.add_argument("--unit", choices=("entries", "bytes"), default="entries")
    parser.add_argument(
        "--model-path", metavar="FILE", help="weights of learned (default: the shipped ones)"
    )
    parser.add_argument(
        "--objective",
        choices=("misses", "cost"),
        default="misses",
        help="what learned is to have least of, and what is compared (default: misses)",
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of all chance (default: 0)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def _simulate(given: argparse.Namespace) -> list[tuple[str, Result]]:
    """Each trace's name with each result, in the order of the arguments."""
    policies = list(POLICIES) if given.policy == "all" else names_of(given.policy, "--policy")
    for policy in policies:
        check_policy(policy)
    model = None if given.model_path is None else model_of(given.model_path, "--model-path")
    sizes = names_of(given.size, "--size")
    results = []
    for path in given.trace:
        trace = read_trace(path)
        report_oddities(path, trace)
        capacities = [capacity_of(size, trace, given.unit, "size") for size in sizes]
        total = trace.requests * len(policies) * len(capacities)
        with bar(trace.name, total) as advance:
            for capacity in capacities:
                for policy in policies:
                    result = run(
                        trace,
                        policy,
                        capacity,
                        given.unit,
                        given.seed,
                        advance,
                        model=model,
                        objective=given.objective,
                        learns=not given.no_learning,
                    )
                    results.append((trace.name, result))
    return results


def names_of(text: str, argument: str) -> list[str]:
    """What is between the commas of an argument."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ValueError(f"{argument}={shown(text)}: allowed are names or sizes between commas")
    return names


def report_oddities(path: str, trace: Trace) -> None:
    """Tells of lines that were skipped or sorted."""
    if trace.skipped:
        sys.stderr.write(f"{path}: {trace.skipped:,} lines skipped; {trace.skipped_why}\n")
    if trace.reordered:
        sys.stderr.write(f"{path}: {trace.reordered:,} requests came late: sorted by time\n")


def _table(results: Sequence[tuple[str, Result]]) -> str:
    """Rows of trace, size and policy; the best of each size but belady is marked."""
    headings = ("trace", "size", "policy", "misses", "bytes missed", "cost saved", "ns/request")
    best: dict[tuple[str, int], float] = {}
    for name, result in results:
        if result.policy != "belady":
            least = best.get((name, result.capacity), 1.0)
            best[name, result.capacity] = min(least, result.miss_ratio)
    rows = [headings]
    for name, result in results:
        is_best = result.policy != "belady" and result.miss_ratio == best[name, result.capacity]
        rows.append(
            (
                name,
                f"{result.capacity:,}",
                result.policy,
                f"{result.miss_ratio:.2%}{' *' if is_best else '  '}",
                f"{result.byte_miss_ratio:.2%}",
                f"{result.cost_saved:,.6g}",
                f"{result.seconds / result.requests * 1e9:.0f}",
            )
        )
    widths = [max(len(row[place]) for row in rows) for place in range(len(headings))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "* fewest misses of those that do not know the future"]) + "\n"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.ljust(width) if place in (0, 2) else cell.rjust(width)
