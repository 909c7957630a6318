"""A quantity carries its unit in its name, and no money is a float."""

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.support.source import Module, extraction, of_every_file

QUANTITIES = {"timeout", "delay", "duration", "latency", "elapsed", "interval", "ttl", "deadline",
              "cost", "price", "budget", "spent", "spend", "amount", "charge"}  # fmt: skip
"""Words that mean nothing without a unit when they end a name."""

UNITS = {"s", "ms", "min", "h", "nusd", "usd", "tokens", "bytes", "mtok"}

ALLOWED = {
    # a Price, Charge or Limit of ours, whose own fields carry the units
    "price": "an object of type Price, whose fields are documented in dollars per million tokens",
    "charge": "an object that holds cost_nusd and its source",
    "amount": "what a printer of money is given: whole nano-dollars, as its docstring says",
}
OF_TYPE = {"NanoUsd", "NanoUsdPerMtok", "Usd", "UsdPerMtok", "timedelta", "Price"}
"""Types that are their own unit."""
MONEY_ENDINGS = ("_nusd", "_usd")
MONEY_WORDS = {"cost", "price", "budget", "spent", "spend", "amount"}


def named(module: Module) -> Iterator[tuple[str, ast.expr | None, int]]:
    """Yield each parameter and each annotated name or field, with its annotation."""
    for node in module.nodes:
        if isinstance(node, ast.arg):
            yield node.arg, node.annotation, node.lineno
        elif isinstance(node, ast.AnnAssign):
            target = node.target
            name = (
                target.id
                if isinstance(target, ast.Name)
                else target.attr
                if isinstance(target, ast.Attribute)
                else ""
            )
            yield name, node.annotation, node.lineno


def words_of_type(annotation: ast.expr | None) -> set[str]:
    if annotation is None:
        return set()
    found = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    texts = [
        node.value
        for node in ast.walk(annotation)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return found | {
        word for text in texts for word in text.replace("[", " ").replace("]", " ").replace("|", " ").split()
    }


def is_a_number(annotation: ast.expr | None) -> bool:
    """Tell whether a name may hold one bare number; a collection of them is told by its docstring."""
    if isinstance(annotation, ast.Subscript):
        return False
    return annotation is None or bool(
        words_of_type(annotation) & {"int", "float", "Decimal", "Any", "Seconds", "PositiveInt"}
    )


@extraction
def without_unit(module: Module) -> list[str]:
    """Name each quantity whose name does not say its unit."""
    breaches = []
    for name, annotation, line in named(module):
        last = name.strip("_").split("_")[-1].lower()
        if last not in QUANTITIES or last in ALLOWED or words_of_type(annotation) & OF_TYPE:
            continue
        if is_a_number(annotation):
            breaches.append(f"{line}: {name}")
    return breaches


@extraction
def float_money(module: Module) -> list[str]:
    """Name each money that is a float."""
    breaches = []
    for name, annotation, line in named(module):
        words = set(name.strip("_").lower().split("_"))
        is_money = name.endswith(MONEY_ENDINGS) or bool(
            words & MONEY_WORDS and not words & UNITS - {"usd", "nusd"}
        )
        if is_money and "float" in words_of_type(annotation):
            breaches.append(f"{line}: {name}")
    return breaches


READS_DOLLARS = {"orchestrator/core/money.py", "orchestrator/core/request_fields.py"}
"""Where a float from YAML, JSON or a caller is turned into nano-dollars, and where callers' types are named."""


def complaints(rule: Callable[[Module], list[str]]) -> list[str]:
    return [
        f"{path}:{breach}"
        for path, breaches in of_every_file(rule).items()
        if path not in READS_DOLLARS
        for breach in breaches
    ]


def test_every_quantity_says_its_unit():
    assert complaints(without_unit) == []


def test_no_money_is_a_float():
    assert complaints(float_money) == []


@pytest.mark.parametrize(
    "text",
    ["def f(timeout): ...", "def f(*, timeout: float = 30): ...", "class A:\n    retry_delay: float", "latency: int = 3",
     "def f(max_cost: int): ...", "self.ttl: Seconds = 3"],
)  # fmt: skip
def test_a_quantity_without_a_unit_is_noticed(text):
    assert len(without_unit(Module(text))) == 1


@pytest.mark.parametrize(
    "text",
    ["def f(timeout_s: float): ...", "cost_nusd: int", "def f(price: Price): ...", "limit: NanoUsd", "day: Usd | None",
     "amount: NanoUsd", "timeout_error: str", "def f(delay: 'timedelta'): ...", "spent: dict[str, int]"],
)  # fmt: skip
def test_a_quantity_with_a_unit_passes(text):
    assert without_unit(Module(text)) == []


@pytest.mark.parametrize(
    "text", ["cost_usd: float", "def f(price: float): ...", "spent_nusd: 'float | None'", "max_cost: float"]
)
def test_money_in_a_float_is_noticed(text):
    assert len(float_money(Module(text))) == 1


@pytest.mark.parametrize(
    "text", ["cost_nusd: int", "timeout_s: float", "spent: NanoUsd", "cost_weight_s: float"]
)
def test_what_is_no_money_may_be_a_float(text):
    assert float_money(Module(text)) == []
