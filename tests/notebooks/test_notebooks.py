"""Every notebook runs from its first cell to its last, offline, and draws what it promises."""

import os
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
PLOTS = {"explore_routing": {"score_parts", "estimate_and_truth", "latency", "cost_by_model"}}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def offline(monkeypatch):
    """No key, no proxy, no configuration of the machine; the notebook's kernel finds our packages."""
    for name in ("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "ORCHESTRATOR_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")


def test_there_is_a_notebook():
    assert [path.stem for path in NOTEBOOKS] == sorted(PLOTS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_draws(path, tmp_path, offline):
    notebook = jupytext.read(path)
    # The kernel's own loop runs while the cells call the orchestrator synchronously.
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    nbformat.write(notebook, tmp_path / f"{path.stem}.ipynb")
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    drawn = {plot.stem: plot.read_bytes() for plot in (tmp_path / "plots").glob("*.png")}
    assert drawn.keys() == PLOTS[path.stem]
    assert all(content.startswith(PNG) and len(content) > 10_000 for content in drawn.values())
    shown = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(shown) == len(drawn)
