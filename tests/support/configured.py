"""Practice providers and a configuration that leads to them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.config.loader import Config, load_config
from orchestrator.drill.practice_config import addresses, practice_models
from orchestrator.practice import PracticePrice, PracticeServer

CONFIG = Path(__file__).resolve().parents[2] / "config.yaml"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def practice(prices_today: dict[tuple[str, str], PracticePrice]) -> Iterator[PracticeServer]:
    """Practice providers that serve the shipped models and no others, for one key."""
    models = practice_models(prices_today)
    with PracticeServer(prices=prices_today, models=models, api_keys={"practice"}) as server:
        yield server


@pytest.fixture
def configured(practice: PracticeServer, tmp_path: Path) -> Callable[..., Config]:
    """Load the shipped configuration with the practice environment, changed as asked."""

    def made(**changed: str) -> Config:
        home = {"ORCHESTRATOR_HOME": str(tmp_path / "home")}
        return load_config(CONFIG, today=TODAY, environment={**home, **addresses(practice), **changed})

    return made
