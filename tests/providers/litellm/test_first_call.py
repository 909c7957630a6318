"""What takes long is loaded before the first request, and not while requests are under way."""

import importlib.util
import os
import subprocess
import sys
from itertools import chain
from types import ModuleType

import pytest

from orchestrator.core.errors import ConfigError
from orchestrator.practice import PracticeServer
from orchestrator.providers.litellm import loading

FIRST_CALLS = """
import sys
from datetime import date
from orchestrator import CacheUse, Orchestrator, load_config

with Orchestrator(load_config(sys.argv[1], today=date(2026, 11, 23))) as orchestrator:
    orchestrator.warm_up()
    orchestrator.explain("Xin chào")
    before = set(sys.modules)
    # OpenRouter breaks, and so does Google: a first failure, and a first call through the openai SDK.
    reply = orchestrator.complete("Xin chào", cache=CacheUse.OFF, max_tokens=50, deadline_s=60)
    assert reply.provider == "openai", reply.provider
    print("loaded:", *sorted(set(sys.modules) - before), flush=True)
"""


def test_the_first_failure_and_the_first_fallback_load_next_to_nothing(
    practice: PracticeServer, environment: dict[str, str], make_config, warm
) -> None:
    """LiteLLM would import hundreds of modules there, on the loop that all requests share.

    The process is forked of one that has loaded LiteLLM, which is the first that a warm-up does.
    """
    path = make_config({"local_model": {"enabled": False}}).path
    practice.faults.add("openrouter:status=503", "google:status=503")
    first, *modules = warm(FIRST_CALLS, str(path), environment=environment).told().split()
    assert first == "loaded:"
    assert len(modules) < 40, modules


def test_what_is_loaded_ahead_is_what_litellm_would_load_on_the_loop() -> None:
    """A name that a new version has moved would bring back a loop that stands still for a second."""
    for name in [*loading.LOADED_LATE, *chain.from_iterable(loading.LOADED_FOR.values())]:
        assert importlib.util.find_spec(name) is not None


WARM_UP = """
import sys
from datetime import date
from orchestrator import Orchestrator, load_config

with Orchestrator(load_config(sys.argv[1], today=date(2026, 11, 23))) as orchestrator:
    before = "litellm" in sys.modules
    orchestrator.warm_up()
    print(before, "litellm" in sys.modules)
"""


def test_a_warm_up_loads_litellm_and_nothing_does_before(environment: dict[str, str], make_config) -> None:
    """A process of its own: that of `warm` has it from its start."""
    path = make_config({"local_model": {"enabled": False}}).path
    command = [sys.executable, "-c", WARM_UP, str(path)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        (None, "import of litellm halted"),
        (ModuleType("litellm"), "at .*loading.py"),
    ],
)
def test_a_litellm_that_cannot_be_loaded_is_told_in_one_line(monkeypatch, installed, said: str) -> None:
    """A program that warms up hears what to do, and `orchestrator serve` ends with that line."""
    monkeypatch.setattr(loading, "_litellm", None)
    monkeypatch.setitem(sys.modules, "litellm", installed)
    with pytest.raises(ConfigError, match=rf"LiteLLM [\d.]+ cannot be loaded: .*{said}.*requirements.lock"):
        loading.load_litellm()
