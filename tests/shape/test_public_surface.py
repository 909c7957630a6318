"""What the package offers: these names, all of them real, and an import that costs nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import orchestrator

ROOT = Path(__file__).parents[2]
HEAVY = ("litellm", "langchain_core", "langchain_openai", "langchain_google_genai", "pandas", "typer", "rich",
         "aiohttp", "httpx", "yaml", "pydantic", "diskcache", "tiktoken", "openai")  # fmt: skip


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    ).stdout


def test_every_public_name_can_be_imported():
    missing = [name for name in orchestrator.__all__ if getattr(orchestrator, name, None) is None]
    assert missing == []


def test_the_public_names_are_those_of_the_list_and_no_others():
    assert dir(orchestrator) == sorted(orchestrator.__all__)
    assert len(set(orchestrator.__all__)) == len(orchestrator.__all__)
    assert orchestrator.__all__ == sorted(orchestrator.__all__)


def test_each_public_name_is_the_thing_of_its_own_module():
    for name in orchestrator.__all__:
        home = getattr(getattr(orchestrator, name), "__module__", "orchestrator.core.money")
        assert home.startswith("orchestrator."), name
        assert "._" not in home


def test_the_surface_stays_small():
    assert len(orchestrator.__all__) <= 25


def test_what_a_type_checker_sees_is_what_there_is():
    """The names under TYPE_CHECKING and the table of homes are written apart; they must agree."""
    assert set(orchestrator._HOME_OF) == set(orchestrator.__all__)


def test_a_name_that_does_not_exist_is_an_ordinary_attribute_error():
    with pytest.raises(AttributeError, match="module 'orchestrator' has no attribute 'Orchestra'"):
        _ = orchestrator.Orchestra  # type: ignore[attr-defined]


def test_importing_the_package_loads_nothing_heavy():
    loaded = json.loads(run("import json, sys, orchestrator; print(json.dumps(sorted(sys.modules)))"))
    assert [name for name in HEAVY if name in loaded] == []
    assert [name for name in loaded if name.startswith("orchestrator.")] == []


def test_an_orchestrator_and_its_server_do_not_load_what_only_some_need():
    """LiteLLM takes seconds; it comes with the first request, LangChain with the first chat model, pandas with Parquet."""
    program = """
import json, sys, tempfile, os
from orchestrator import Orchestrator
with tempfile.TemporaryDirectory() as os.environ["ORCHESTRATOR_HOME"]:
    with Orchestrator.from_config("config.yaml", watch=False) as one:
        one.explain("When do you open?")
import orchestrator.server.serving
print(json.dumps(sorted(sys.modules)))
"""
    loaded = json.loads(run(program))
    assert "orchestrator.client" in loaded
    assert [name for name in ("litellm", "langchain_core", "pandas", "typer", "rich") if name in loaded] == []
