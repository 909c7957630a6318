"""What the rules of `tests/shape` look at in each module of ours, which is parsed once for all of them.

To parse and walk every module takes longer than any rule. So a rule says what it takes from a module, and the
first test that asks for a result takes it for all rules; the trees are not kept, for they fill the memory.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
FILES = sorted(path for folder in ("orchestrator", "chains") for path in (ROOT / folder).rglob("*.py"))

Result = TypeVar("Result")


@dataclass
class Module:
    """A module's text and its tree."""

    text: str

    @cached_property
    def tree(self) -> ast.Module:
        # CPython 3.11 may fail for no reason beside threads that parse (gh-106905).
        try:
            return ast.parse(self.text)
        except SystemError:
            return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree, in the order of `ast.walk`."""
        return list(ast.walk(self.tree))


_extractions: list[Callable[[Module], Any]] = []


def extraction(extract: Callable[[Module], Result]) -> Callable[[Module], Result]:
    """Mark a function that takes from a module what a rule needs, to be used with `of_every_file`."""
    _extractions.append(extract)
    return extract


def of_every_file(extract: Callable[[Module], Result]) -> dict[str, Result]:
    """Return what an extraction takes from each module, by its path as in `orchestrator/client.py`."""
    assert extract in _extractions, "mark it with @extraction"
    return _all()[_extractions.index(extract)]


@cache
def _all() -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = [{} for _ in _extractions]
    for path in FILES:
        module = Module(path.read_text(encoding="utf-8"))
        for extract, result in zip(_extractions, results, strict=True):
            result[path.relative_to(ROOT).as_posix()] = extract(module)
    return results
