"""What `python -m vcache demo` can be told."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

QUESTIONS, PASSAGES = 4000, 1500
QUICK_QUESTIONS, QUICK_PASSAGES = 1200, 300
PRICE = 0.02  # USD per million tokens: what a small hosted embedding model costs


@dataclass(frozen=True)
class Options:
    corpus: Path | None
    questions: int
    passages: int
    seed: int
    price: float
    redis: bool
    json: Path | None
    plot: Path


def parse(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m vcache demo",
        description="Real text embedded, cached in two tiers and searched.",
    )
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="search your own text files")
    parser.add_argument("--questions", type=positive, metavar="N", help=f"default {QUESTIONS:,}")
    parser.add_argument("--passages", type=positive, metavar="N", help=f"default {PASSAGES:,}")
    parser.add_argument("--seed", type=int, default=7, help="the same seed asks the same questions")
    parser.add_argument(
        "--quick", action="store_true", help="a smaller corpus and a shorter stream"
    )
    parser.add_argument(
        "--price",
        type=float,
        default=PRICE,
        metavar="USD",
        help=f"per million tokens (default {PRICE})",
    )
    parser.add_argument(
        "--no-redis", action="store_true", help="memory only, even if Redis is installed"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there")
    parser.add_argument(
        "--plot", type=Path, default=Path("vcache-demo.png"), metavar="PATH", help="the picture"
    )
    told = parser.parse_args(argv)
    questions, passages = (QUICK_QUESTIONS, QUICK_PASSAGES) if told.quick else (QUESTIONS, PASSAGES)
    return Options(
        corpus=told.corpus,
        questions=told.questions or questions,
        passages=told.passages or passages,
        seed=told.seed,
        price=told.price,
        redis=not told.no_redis,
        json=told.json,
        plot=told.plot,
    )


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number
