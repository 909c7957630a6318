"""The list of chains is whole, and importing it is light."""

import subprocess
import sys

import chains
from chains import CHAINS
from orchestrator.catalog.models import Mode
from orchestrator.config.modes import use_cases_of


def test_every_use_case_of_the_configuration_that_answers_chats_has_a_chain(orchestrator):
    assert set(CHAINS) == set(use_cases_of(orchestrator.config.settings, Mode.CHAT))
    assert all(name == maker.name and maker.description for name, maker in CHAINS.items())


def test_every_exported_name_exists():
    assert [name for name in chains.__all__ if not hasattr(chains, name)] == []


def test_importing_chains_loads_nothing_heavy():
    code = "import sys, chains; print([one for one in ('litellm', 'pandas', 'openai', 'numpy') if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
