"""A home folder that the system does not know is one clear error."""

from pathlib import Path

import pytest

from orchestrator.core.errors import ConfigError
from orchestrator.core.home_paths import expanded
from tests.support.nobody_home import nobody_is_home


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/an")
    assert expanded("~/x") == Path("/home/an/x")
    assert expanded(Path("/a/~b")) == Path("/a/~b")


def test_an_unknown_home_is_an_error_that_says_what_to_set(monkeypatch):
    nobody_is_home(monkeypatch)
    with pytest.raises(ConfigError, match=r"'~/x' begins with a home .* set HOME, set ORCHESTRATOR_HOME"):
        expanded("~/x")
    assert expanded("/whole/path") == Path("/whole/path")
