"""Practice providers and a configuration that leads to them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.config import Config, load_config
from orchestrator.ops.check import Findings, run_checks
from orchestrator.ops.rehearsal import addresses, practice_models, practice_prices
from orchestrator.practice import PracticeServer

CONFIG = Path(__file__).resolve().parents[2] / "config.yaml"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def practice() -> Iterator[PracticeServer]:
    """Practice providers that serve the shipped models and no others, for one key."""
    prices = practice_prices(CONFIG, today=TODAY, environment={})
    with PracticeServer(prices=prices, models=practice_models(prices), api_keys={"practice"}) as server:
        yield server


@pytest.fixture
def configured(practice: PracticeServer, tmp_path: Path) -> Callable[..., Config]:
    """Load the shipped configuration with the practice environment, changed as asked."""

    def made(**changed: str) -> Config:
        home = {"ORCHESTRATOR_HOME": str(tmp_path / "home")}
        return load_config(CONFIG, today=TODAY, environment={**home, **addresses(practice), **changed})

    return made


@pytest.fixture
def check() -> Callable[..., Findings]:
    """Run the checks on a configuration."""

    def ran(config: Config, *, provider: str | None = None, live: bool = True) -> Findings:
        return run_checks(config, clock=SystemClock(), provider=provider, live=live, say=lambda _: None)

    return ran
