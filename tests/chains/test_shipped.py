"""A project with a `chains/` of its own works, and what hides the shipped package is named."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.chains import shipped
from orchestrator.chains.shipped import hidden_by, joined_folders

ROOT = Path(__file__).parents[2]


def run(program: str, *, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{cwd}{os.pathsep}{ROOT}"}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


def test_where_nothing_hides_it_the_package_is_the_one_that_is_imported():
    import chains

    assert shipped() is chains
    assert hidden_by() is None


def test_a_projects_own_package_is_its_own_and_the_shipped_chains_run_all_the_same(tmp_path):
    """The command names what is in the way."""
    (tmp_path / "chains").mkdir()
    (tmp_path / "chains" / "__init__.py").write_text("MINE = 1\n")
    program = (
        "import chains\n"
        "from orchestrator.chains import make_chain, shipped\n"
        "print(chains.MINE, len(shipped().CHAINS), shipped() is shipped(), shipped().customer_service.name)\n"
        "from orchestrator.cli import main\n"
        "import sys\n"
        "sys.argv = ['orchestrator', 'chain', '--list']\n"
        "main()\n"
    )
    # However wide the terminal is.
    output = " ".join(run(program, cwd=tmp_path).split())
    assert "1 4 True customer_service" in output
    assert "data_analysis" in output
    assert f"{tmp_path}/chains/__init__.py is what 'import chains' finds here" in output


def test_whatever_hides_the_package_is_named(tmp_path, monkeypatch):
    """A module, and a folder without files of Python that something else imported first."""
    for fake, place in (
        (SimpleNamespace(__file__=str(tmp_path / "chains.py")), tmp_path / "chains.py"),
        (SimpleNamespace(__spec__=SimpleNamespace(submodule_search_locations=[str(tmp_path)])), tmp_path),
    ):
        monkeypatch.setitem(sys.modules, "chains", fake)
        assert hidden_by() == place


def test_a_folder_without_an_init_is_found_beside_the_shipped_package(tmp_path, monkeypatch):
    (tmp_path / "chains").mkdir()
    (tmp_path / "chains" / "mine.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert joined_folders([str(ROOT / "chains")], "chains") == [
        str(ROOT / "chains"),
        str(tmp_path / "chains"),
    ]
    (tmp_path / "chains" / "customer_service.py").write_text("")
    with pytest.warns(UserWarning, match=r"chains/customer_service\.py is hidden by the shipped module"):
        joined_folders([str(ROOT / "chains")], "chains")


def test_a_package_of_that_name_is_no_part_of_the_shipped_one(tmp_path, monkeypatch):
    (tmp_path / "chains").mkdir()
    (tmp_path / "chains" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert joined_folders([str(ROOT / "chains")], "chains") == [str(ROOT / "chains")]
