"""The recipe of the shipped model."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from vcache.ml import Model, Report, evaluate
from vcache.ml._cases import SIZES
from vcache.ml._examples import Examples, joined
from vcache.ml._train import examples_of, learn
from vcache.sim import Trace, read_trace

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "python" / "vcache" / "ml" / "default_model.bin"
DIGEST_IN = ROOT / "python" / "vcache" / "_weights.py"
DIGEST = re.compile(r'^DEFAULT_SHA256 = "[0-9a-f]{64}"$', re.MULTILINE)

# Few rounds: a model is to fit traces that it has not seen.
EPOCHS = 4
SEED = 0


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def without(parts: Sequence[Examples], place: int) -> Examples:
    """What all traces but one give."""
    return joined([part for other, part in enumerate(parts) if other != place])


def gather(traces: Sequence[Trace], models: Sequence[Model | None]) -> list[Examples]:
    """Examples of each trace, where the model in its place decides."""
    found = []
    for trace, model in zip(traces, models, strict=True):
        found.append(examples_of([trace], SIZES, model, SEED))
        say(f"{trace.name}: {len(found[-1]):,} examples")
    return found


def models_of_others(traces: Sequence[Trace], parts: Sequence[Examples]) -> list[Model]:
    """For each trace a model of what the others give."""
    found = []
    for place, trace in enumerate(traces):
        found.append(learn(without(parts, place), EPOCHS, SEED))
        say(f"{trace.name}: model of the others")
    return found


def last_examples(traces: Sequence[Trace]) -> list[Examples]:
    """Of each trace, where a model decides that was trained on the others.

    Those from which these models were trained are of caches with the classic policies alone: they
    hold other entries than caches that a model manages.
    """
    first = gather(traces, [None] * len(traces))
    return gather(traces, models_of_others(traces, first))


def print_reports(traces: Sequence[Trace], parts: Sequence[Examples]) -> None:
    """One JSON object a line, and at the end how learned fares against the best and LRU."""
    models = models_of_others(traces, parts)
    against_best, against_lru = [], []
    for trace, model in zip(traces, models, strict=True):
        report: Report = evaluate(model, trace, sizes=SIZES, newest=1.0, seed=SEED + 1)
        print(json.dumps({"trace": trace.name, **report.as_dict()}), flush=True)
        for case in report.simulated:
            ratios = case.miss_ratios
            against_best.append(ratios["learned"] / ratios[case.best_classic] - 1)
            against_lru.append(ratios["learned"] / ratios["lru"] - 1)
    for name, values in (("best classic", against_best), ("lru", against_lru)):
        mean = sum(values) / len(values)
        say(f"misses against {name}: mean {mean:+.2%}, worst {max(values):+.2%}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="script/default_model", description=__doc__)
    parser.add_argument("folder", type=Path, help="of traces, .npz")
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help="report too, on each trace by a model of the others",
    )
    given = parser.parse_args(arguments)
    traces = [read_trace(path) for path in sorted(given.folder.glob("*.npz"))]
    if len(traces) < 2:
        parser.error(f"folder={str(given.folder)!r}: needed are at least two traces, .npz")
    parts = last_examples(traces)
    model = learn(joined(parts), EPOCHS, SEED)
    text = DIGEST_IN.read_text(encoding="utf-8")
    line = f'DEFAULT_SHA256 = "{model.sha256}"'
    model.save(MODEL)
    DIGEST_IN.write_text(DIGEST.sub(line, text), encoding="utf-8")
    say(f"{MODEL}: sha256 {model.sha256}")
    if given.evaluate:
        print_reports(traces, parts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
