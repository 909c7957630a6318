"""A module of the working folder is found by its name, and a missing one says from where it was tried."""

import sys

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.own_modules import own_module


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder, which is on the path no longer afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_what_it_imports_later_is_found_too(folder):
    """Inside a function, when the command is at work."""
    (folder / "own_later.py").write_text("VALUE = 7\n", encoding="utf-8")
    (folder / "own_first.py").write_text(
        "def f():\n    import own_later\n    return own_later.VALUE\n", "utf-8"
    )
    assert own_module("own_first").f() == 7


@pytest.mark.parametrize(("name", "why"), [("own_nowhere", "ModuleNotFoundError"), ("", "ValueError")])
def test_what_is_not_there_says_where_it_was_looked_for(folder, name, why):
    """And what to do."""
    with pytest.raises(InvalidRequestError, match=f"{folder}: {why}: .*go to the folder of your project"):
        own_module(name)


def test_a_module_that_fails_says_how(folder):
    """Its own error, in one line."""
    (folder / "own_broken.py").write_text("1 / 0\n", encoding="utf-8")
    with pytest.raises(InvalidRequestError, match="'own_broken' cannot be imported .*ZeroDivisionError"):
        own_module("own_broken")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("chains/triage.py", "chains.triage"),
        ("./chains/triage", "chains.triage"),
        ("chains\\triage.py", "chains.triage"),
        ("chains/__init__.py", "chains"),
        ("triage.py", "triage"),
        ("/elsewhere/triage.py", "package.module, in the folder of your project"),
        ("../my-chains/triage", "package.module, in the folder of your project"),
    ],
)
def test_a_path_is_met_with_the_name_of_its_module(folder, path, name):
    """As people complete it in a shell."""
    with pytest.raises(InvalidRequestError, match=f"a module is meant: write {name}$"):
        own_module(path)


def test_a_whole_path_of_the_folder_is_one_too(folder):
    """As `$PWD/chains/triage.py` is."""
    with pytest.raises(InvalidRequestError, match="write chains.triage$"):
        own_module(f"{folder}/chains/triage.py")
