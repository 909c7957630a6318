"""SQL is spoken in the ledger's back end alone: no signature names a connection, and no other module a statement."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BACK_END = ROOT / "orchestrator" / "ledger" / "sqlite"
STATEMENT = re.compile(
    r"\s*(SELECT\b|INSERT (OR \w+ )?INTO\b|UPDATE \w+ SET\b|DELETE FROM\b|CREATE (TABLE|INDEX)\b|PRAGMA\b|BEGIN IMMEDIATE\b)"
)
FOREIGN = re.compile(r"sqlite3|psycopg|\bConnection\b|\bCursor\b")
"""Types of a back end's library."""

FILES = [
    path
    for folder in ("orchestrator", "chains")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if BACK_END not in path.parents
]


def statements(tree: ast.AST) -> list[str]:
    """Return the texts of a module that begin as SQL does."""
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value)
    ]


def foreign_signatures(tree: ast.AST) -> list[str]:
    """Return the functions of a module whose parameters or results are a back end's."""
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and FOREIGN.search(f"{ast.unparse(node.args)} -> {ast.unparse(node.returns) if node.returns else ''}")
    ]


@cache
def breaches() -> dict[str, list[str]]:
    """Return what breaks each rule; to parse all files takes longer than any rule."""
    found: dict[str, list[str]] = {rule.__name__: [] for rule in (statements, foreign_signatures)}
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for rule in (statements, foreign_signatures):
            found[rule.__name__] += [f"{path.relative_to(ROOT)}: {breach}" for breach in rule(tree)]
    return found


def test_no_module_but_the_back_end_has_a_statement():
    assert breaches()["statements"] == []


def test_no_signature_outside_the_back_end_names_a_connection():
    allowed = {"orchestrator/providers/litellm/"}  # its connections are HTTP's
    signatures = breaches()["foreign_signatures"]
    assert [breach for breach in signatures if not any(breach.startswith(folder) for folder in allowed)] == []


@pytest.mark.parametrize(
    "text", ["'SELECT 1'", "x = 'INSERT OR IGNORE INTO a'", "f('UPDATE a SET b = 1')", "'PRAGMA x'"]
)
def test_a_statement_is_noticed(text):
    assert statements(ast.parse(text)) != []
    assert statements(ast.parse("'Select a model', 'UPDATE the file'")) == []


@pytest.mark.parametrize(
    "text",
    [
        "def f(work: Callable[[sqlite3.Connection], T]) -> T: ...",
        "async def f() -> Cursor: ...",
        "def f(*, to: 'psycopg.Connection'): ...",
    ],
)
def test_a_connection_in_a_signature_is_noticed(text):
    assert foreign_signatures(ast.parse(text)) == ["f"]
    assert foreign_signatures(ast.parse("def f(connections: Connections) -> None: ...")) == []
