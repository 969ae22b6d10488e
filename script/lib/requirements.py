"""Prints the packages that pyproject.toml names: build, run time and the given optional groups."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD_TOOLS = ["cmake>=3.25", "ninja>=1.11"]


def requirements(groups: list[str]) -> list[str]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = table["project"]
    lists = [
        BUILD_TOOLS,
        table["build-system"]["requires"],
        project["dependencies"],
        *(project["optional-dependencies"][group] for group in groups),
    ]
    return sorted({line for lines in lists for line in lines})


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
