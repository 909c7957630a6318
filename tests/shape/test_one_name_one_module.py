"""A public name means the same wherever it is read: it is defined in one module."""

import ast
from collections import defaultdict
from collections.abc import Mapping

import pytest

from tests.support.source import Module, extraction, of_every_file

CONVENTIONS = frozenset({"app", "logger", "main", "T"})
"""Every module that has one calls it so."""

STILL_TWICE = {
    "compact": {"orchestrator/cli/ledger.py", "orchestrator/ledger/compact.py"},
    "drill": {"orchestrator/cli/drill.py", "orchestrator/drill/drill.py"},
    "export": {"orchestrator/cli/ledger.py", "orchestrator/reports/export.py"},
    "play": {
        "orchestrator/cli/story/asking.py",
        "orchestrator/cli/story/books.py",
        "orchestrator/cli/story/breaking.py",
        "orchestrator/cli/story/limit.py",
        "orchestrator/cli/story/saving.py",
    },
    "reconcile": {"orchestrator/cli/ledger.py", "orchestrator/reports/reconciliation.py"},
    "refresh": {"orchestrator/cli/prices.py", "orchestrator/ops/prices.py"},
    "show": {"orchestrator/cli/config.py", "orchestrator/cli/prices.py"},
    "verify": {"orchestrator/cli/ledger.py", "orchestrator/ledger/verify.py"},
}
"""What was there when the rule came; the list only ever gets shorter."""


@extraction
def public_names(module: Module) -> set[str]:
    """Return the names that a module itself defines: classes, functions, constants."""
    names: set[str] = set()
    for node in module.tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return {name for name in names if not name.startswith("_")} - CONVENTIONS


def defined_twice(names_by_module: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return each public name that several modules define, with the modules."""
    homes: dict[str, set[str]] = defaultdict(set)
    for module, names in names_by_module.items():
        for name in names:
            homes[name].add(module)
    return {name: modules for name, modules in homes.items() if len(modules) > 1}


def test_no_further_name_is_defined_in_two_modules():
    twice = defined_twice(of_every_file(public_names))
    assert {
        name: modules for name, modules in twice.items() if not modules <= STILL_TWICE.get(name, set())
    } == {}


def test_the_list_names_only_what_is_still_defined_twice():
    assert sorted(set(STILL_TWICE) - set(defined_twice(of_every_file(public_names)))) == []


@pytest.mark.parametrize("text", ["class Turn: ...", "def turn(): ...", "Turn = int", "Turn: type = int"])
def test_a_second_home_is_noticed_whatever_kind_of_name_it_is(text):
    names, others = public_names(Module(text)), public_names(Module("def other(): ..."))
    assert len(defined_twice({"a.py": names, "b.py": names})) == 1
    assert defined_twice({"a.py": names, "b.py": others}) == {}
