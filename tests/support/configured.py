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
PRACTICE_KEYS = {
    "OPENROUTER_API_KEY": "practice-key-openrouter",
    "GEMINI_API_KEY": "practice-key-google",
    "OPENAI_API_KEY": "practice-key-openai",
}
"""The keys of the configuration in front of the practice providers, by variable."""


@pytest.fixture
def practice(prices_today: dict[tuple[str, str], PracticePrice]) -> Iterator[PracticeServer]:
    """Practice providers that serve the shipped models and no others, and look at the key."""
    models = practice_models(prices_today)
    keys = {"practice", *PRACTICE_KEYS.values()}
    with PracticeServer(prices=prices_today, models=models, api_keys=keys) as server:
        yield server


@pytest.fixture
def configured(practice: PracticeServer, tmp_path: Path) -> Callable[..., Config]:
    """Load the shipped configuration with the practice environment, changed as asked."""

    def made(**changed: str) -> Config:
        home = {"ORCHESTRATOR_HOME": str(tmp_path / "home")}
        return load_config(CONFIG, today=TODAY, environment={**home, **addresses(practice), **changed})

    return made
