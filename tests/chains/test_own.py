"""A team's own chains are found in its own module."""

import sys

import pytest

from orchestrator.chains.own import own_chains
from orchestrator.core.errors import InvalidRequestError

MODULE = """
from pydantic import BaseModel
from orchestrator.chains import make_chain

class Ticket(BaseModel):
    text: str

class Triage(BaseModel):
    queue: str

class Length(BaseModel):
    '''How long it is.

    In words.'''
    words: int

by_queue = make_chain("customer_service", Ticket, Triage, prompts="Sort it.", name="triage")
by_length = make_chain("cost_sensitive", Ticket, Length, prompts="Measure it.")
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project with two chains, and a module without one."""
    (tmp_path / "team_desk.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "team_empty.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("team_desk", "team_empty"):
        sys.modules.pop(name, None)


def test_a_module_gives_all_its_chains_and_a_colon_one_of_them():
    """By the names of the chains; behind the colon stands that of the variable."""
    assert list(own_chains("team_desk")) == ["triage", "cost_sensitive"]
    assert list(own_chains("team_desk:by_queue")) == ["triage"]


def test_a_list_says_what_each_does():
    """The docstring of its answer, or at least its models."""
    described = {name: maker.description for name, maker in own_chains("team_desk").items()}
    assert described == {"triage": "Ticket to Triage", "cost_sensitive": "How long it is."}


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("team_desk:by_qeue", "team_desk has no chain 'by_qeue'. Did you mean 'by_queue'?"),
        ("team_empty", "has no chain: make one there with make_chain"),
        ("team_dsk", "'team_dsk' cannot be imported in "),
        ("team_desk.py:by_queue", "write team_desk"),
    ],
)
def test_what_is_not_there_says_what_to_do(place, words):
    """The nearest name, or how one is made."""
    with pytest.raises(InvalidRequestError) as raised:
        own_chains(place)
    assert words in str(raised.value)
