"""Whatever is declared is used, and whatever is used is declared."""

import ast
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.source import ROOT, Module, extraction, of_every_file

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IMPORTED_ELSEWHERE = {
    "jupytext": "runs and converts the notebooks",
    "nbclient": "runs the notebooks",
    "ipykernel": "runs the notebooks",
    "altair": "draws in the notebooks",
    "vl-convert-python": "draws for altair",
    "pyarrow": "pandas writes Parquet with it",
    "tzdata": "zoneinfo reads it where the system has no time zones",
}
"""Declared for the notebooks, which are no modules, and for what a library imports on our behalf."""


@extraction
def imports_of(module: Module) -> set[str]:
    """Return every top-level module that a module imports, wherever in it."""
    names: set[str] = set()
    for node in module.nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def imported() -> set[str]:
    """Return every library that our code imports."""
    names = set().union(*of_every_file(imports_of).values())
    return names - set(sys.stdlib_module_names) - {"orchestrator", "chains"}


def declared() -> set[str]:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    return {canonicalize_name(Requirement(line).name) for line in [*PROJECT["dependencies"], *extras]}


installed = cache(packages_distributions)


def distributions_of(module: str) -> set[str]:
    return {canonicalize_name(name) for name in installed().get(module, [module])}


def test_every_declared_dependency_is_imported():
    used = {name for module in imported() for name in distributions_of(module)}
    assert declared() - used - IMPORTED_ELSEWHERE.keys() == set()


def test_every_imported_library_is_declared():
    """A library that is there only because another one brought it may be gone tomorrow."""
    undeclared = {module for module in imported() if not distributions_of(module) & declared()}
    assert undeclared == set()


def test_the_list_of_those_imported_elsewhere_names_only_what_is_declared():
    assert IMPORTED_ELSEWHERE.keys() <= declared()
