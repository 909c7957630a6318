"""The fixtures `practice` and `orchestrator` for pytest, which finds this plugin by itself.

    def test_an_order_is_found(orchestrator, practice):
        practice.say("Đơn hàng đang trên đường.")
        practice.faults.add("openai:status=500,times=1")
        assert "trên đường" in orchestrator.complete("Đơn DH1001 đâu?").text

No key, no network, a ledger of the test's own, and time that passes as soon as somebody waits. Nothing is
loaded before a test asks for a fixture, and a fixture of these names in a conftest.py comes before this one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from orchestrator.client import Orchestrator
    from orchestrator.testing.practice import Practice

_OPTION = "orchestrator_config"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare where the configuration is that tests use."""
    parser.addini(
        _OPTION,
        "the config.yaml of the fixture `orchestrator`, from the folder of pytest's own configuration on; "
        "$ORCHESTRATOR_CONFIG, ./config.yaml or the shipped one where it is left out",
    )


@pytest.fixture
def practice(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Practice]":
    """Practice providers of one test: `say`, `faults`, `requests`, `bill`, `clock`, `open()`."""
    from orchestrator.testing.practice import Practice  # noqa: PLC0415 -- nothing is loaded when pytest starts

    named = str(request.config.getini(_OPTION) or "")
    config = request.config.rootpath / named if named else None
    providers = Practice(home=tmp_path / "orchestrator", config=config)
    yield providers
    providers.close()


@pytest.fixture
def orchestrator(practice: "Practice") -> "Orchestrator":
    """An orchestrator in front of the practice providers of the test."""
    return practice.open()
