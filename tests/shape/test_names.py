"""A name says what the thing is: names that could stand for anything are counted, and get fewer."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILLERS = frozenset({"one", "found", "told", "wanted", "given", "made", "said", "asked", "got", "thing"})
"""Each of them fits every value, so it tells a reader nothing."""
FILLERS_PER_1000_MAX = 17
"""Of all names that are bound in `orchestrator/` and `chains/`; only ever lowered."""

FREE_OF_FILLERS = (
    "chains",
    "orchestrator/catalog",
    "orchestrator/cli",
    "orchestrator/config",
    "orchestrator/doctor",
    "orchestrator/drill",
    "orchestrator/langchain",
    "orchestrator/metering",
    "orchestrator/monitoring",
    "orchestrator/ops",
    "orchestrator/practice",
    "orchestrator/providers/local",
)
"""Folders in which no such name is bound; only ever more of them."""

FILES = sorted(path for folder in ("orchestrator", "chains") for path in (ROOT / folder).rglob("*.py"))


def names_of(tree: ast.AST) -> list[str]:
    """Return every name that a module binds: variables, parameters, attributes of `self`, functions, classes."""
    names = []
    for node in ast.walk(tree):
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


def fillers_per_1000(texts: list[str]) -> float:
    names = [name for text in texts for name in names_of(ast.parse(text))]
    return 1000 * sum(is_filler(name) for name in names) / len(names)


def test_few_names_could_stand_for_anything():
    assert fillers_per_1000([path.read_text(encoding="utf-8") for path in FILES]) <= FILLERS_PER_1000_MAX


@pytest.mark.parametrize("folder", FREE_OF_FILLERS)
def test_a_folder_that_is_free_of_them_stays_so(folder):
    names = {
        path.relative_to(ROOT).as_posix(): [
            name for name in names_of(ast.parse(path.read_text(encoding="utf-8"))) if is_filler(name)
        ]
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {path: fillers for path, fillers in names.items() if fillers} == {}


@pytest.mark.parametrize(
    "text", ["found = 1", "def f(wanted): ...", "[x for one in y]", "self._told = 1", "class Said: ..."]
)
def test_a_filler_is_noticed_wherever_it_is_bound(text):
    assert any(is_filler(name) for name in names_of(ast.parse(text)))
    assert not any(is_filler(name) for name in names_of(ast.parse("match = f(overrides)")))
