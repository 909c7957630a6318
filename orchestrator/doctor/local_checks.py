"""Checks of this machine: the configuration, the ledger, the cache, the pinned LiteLLM. No network."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from uuid import uuid4

from orchestrator.cache.response_cache import ReplyCache
from orchestrator.config.loader import Config
from orchestrator.core.clock import Clock
from orchestrator.core.errors import LedgerError
from orchestrator.doctor.results import Check, failed, passed, skipped
from orchestrator.ledger.budgets import Limits
from orchestrator.ledger.opening import open_ledger

HERE = "here"
STATE_CHECKS = frozenset({"ledger", "cache"})

_DISTRIBUTION = "nextflow-orchestrator"
_PIN = re.compile(r"^litellm(?:\[[^\]]*\])?\s*==\s*(?P<version>[\w.]+)", re.IGNORECASE)
_TRIAL_TTL_S = 1.0


def check_here(config: Config, *, clock: Clock) -> Iterator[Check]:
    """Yield the checks of this machine."""
    usable, all_of_them = len(config.catalog.usable), len(config.settings.deployments)
    yield passed(HERE, "configuration", f"{config.path}: valid, {usable} of {all_of_them} deployments usable")
    yield _ledger(config, clock)
    yield _cache(config)
    yield _litellm()


def _ledger(config: Config, clock: Clock) -> Check:
    ledger = open_ledger(config.settings.ledger, limits=Limits(config.settings.budgets), clock=clock)
    try:
        ledger.check_writable()
    except LedgerError as error:
        return failed(HERE, "ledger", str(error), todo="nothing is sent until it can be written")
    finally:
        ledger.close()
    return passed(HERE, "ledger", f"{ledger.location}: writable")


def _cache(config: Config) -> Check:
    settings = config.settings.cache
    if not settings.enabled:
        return skipped(HERE, "cache", "'cache.enabled: false' in config.yaml")
    cache = ReplyCache(settings)
    key, trial = f"doctor-{uuid4().hex}", b"trial"
    try:
        cache.put(key, trial, ttl_s=_TRIAL_TTL_S)
        works = cache.get(key) == trial
    finally:
        cache.close()
    if works:
        return passed(HERE, "cache", f"{cache.path}: writable")
    return failed(
        HERE,
        "cache",
        f"{cache.path}: cannot be written and read; requests are answered without it",
        todo="make the folder writable, or set cache.path in config.yaml",
    )


def _litellm() -> Check:
    installed = version("litellm")
    try:
        requirements = requires(_DISTRIBUTION) or []
    except PackageNotFoundError:
        return skipped(
            HERE,
            "LiteLLM",
            f"{installed}; its pin is known only where {_DISTRIBUTION} is installed as a package",
        )
    pins = [match["version"] for line in requirements if (match := _PIN.match(line))]
    if not pins or pins[0] == installed:
        return passed(HERE, "LiteLLM", f"{installed}, as pinned" if pins else installed)
    return failed(
        HERE,
        "LiteLLM",
        f"{installed} is installed, {pins[0]} is pinned",
        todo="other releases were malicious or untested: install from requirements.lock",
    )
