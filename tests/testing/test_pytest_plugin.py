"""pytest finds the fixtures, loads nothing for those who want none, and the example project's tests pass."""

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from scripts import docs

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ticket_triage"
PLUGIN = "nextflow_orchestrator_pytest"


def run(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = str(ROOT)
    for name in ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "GEMINI_API_KEY"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment | more,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_project_passes_its_tests_without_a_key_and_with_its_own_chains_folder():
    """By the name of the entry point, which is only there once the package is installed anew."""
    # Where the package is installed, pytest finds the plugin by itself.
    is_installed = any(entry.name == "nextflow-orchestrator" for entry in entry_points(group="pytest11"))
    named = () if is_installed else ("-p", PLUGIN)
    ran = run("-m", "pytest", "-q", *named, "-p", "no:cacheprovider", "-p", "no:xdist", cwd=EXAMPLE)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 passed" in ran.stdout


def test_the_plugin_is_declared_and_loads_nothing_before_a_fixture_is_asked_for():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][
        "pytest11"
    ]
    assert set(declared.values()) == {PLUGIN}
    assert import_module(PLUGIN).practice
    heavy = ("litellm", "langchain_core", "pydantic", "orchestrator.client", "yaml", "httpx")
    program = f"import sys, {PLUGIN}; print([name for name in {heavy!r} if name in sys.modules])"
    assert run("-c", program, cwd=ROOT).stdout.strip() == "[]"


def test_a_file_that_hides_the_package_harms_no_test_but_those_that_ask_for_a_fixture(tmp_path):
    """`python -m pytest` puts the project's folder before the installed packages; its file is not run for us."""
    (tmp_path / "orchestrator.py").write_text("raise SystemExit('it was run')", encoding="utf-8")
    tests = "def test_own():\n    pass\n\ndef test_ours(orchestrator):\n    pass\n"
    (tmp_path / "test_own.py").write_text(tests, encoding="utf-8")
    ran = run(
        *("-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider"),
        cwd=tmp_path,
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    assert "1 passed, 1 error" in ran.stdout
    assert f"finds {tmp_path / 'orchestrator.py'} and not the package" in ran.stdout


def test_the_tests_that_the_how_to_shows_pass(tmp_path):
    blocks = docs.blocks(ROOT / "docs/how-to/testing.md", "python")
    code = "\n".join(block.code for block in blocks if "def test_" in block.code)
    (tmp_path / "test_shown.py").write_text(code, encoding="utf-8")
    ran = run("-m", "pytest", "-q", "-p", PLUGIN, cwd=tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{code.count('def test_')} passed" in ran.stdout
