"""The checks, and a configuration to run them on."""

from collections.abc import Callable

import pytest

from orchestrator.config.loader import Config
from orchestrator.core.clock import SystemClock
from orchestrator.doctor.doctor import Findings, run_checks
from tests.support.configured import configured, practice

__all__ = ["configured", "practice"]


@pytest.fixture
def check() -> Callable[..., Findings]:
    """Run the checks on a configuration."""

    def ran(config: Config, *, provider: str | None = None, live: bool = True) -> Findings:
        return run_checks(config, clock=SystemClock(), provider=provider, live=live, say=lambda _: None)

    return ran
