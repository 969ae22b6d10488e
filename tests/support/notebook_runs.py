"""The notebooks: read from their sources, run from top to bottom, and written with what they gave.

As a program, script/notebooks: runs those whose names hold an argument, or all, and writes them.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))

SECONDS = 300  # that a cell may take
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# As pytest has it for our own code; hosts of notebooks warn of what is theirs.
_OURS = r"(vcache|traffic|roadmap|__main__)\b"
_STRICT = f"import warnings; warnings.filterwarnings('error', module=r'{_OURS}')"


def read(source: Path) -> NotebookNode:
    """The notebook that a source in jupytext's percent format is, without outputs."""
    notebook = jupytext.read(source)
    notebook.metadata = nbformat.from_dict(_METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number:02}", nbformat.from_dict({})
    return notebook


def run(source: Path) -> NotebookNode:
    """The same after all of its cells ran in a process of its own, in the folder of the notebooks.

    Raises nbclient.exceptions.CellExecutionError, which quotes the cell and the traceback.
    """
    notebook = read(source)
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        record_timing=False,
        resources={"metadata": {"path": str(FOLDER)}},
        extra_arguments=[
            "--HistoryManager.enabled=False",
            "--log-level=ERROR",
            f"--IPKernelApp.exec_lines={_STRICT}",
        ],
    )
    with TemporaryDirectory(prefix="vcache-notebook-") as folder:
        own = dict.fromkeys(("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"), folder)
        client.execute(env=os.environ | own | {"PYTHONDONTWRITEBYTECODE": "1"})
    return notebook


def main(wanted: list[str]) -> int:
    for source in SOURCES:
        if not wanted or any(part in source.name for part in wanted):
            start = time.perf_counter()
            notebook = run(source)
            nbformat.write(notebook, source.with_suffix(".ipynb"))
            size = source.with_suffix(".ipynb").stat().st_size
            took = time.perf_counter() - start
            sys.stdout.write(f"{source.stem}: {took:.1f} s, {size / 1000:.0f} kB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
