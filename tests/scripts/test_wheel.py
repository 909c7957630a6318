"""The wheel is the whole program: unpacked by itself, it runs beside a project's own `chains/`."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.support.source import ROOT

RUN = """
import chains, sys
from pathlib import Path
import orchestrator, nextflow_orchestrator_pytest
from orchestrator.chains import shipped
from orchestrator.cli import main
from orchestrator.config.loader import default_path

wheel = Path(sys.argv[1])
assert Path(orchestrator.__file__).is_relative_to(wheel), orchestrator.__file__
assert Path(nextflow_orchestrator_pytest.__file__).is_relative_to(wheel)
assert default_path() == wheel / "orchestrator" / "config.yaml", default_path()
assert chains.OURS and not Path(chains.__file__).is_relative_to(wheel)
assert callable(shipped().customer_service)
sys.exit(main(["ask", "--practice", "Where is order DH1001?"]))
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_every_file_that_is_no_code_is_in_it(unpacked: Path) -> None:
    """Prompts, styles and marks of types; a cache of Python's is none of them."""
    for package in ("orchestrator", "chains"):
        there = {
            path.relative_to(ROOT)
            for path in (ROOT / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert {path for path in there if not (unpacked / path).is_file()} == set()


def test_it_answers_in_a_project_with_a_chains_folder_of_its_own(unpacked: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "chains").mkdir(parents=True)
    (project / "chains" / "__init__.py").write_text("OURS = True\n")
    ran = subprocess.run(
        [sys.executable, "-P", "-c", RUN, str(unpacked)],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(project), str(unpacked)]),
            "ORCHESTRATOR_HOME": str(tmp_path / "home"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "DH1001" in ran.stdout
