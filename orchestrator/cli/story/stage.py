"""The stage of the demo: practice providers on a loopback port, an orchestrator, a new ledger and cache."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.catalog.catalog import Catalog
from orchestrator.cli.output import CommandError
from orchestrator.client import Orchestrator
from orchestrator.config.loader import Config, embedded_path, load_config
from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.errors import LocalModelError
from orchestrator.core.home_paths import expanded
from orchestrator.core.private_folder import make_private_folder
from orchestrator.drill.practice_config import PRACTICE_KEY, addresses, practice_models, practice_prices
from orchestrator.ledger.budgets import BudgetSettings, LimitSettings
from orchestrator.ledger.opening import open_view
from orchestrator.ledger.store import LedgerView
from orchestrator.practice import Answerer, Generated, PracticeServer, Scripted
from orchestrator.providers.local.model import LocalModel, LocalModelSettings

SMALL_TENANT = "quan-ca-phe"
"""A tenant with a daily limit of its own: a small coffee shop."""
SMALL_LIMIT_USD = "0.006"

_CONTEXT_TOKENS = 2048
_PARALLEL = 4
_PATIENCE_S = 300.0
_REQUESTS_KEPT = 10_000
"""More than the whole demo makes, so that they can be counted."""


@dataclass(frozen=True, slots=True)
class DemoStage:
    """Everything an act needs."""

    orchestrator: Orchestrator
    providers: PracticeServer
    config: Config
    home: Path
    clock: Clock
    voice: str
    """What writes the answers of the practice providers, for people."""
    has_local_model: bool
    fast: bool

    @property
    def ledger(self) -> LedgerView:
        """Return a reader of the demo's ledger."""
        return open_view(self.config.settings.ledger)

    def upstream_count(self) -> int:
        """Return how often the practice providers were asked for an answer so far."""
        return sum(1 for request in self.providers.requests if request.model is not None)

    def billed_nusd(self) -> int:
        """Return what the practice providers have charged so far, once every answer is out."""
        self.providers.wait_idle()
        return int(self.providers.bill.total_nusd())


@contextmanager
def open_stage(*, fast: bool, keep: Path | None, say: Callable[[str], None]) -> Iterator[DemoStage]:
    """Set the stage up, and clear it away; `say` gets the text of what is being waited for.

    Raises:
        CommandError: `keep` is no empty folder.
    """
    clock = SystemClock()
    with ExitStack() as stack:
        home = _home(keep, stack)
        say("starting the local model")
        model = LocalModel(LocalModelSettings(context_tokens=_CONTEXT_TOKENS, parallel=_PARALLEL))
        stack.callback(model.close)
        address = _address_of(model)
        answerer, voice = _answerer(address, model.api_key, fast=fast)
        config, providers = _opened(home, answerer, clock, stack)
        orchestrator = stack.enter_context(Orchestrator(config, clock=clock))
        say("loading LiteLLM, which takes a few seconds once a process")
        orchestrator.warm_up()
        yield DemoStage(
            orchestrator=orchestrator,
            providers=providers,
            config=config,
            home=home,
            clock=clock,
            voice=voice,
            has_local_model=address is not None,
            fast=fast,
        )


def _opened(home: Path, answerer: Answerer, clock: Clock, stack: ExitStack) -> tuple[Config, PracticeServer]:
    """Return the shipped configuration and the practice providers that it leads to.

    A small tenant gets its limit, circuits stay open longer, and requests have more time.
    """
    today = clock.now().date()
    prices = practice_prices(embedded_path(), today=today, environment={})
    providers = stack.enter_context(
        PracticeServer(
            answerer=answerer,
            prices=prices,
            models=practice_models(prices),
            api_keys={PRACTICE_KEY},
            requests_kept=_REQUESTS_KEPT,
        )
    )
    environment = {"ORCHESTRATOR_HOME": str(home), **addresses(providers)}
    shipped = load_config(embedded_path(), today=today, environment=environment)
    small = LimitSettings.model_validate({"scope": f"tenant:{SMALL_TENANT}", "day": SMALL_LIMIT_USD})
    budgets = shipped.settings.budgets
    limited = BudgetSettings(time_zone=budgets.time_zone, limits=(*budgets.limits, small))
    # On a slow machine the local model answers later than the five seconds after which a circuit half-opens.
    patient = shipped.settings.circuit_breaker.model_copy(update={"open_s": 600.0, "max_open_s": 600.0})
    usual = shipped.settings.use_cases[shipped.settings.default_use_case]
    # The act of the budget shows refusals; with a wait its calls would have their turn one after the other.
    at_once = usual.model_copy(update={"on_limit": usual.on_limit.model_copy(update={"wait_s": 0.0})})
    # Nor would a busy machine have its answers in time, and a send that is given up is booked at its bound.
    profiles = {
        name: profile.model_copy(update={"deadline_s": 2 * _PATIENCE_S, "min_turn_s": _PATIENCE_S})
        for name, profile in shipped.settings.retry_profiles.items()
    }
    changed = {
        "budgets": limited,
        "retry_profiles": profiles,
        "circuit_breaker": patient,
        "use_cases": {**shipped.settings.use_cases, shipped.settings.default_use_case: at_once},
    }
    settings = shipped.settings.model_copy(update=changed)
    return replace(shipped, settings=settings, catalog=_patient(shipped.catalog)), providers


def _patient(catalog: Catalog) -> Catalog:
    """Return a catalogue whose providers have minutes for an answer, its first word, and each next one."""
    times = dict.fromkeys(("timeout_s", "first_token_timeout_s", "stall_timeout_s"), _PATIENCE_S)
    deployments = {
        name: replace(deployment, provider=deployment.provider.model_copy(update=times))
        for name, deployment in catalog.deployments.items()
    }
    return replace(catalog, deployments=deployments)


def _home(keep: Path | None, stack: ExitStack) -> Path:
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orchestrator-demo-")))
    home = expanded(keep).absolute()
    try:
        make_private_folder(home)
        filled = any(home.iterdir())
    except OSError as exc:
        raise CommandError(f"--keep {home}: cannot be used: {exc.strerror}") from None
    if filled:
        raise CommandError(f"--keep {home}: the folder is not empty; the demo begins with an empty ledger")
    return home


def _address_of(model: LocalModel) -> str | None:
    try:
        return asyncio.run(model.base_url())
    except LocalModelError:
        return None


def _answerer(address: str | None, api_key: str, *, fast: bool) -> tuple[Answerer, str]:
    if address is None:
        return Scripted(), "a script, because the local model is not installed"
    if fast:
        return Scripted(), "a script, because of --fast"
    model = Generated(address, api_key=api_key)
    asyncio.run(model.warm_up())
    return model, "SmolLM2-135M on this machine"
