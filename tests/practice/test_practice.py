"""The package's public names."""

import subprocess
import sys

import pytest

from orchestrator import practice


def test_every_exported_name_can_be_had():
    """And no other."""
    for name in practice.__all__:
        assert getattr(practice, name).__name__ == name
    assert dir(practice) == sorted(practice.__all__)
    with pytest.raises(AttributeError):
        _ = practice.nothing


def test_the_old_name_of_a_tool_call_works_and_says_the_new_one():
    """For one release."""
    with pytest.warns(DeprecationWarning, match=r"practice\.ToolCall is PracticeToolCall now"):
        old = practice.ToolCall
    assert old is practice.PracticeToolCall


def test_the_server_needs_neither_litellm_nor_langchain():
    """Only aiohttp."""
    code = (
        "import sys; from orchestrator.practice import PracticeServer, Generated;"
        "print([m for m in ('litellm', 'langchain_core', 'openai', 'pandas') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
