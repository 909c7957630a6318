"""Practice providers in the place of the real ones, and the configuration that uses them."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.config.loader import Config, load_config
from orchestrator.config.policy_files import read_whole
from orchestrator.config.schema import RootSettings
from orchestrator.config.yaml_file import written
from orchestrator.core.clock import Clock
from orchestrator.core.money import NanoUsd
from orchestrator.core.settings import Settings
from orchestrator.drill.practice_config import (
    PRACTICE_KEY,
    as_written,
    at_prices_of,
    lead_to_practice,
    prices_of,
)
from orchestrator.practice import PracticeServer, Scripted
from orchestrator.practice.odd_answers import gone_on_from_half
from orchestrator.providers.local.model import LocalModel

ANSWER = (
    "Đơn hàng của quý khách đã rời kho sáng nay và sẽ được giao trong ngày mai. "
    "Your order left the warehouse this morning and will be delivered tomorrow before noon."
)
"""What every practice provider answers; a whole answer can so be distinguished from a part of it."""

RESCUED_ANSWER = gone_on_from_half(ANSWER)
"""Half an odd answer that was gone on with."""

_REQUESTS_KEPT = 100_000
"""More than a drill makes, so that they can be counted."""


@dataclass(frozen=True, slots=True)
class DrillEnvironment:
    """A configuration under drill."""

    config: Config
    clock: Clock
    servers: Mapping[str, PracticeServer]
    """The practice server of each provider, by its name."""

    def sent(self) -> int:
        """Return how often the practice providers were asked so far."""
        return sum(len(server.requests) for server in self.servers.values())

    def billed_nusd(self) -> NanoUsd:
        """Return what all practice providers charged so far, once every answer is out."""
        for server in self.servers.values():
            server.wait_idle()
        return NanoUsd(sum(server.bill.total_nusd() for server in self.servers.values()))


@contextmanager
def staged(path: Path, *, home: Path, clock: Clock, speed: float) -> Iterator[DrillEnvironment]:
    """Set up practice providers for a configuration, every wait of it `speed` times shorter.

    The ledger and the cache are new, in `home`; prices, routes, limits and patience are those of the file.

    Raises:
        ConfigError: the configuration cannot be used.
        LocalModelError: it has an embedded local model that cannot be started.
    """
    today = clock.now().date()
    with ExitStack() as stack:
        document, _ = read_whole(path)
        data: dict[str, Any] = document.data
        original = as_written(path, today=today, environment=os.environ)
        prices = prices_of(original, today=today)
        servers: dict[str, PracticeServer] = {}

        def address_of(name: str, played: str) -> str:
            servers[name] = stack.enter_context(
                PracticeServer(
                    answerer=Scripted(matched={"": ANSWER}),
                    prices=prices,
                    api_keys={PRACTICE_KEY},
                    requests_kept=_REQUESTS_KEPT,
                )
            )
            return servers[name].base_url(played)

        lead_to_practice(data, address_of)
        _hasten(data, load_config(path, today=today).settings, speed)
        data["ledger"] = {**data.get("ledger", {}), "path": str(home / "ledger.sqlite3")}
        data["cache"] = {**data.get("cache", {}), "enabled": False, "path": str(home / "cache")}
        drilled = home / "config.yaml"
        drilled.write_text(written(data), encoding="utf-8")
        config = at_prices_of(load_config(drilled, today=today), original)
        yield DrillEnvironment(_with_local_model(config, data, today, stack), clock, servers)


def _hasten(data: dict[str, Any], settings: RootSettings, speed: float) -> None:
    """Write every duration that a request waits for, defaults included, `speed` times shorter."""
    for name, provider in settings.providers.items():
        if provider.kind is not ProviderKind.LOCAL:
            data["providers"][name].update(_shortened(provider, speed))
    for name, profile in settings.retry_profiles.items():
        data["retry_profiles"][name].update(_shortened(profile, speed))
    for name, use_case in settings.use_cases.items():
        if use_case.deadline_s is not None:
            data["use_cases"][name]["deadline_s"] = use_case.deadline_s / speed
    data["circuit_breaker"] = _shortened(settings.circuit_breaker, speed) | {
        name: value for name, value in data.get("circuit_breaker", {}).items() if not name.endswith("_s")
    }


def _shortened(settings: Settings, speed: float) -> dict[str, Any]:
    durations = {name: value for name, value in settings.model_dump().items() if name.endswith("_s")}
    return {
        name: [duration_s / speed for duration_s in value] if isinstance(value, tuple) else value / speed
        for name, value in durations.items()
    }


def _with_local_model(config: Config, data: dict[str, Any], today: date, stack: ExitStack) -> Config:
    """Start the embedded model once for all cases, and lead the configuration to it."""
    settings = config.settings.local_model
    if not settings.enabled or settings.base_url:
        return config
    model = LocalModel(settings)
    stack.callback(model.close)
    address = asyncio.run(model.base_url())
    data["local_model"] = {**data.get("local_model", {}), "base_url": address}
    for provider in data["providers"].values():
        if provider["kind"] == ProviderKind.LOCAL:
            provider["api_key"] = model.api_key
    config.path.write_text(written(data), encoding="utf-8")
    return load_config(config.path, today=today)
