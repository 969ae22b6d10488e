"""`python -m vcache train` and `python -m vcache evaluate`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from .._messages import shown
from .._progress import bars
from .._weights import model_of
from ..errors import ModelError
from ..sim._command import names_of, report_oddities
from ..sim._trace import Trace, read_trace
from ._cases import SIZES
from ._fit import need_torch
from ._report import NEWEST, Report, evaluate
from ._train import train

__all__ = ["evaluate_main", "train_main"]

FINE, INTERRUPTED = 0, 130
_STATUS = "Exit status: 0 fine, 2 an argument or file is not usable."
_TRAIN = f"""\
Fits a model of the learned policy to access logs, and writes its weights. The newest tenth of each
log is not learned from: the report is of these requests. Needs torch: pip install 'vcache[torch]'.
{_STATUS}"""
_EVALUATE = f"""\
Holds a model of the learned policy against access logs: how right it was about what is read again,
and how many requests a cache that follows it would have missed, next to all other policies.
{_STATUS}"""


def train_main(arguments: Sequence[str]) -> int:
    """Runs `train`; its exit status."""
    parser = _parser("train", _TRAIN)
    parser.add_argument(
        "--epochs", type=int, default=50, help="rounds over the examples (default: 50)"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        default=Path("model.bin"),
        help="where the weights go, once all went well (default: model.bin)",
    )
    parser.add_argument(
        "--start", metavar="FILE", help="begin with these weights (default: random ones)"
    )
    given = parser.parse_args(list(arguments))

    def work() -> str:
        need_torch()
        _check_output(given.output, given.data_path)
        start = None if given.start is None else model_of(given.start, "--start")
        sizes, traces = names_of(given.size, "--size"), _traces(given.data_path)
        with bars() as told:
            trained = train(
                traces,
                sizes=sizes,
                epochs=given.epochs,
                seed=given.seed,
                start=start,
                progress=told,
            )
        trained.model.save(given.output)
        if given.json:
            return _json({"output": str(given.output), **trained.as_dict()})
        return (
            f"{given.output}: sha256 {trained.model.sha256}\n"
            f"learned from {trained.examples:,} examples in {trained.seconds:.0f} s\n\n"
            f"{_text(trained.report)}"
        )

    return _status_of(parser, work)


def evaluate_main(arguments: Sequence[str]) -> int:
    """Runs `evaluate`; its exit status."""
    parser = _parser("evaluate", _EVALUATE)
    parser.add_argument(
        "--model-path", metavar="FILE", help="a weights file (default: the shipped one)"
    )
    parser.add_argument(
        "--newest",
        metavar="SHARE",
        type=float,
        default=NEWEST,
        help="the share of each log, from its end, that counts; the rest only fills the caches"
        f" (default: {NEWEST}, which train does not learn from)",
    )
    parser.add_argument(
        "--plot",
        metavar="FILE.png",
        type=Path,
        help="what was predicted of the next hour against what came true; for logs with times",
    )
    given = parser.parse_args(list(arguments))
    if given.plot is not None and find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install 'vcache[analysis]'")

    def work() -> str:
        model = model_of(given.model_path, "--model-path")
        sizes, traces = names_of(given.size, "--size"), _traces(given.data_path)
        with bars() as told:
            report = evaluate(
                model, traces, sizes=sizes, newest=given.newest, seed=given.seed, progress=told
            )
        if given.plot is not None:
            from ._plot import write_reliability

            write_reliability(report.predicted, given.plot)
        return _json(report.as_dict()) if given.json else _text(report)

    return _status_of(parser, work)


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m vcache {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data-path",
        metavar="FILE",
        action="append",
        required=True,
        help="an access log (.jsonl), or a trace as simulate takes it; may be given again",
    )
    parser.add_argument(
        "--size",
        metavar="SIZES",
        default=",".join(map(str, SIZES)),
        help="capacities, separated by commas: numbers of entries, or shares of a log's objects"
        f" (default: {','.join(map(str, SIZES))})".replace("%", "%%"),
    )
    parser.add_argument("--seed", type=int, default=0, help="of all chance (default: 0)")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


def _status_of(parser: argparse.ArgumentParser, work: Callable[[], str]) -> int:
    """Prints what work() says."""
    try:
        text = work()
    except (ModelError, OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.stderr.write(f"{parser.prog.removeprefix('python -m ')}: interrupted\n")
        return INTERRUPTED
    sys.stdout.write(text)
    return FINE


def _traces(paths: Sequence[str]) -> list[Trace]:
    traces = []
    for path in paths:
        traces.append(read_trace(path))
        report_oddities(path, traces[-1])
    return traces


def _check_output(path: Path, logs: Sequence[str]) -> None:
    """Raises ValueError, before hours of work, where the file could not be written after them."""
    name = f"--output={shown(str(path))}"
    if path.exists() and any(Path(log).exists() and path.samefile(log) for log in logs):
        raise ValueError(f"{name} is a log: allowed is the path of another file")
    if path.is_dir():
        raise ValueError(f"{name} is a folder: allowed is the path of a file")
    if not path.parent.is_dir():
        raise ValueError(f"{name}: there is no folder {shown(str(path.parent))}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(f"{name}: the folder {shown(str(path.parent))} may not be written to")


def _json(values: dict[str, object]) -> str:
    return json.dumps(values, indent=2) + "\n"


def _text(report: Report) -> str:
    """Two tables: predictions by horizon, and misses by trace and size."""
    lines = [
        f"On the newest {report.newest:.0%} of each trace ({report.seconds:.0f} s):",
        "",
        "read within   examples    were read  accuracy   Brier  base rate's  calibration error",
    ]
    for each in report.horizons:
        line = f"{each.residences:>6g} stays{each.examples:>11,}"
        if each.examples:
            line += f"{each.base_rate:>13.1%}{each.accuracy:>10.1%}{each.brier:>8.4f}"
            line += f"{each.base_brier:>13.4f}{each.calibration_error:>19.4f}"
        lines.append(line)
    lines += _predicted_text(report)
    rows = [("trace", "size", "learned", "followed", "best classic", "", "lru", "belady")]
    for case in report.simulated:
        ratios, best = case.miss_ratios, case.best_classic
        rows.append(
            (
                case.trace,
                f"{case.capacity:,}",
                f"{ratios['learned']:.2%}",
                case.leader,
                f"{ratios[best]:.2%}",
                best,
                f"{ratios['lru']:.2%}",
                f"{ratios['belady']:.2%}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines += ["", "Requests missed:"]
    for row in rows:
        cells = [
            cell.ljust(width) if place in (0, 3, 5) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def _predicted_text(report: Report) -> list[str]:
    """A line for each cache of a trace that carries times."""
    if not report.predicted:
        return []
    title = "Predicted of a trace's keys:"
    lines = ["", title, "seconds   samples   were read   Brier  base rate's  calibration error"]
    for each in report.predicted:
        line = f"{each.seconds:>7,.0f}{each.samples:>10,}"
        if each.samples:
            line += f"{each.base_rate:>12.1%}{each.brier:>8.4f}{each.base_brier:>13.4f}"
            line += f"{each.calibration_error:>19.4f}"
        lines.append(f"{line}  {each.trace} {each.size}")
    return lines
