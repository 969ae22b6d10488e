"""`python -m vcache`: the commands of vcache."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from . import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the first argument names with the rest; its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m vcache")
    parser.add_argument("--version", action="version", version=f"vcache {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser(
        "demo", add_help=False, help="embed, cache and search real text, cold and hot (see --help)"
    )
    commands.add_parser(
        "doctor", add_help=False, help="look whether Redis is as a cache needs it (see --help)"
    )
    commands.add_parser(
        "simulate", add_help=False, help="replay traces through the policies (see --help)"
    )
    commands.add_parser(
        "train", add_help=False, help="fit a model of the learned policy to logs (see --help)"
    )
    commands.add_parser("evaluate", add_help=False, help="hold a model against logs (see --help)")
    commands.add_parser(
        "ab-test", add_help=False, help="compare two policies on live accesses (see --help)"
    )
    for name, (_, what) in _CONSOLE.items():
        commands.add_parser(name, add_help=False, help=f"{what} (see --help)")
    command = parser.parse_args(given[:1]).command
    if command in _CONSOLE:
        module, _ = _CONSOLE[command]
        return int(import_module(module, __package__).main(given[1:]))
    return _COMMANDS[command](given[1:])


def _demo(arguments: list[str]) -> int:
    from .demo.run import main as run_demo

    return int(run_demo(arguments) or 0)


def _doctor(arguments: list[str]) -> int:
    from .doctor import main as examine

    return examine(arguments)


def _simulate(arguments: list[str]) -> int:
    from .sim._command import main as simulate

    return simulate(arguments)


def _train(arguments: list[str]) -> int:
    from .ml._command import train_main

    return train_main(arguments)


def _evaluate(arguments: list[str]) -> int:
    from .ml._command import evaluate_main

    return evaluate_main(arguments)


def _ab_test(arguments: list[str]) -> int:
    from .ml._ab_command import main as ab_test

    return ab_test(arguments)


# Commands about live caches: their modules, and what they are for.
_CONSOLE = {
    "stats": (".console.stats", "the figures of live caches and of their Redis"),
    "top": (".console.top", "the same as a view of the terminal that follows them"),
    "explain": (".console.explain", "where a key is, and why it was a miss"),
    "warm": (".console.warm", "fill a cache with the keys or texts of a file"),
    "bench": (".console.bench", "measure the cache on this machine"),
}

_COMMANDS = {
    "demo": _demo,
    "doctor": _doctor,
    "simulate": _simulate,
    "train": _train,
    "evaluate": _evaluate,
    "ab-test": _ab_test,
}


if __name__ == "__main__":
    sys.exit(main())
