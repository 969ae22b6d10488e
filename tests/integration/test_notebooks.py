"""The notebooks run, and are committed as their sources are and with what they gave."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("nbclient")
pytest.importorskip("jupytext")
pytest.importorskip("matplotlib")

import nbformat
from nbclient.exceptions import CellExecutionError
from notebook_runs import SOURCES, read, run
from redis_server import is_installed

PLOT = re.compile(r"\b(?:analysis\.plot_\w+|pyplot\.subplots)\(")
MOST_BYTES = 400_000
KINDS = {"execute_result", "display_data", "stream"}  # no errors

by_name = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def committed(source: Path) -> nbformat.NotebookNode:
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def pictures(notebook: nbformat.NotebookNode) -> int:
    return sum(
        "image/png" in output.get("data", {})
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


@by_name
@pytest.mark.timeout(300)
@pytest.mark.skipif(not is_installed(), reason="no redis-server")
def test_it_runs(source: Path) -> None:
    if "ml.train(" in source.read_text(encoding="utf-8"):
        pytest.importorskip("torch")
    before = source.with_suffix(".ipynb").read_bytes()
    notebook = run(source)
    assert pictures(notebook) == pictures(committed(source)) > 0
    assert source.with_suffix(".ipynb").read_bytes() == before


@by_name
def test_what_is_committed_is_its_source_and_was_run(source: Path) -> None:
    """Else script/notebooks was not run after a change."""
    notebook, expected = committed(source), read(source)
    nbformat.validate(notebook)
    assert [(cell.id, cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.id, cell.cell_type, cell.source) for cell in expected.cells
    ]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert {output.output_type for output in outputs} <= KINDS
    assert {output.name for output in outputs if output.output_type == "stream"} <= {"stdout"}
    assert pictures(notebook) == len(PLOT.findall(source.read_text(encoding="utf-8")))
    assert source.with_suffix(".ipynb").stat().st_size < MOST_BYTES


@by_name
def test_each_checks_what_it_says(source: Path) -> None:
    code = [cell.source for cell in read(source).cells if cell.cell_type == "code"]
    assert sum(cell.count("\nassert ") + cell.startswith("assert ") for cell in code) >= 2


def test_there_is_no_notebook_without_a_source() -> None:
    folder = SOURCES[0].parent
    assert sorted(folder.glob("*.ipynb")) == [source.with_suffix(".ipynb") for source in SOURCES]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "cell",
    [
        "assert 1 + 1 == 3",
        "import warnings; warnings.warn('one')",
        "import vcache.analysis as an, numpy as np; an.accesses('broken.jsonl')",
    ],
)
def test_a_check_that_fails_and_a_warning_are_seen(tmp_path: Path, cell: str) -> None:
    source = tmp_path / "00_wrong.py"
    source.write_text(
        "# %%\nfrom pathlib import Path\nfrom tempfile import mkdtemp\nimport os\n"
        "os.chdir(mkdtemp())\n"
        'LINE = \'{"time": 1, "key": 1, "tier": null}\\n\'\n'
        "_ = Path('broken.jsonl').write_text(LINE + 'no line\\n' + LINE)\n"
        f"# %%\n{cell}\n"
    )
    with pytest.raises(CellExecutionError, match="AssertionError|UserWarning"):
        run(source)
