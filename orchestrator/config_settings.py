"""The whole of config.yaml as types; each part is defined beside the code that uses it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from orchestrator.catalog import AliasSettings, DeploymentSettings, ModelSettings, ProviderSettings
from orchestrator.gateway.local import LocalModelSettings
from orchestrator.policy.budgets import BudgetSettings
from orchestrator.policy.failures import RetryProfile
from orchestrator.policy.last_resort import LastResortSettings
from orchestrator.policy.probing import HealthCheckSettings
from orchestrator.policy.routing import RoutingSettings, UseCaseSettings
from orchestrator.prices import PricesSettings
from orchestrator.settings import Name, Settings
from orchestrator.state.admission import OverloadSettings
from orchestrator.state.cache import CacheSettings
from orchestrator.state.circuit import CircuitSettings
from orchestrator.state.kept_replies import IdempotencySettings
from orchestrator.state.ledger import LedgerSettings


def _dollars(given: Any) -> Any:
    if given != "USD":
        msg = (
            f"prices and limits are in US dollars here: convert them and write 'currency: USD', not {given!r}"
        )
        raise ValueError(msg)
    return given


Currency = Annotated[Literal["USD"], BeforeValidator(_dollars)]


class RootSettings(Settings):
    """The whole of config.yaml."""

    version: Literal[1]
    """The format of this file."""
    currency: Currency
    """The currency of every price and every limit in this file: USD."""
    providers: Mapping[Name, ProviderSettings] = Field(min_length=1)
    """Who serves models, by a name of your choice."""
    models: Mapping[Name, ModelSettings] = Field(min_length=1)
    """What can be asked, by our own names."""
    deployments: Mapping[Name, DeploymentSettings] = Field(min_length=1)
    """Which provider serves which model, by a name such as openai/gpt-6-luna."""
    aliases: Mapping[Name, AliasSettings] = {}
    """Other names by which models may be asked for."""
    use_cases: Mapping[Name, UseCaseSettings] = Field(min_length=1)
    """What requests are for: whom they ask, in which order, and with which limits."""
    default_use_case: Name
    """The use case of a request that names none."""
    routing: RoutingSettings = RoutingSettings()
    """How deployments are chosen, for every use case."""
    retry_profiles: Mapping[Name, RetryProfile] = Field(min_length=1)
    """How patient requests are, by name."""
    overload: OverloadSettings = OverloadSettings()
    """How much this process takes on at once."""
    last_resort: LastResortSettings = LastResortSettings()
    """What is said when nobody answers."""
    circuit_breaker: CircuitSettings = CircuitSettings()
    """When a failing deployment is left alone."""
    health_checks: HealthCheckSettings = HealthCheckSettings()
    """How providers are looked at while nobody asks them."""
    budgets: BudgetSettings = BudgetSettings()
    """What may be spent, by whom, in which time."""
    ledger: LedgerSettings = LedgerSettings()
    """Where spending is kept."""
    prices: PricesSettings = PricesSettings()
    """Where prices come from that no deployment states."""
    cache: CacheSettings = CacheSettings()
    """Where replies are kept to be repeated."""
    idempotency: IdempotencySettings = IdempotencySettings()
    """How long an idempotency key stands for its request."""
    local_model: LocalModelSettings = LocalModelSettings()
    """The model on this machine, the last level."""
