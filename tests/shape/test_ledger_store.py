"""SQL is spoken in the ledger's back end alone: no signature names a connection, and no other module a statement."""

import ast
import re
from collections.abc import Callable

import pytest

from tests.support.source import Module, extraction, of_every_file

BACK_END = "orchestrator/ledger/sqlite/"
STATEMENT = re.compile(
    r"\s*(SELECT\b|INSERT (OR \w+ )?INTO\b|UPDATE \w+ SET\b|DELETE FROM\b|CREATE (TABLE|INDEX)\b|PRAGMA\b|BEGIN IMMEDIATE\b)"
)
FOREIGN = re.compile(r"sqlite3|psycopg|\bConnection\b|\bCursor\b")
"""Types of a back end's library."""


@extraction
def statements(module: Module) -> list[str]:
    """Return the texts of a module that begin as SQL does."""
    return [
        node.value
        for node in module.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value)
    ]


@extraction
def foreign_signatures(module: Module) -> list[str]:
    """Return the functions of a module whose parameters or results are a back end's."""
    return [
        node.name
        for node in module.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and FOREIGN.search(f"{ast.unparse(node.args)} -> {ast.unparse(node.returns) if node.returns else ''}")
    ]


def breaches(rule: Callable[[Module], list[str]]) -> list[str]:
    """Return what breaks a rule outside the back end."""
    return [
        f"{path}: {breach}"
        for path, found in of_every_file(rule).items()
        if not path.startswith(BACK_END)
        for breach in found
    ]


def test_no_module_but_the_back_end_has_a_statement():
    assert breaches(statements) == []


def test_no_signature_outside_the_back_end_names_a_connection():
    allowed = {"orchestrator/providers/litellm/"}  # its connections are HTTP's
    signatures = breaches(foreign_signatures)
    assert [breach for breach in signatures if not any(breach.startswith(folder) for folder in allowed)] == []


@pytest.mark.parametrize(
    "text", ["'SELECT 1'", "x = 'INSERT OR IGNORE INTO a'", "f('UPDATE a SET b = 1')", "'PRAGMA x'"]
)
def test_a_statement_is_noticed(text):
    assert statements(Module(text)) != []
    assert statements(Module("'Select a model', 'UPDATE the file'")) == []


@pytest.mark.parametrize(
    "text",
    [
        "def f(work: Callable[[sqlite3.Connection], T]) -> T: ...",
        "async def f() -> Cursor: ...",
        "def f(*, to: 'psycopg.Connection'): ...",
    ],
)
def test_a_connection_in_a_signature_is_noticed(text):
    assert foreign_signatures(Module(text)) == ["f"]
    assert foreign_signatures(Module("def f(connections: Connections) -> None: ...")) == []
