"""What is imported from a package that loads its names late is really there.

Such a package has a `__getattr__`, and mypy takes every name for granted where there is one.
"""

import ast
from functools import cache
from importlib import import_module

from tests.support.source import FILES, ROOT, Module, extraction, of_every_file


@cache
def lazy_packages() -> list[str]:
    return [
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in FILES
        if path.name == "__init__.py" and "def __getattr__(" in path.read_text(encoding="utf-8")
    ]


@extraction
def late_imports_of(module: Module) -> list[tuple[str, str]]:
    """Return what a module imports from those packages, wherever in it: package and name."""
    return [
        (node.module, alias.name)
        for node in module.nodes
        if isinstance(node, ast.ImportFrom) and node.module in lazy_packages()
        for alias in node.names
    ]


def is_there(package: str, name: str) -> bool:
    return (
        hasattr(import_module(package), name) or (ROOT / package.replace(".", "/") / f"{name}.py").is_file()
    )


def test_every_name_that_is_imported_from_a_lazy_package_is_there():
    assert "orchestrator.practice" in lazy_packages()
    imports = {name for names in of_every_file(late_imports_of).values() for name in names}
    assert sorted(name for name in imports if not is_there(*name)) == []


def test_a_name_that_is_not_there_is_noticed_also_inside_a_function():
    text = "def f():\n    from orchestrator.practice import Charge, PracticeCharge, server\n"
    assert [is_there(*name) for name in late_imports_of(Module(text))] == [False, True, True]
