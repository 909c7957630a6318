"""A name says what the thing is: names that could stand for anything are counted, and get fewer."""

import ast
from collections.abc import Collection

import pytest

from tests.support.source import Module, extraction, of_every_file

FILLERS = frozenset({"one", "found", "told", "wanted", "given", "made", "said", "asked", "got", "thing"})
"""Each of them fits every value, so it tells a reader nothing."""
FILLERS_PER_1000_MAX = 1
"""Of all names that are bound in `orchestrator/` and `chains/`; only ever lowered."""


@extraction
def names_of(module: Module) -> list[str]:
    """Return every name that a module binds: variables, parameters, attributes of `self`, functions, classes."""
    names = []
    for node in module.nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                names.append(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                names.append(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.append(name)
    return names


def is_filler(name: str) -> bool:
    return name.lower().strip("_") in FILLERS


def fillers_per_1000(names: Collection[str]) -> float:
    return 1000 * sum(is_filler(name) for name in names) / len(names)


def test_few_names_could_stand_for_anything():
    names = [name for names in of_every_file(names_of).values() for name in names]
    assert fillers_per_1000(names) <= FILLERS_PER_1000_MAX


@pytest.mark.parametrize(
    "text", ["found = 1", "def f(wanted): ...", "[x for one in y]", "self._told = 1", "class Said: ..."]
)
def test_a_filler_is_noticed_wherever_it_is_bound(text):
    assert any(is_filler(name) for name in names_of(Module(text)))
    assert not any(is_filler(name) for name in names_of(Module("match = f(overrides)")))
