"""The whole of config.yaml as types; each part is defined beside the code that uses it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from orchestrator.access.settings import ServerSettings
from orchestrator.alerting.settings import AlertsSettings
from orchestrator.cache.idempotent_replies import IdempotencySettings
from orchestrator.cache.response_cache import CacheSettings
from orchestrator.catalog.catalog import AliasSettings, DeploymentSettings, ProviderSettings
from orchestrator.catalog.commitments import CommitmentSettings
from orchestrator.catalog.models import ModelSettings
from orchestrator.catalog.price_book import PricesSettings
from orchestrator.config.telemetry import TelemetrySettings
from orchestrator.core.language import Language
from orchestrator.core.payer import UseCaseName
from orchestrator.core.settings import Name, Settings
from orchestrator.experiments.settings import ExperimentName, ExperimentSettings
from orchestrator.langchain.tracing import LangChainSettings
from orchestrator.ledger.budgets import BudgetSettings
from orchestrator.ledger.opening import LedgerSettings
from orchestrator.ledger.record_settings import RecordSettings
from orchestrator.providers.local.model import LocalModelSettings
from orchestrator.resilience.circuit_breaker import CircuitSettings
from orchestrator.resilience.concurrency_limiter import OverloadSettings
from orchestrator.resilience.health_check_policy import HealthCheckSettings
from orchestrator.resilience.retry_policy import RetryProfile
from orchestrator.routing.settings import RoutingSettings, UseCaseSettings


def _dollars(raw: Any) -> Any:
    if raw != "USD":
        msg = f"prices and limits are in US dollars here: convert them and write 'currency: USD', not {raw!r}"
        raise ValueError(msg)
    return raw


Currency = Annotated[Literal["USD"], BeforeValidator(_dollars)]


class LastResortSettings(Settings):
    """The words for callers whose request no deployment answered."""

    language: Language = Language.EN
    """What a reply is to be written in where the prompt is not Vietnamese and the request names none."""


class GoalSettings(Settings):
    """What reports say is met or missed."""

    saved_share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.25
    """What is to be saved, of what the baseline would have cost."""
    success_rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.999
    """Which share of the requests that are tried is to be answered."""
    rating: Annotated[float, Field(ge=1, le=5, allow_inf_nan=False)] = 4.5
    """The average score that feedback is to give, 1 to 5."""


class ReportSettings(Settings):
    """What reports compare with."""

    baseline: Name | None = None
    """The model, alias or deployment whose prices savings are counted against; None is the primary of the
    default use case."""
    goals: GoalSettings = GoalSettings()
    """What is wanted of a month, or any other range."""


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
    use_cases: Mapping[UseCaseName, UseCaseSettings] = Field(min_length=1)
    """What requests are for: whom they ask, in which order, and with which limits."""
    experiments: Mapping[ExperimentName, ExperimentSettings] = {}
    """Candidates that are asked beside what answers, or instead of it for some users, and compared."""
    default_use_case: Name
    """The use case of a request that names none."""
    routing: RoutingSettings = RoutingSettings()
    """How deployments are chosen, for every use case."""
    retry_profiles: Mapping[Name, RetryProfile] = Field(min_length=1)
    """How patient requests are, by name."""
    overload: OverloadSettings = OverloadSettings()
    """How much this process takes on at once."""
    last_resort: LastResortSettings = LastResortSettings()
    """What is said when no deployment answers."""
    circuit_breaker: CircuitSettings = CircuitSettings()
    """When a failing deployment is left alone."""
    health_checks: HealthCheckSettings = HealthCheckSettings()
    """How providers are looked at while no request goes to them."""
    budgets: BudgetSettings = BudgetSettings()
    """What may be spent, by whom, in which time."""
    ledger: LedgerSettings = LedgerSettings()
    """Where spending is kept."""
    record: RecordSettings = RecordSettings()
    """How much is kept of requests: off, metadata or content."""
    report: ReportSettings = ReportSettings()
    """The model that savings in reports are counted against."""
    commitments: tuple[CommitmentSettings, ...] = ()
    """What is paid to providers whether it is used or not; reports say how much of it is idle."""
    prices: PricesSettings = PricesSettings()
    """Where prices come from that no deployment states."""
    cache: CacheSettings = CacheSettings()
    """Where replies are kept to be repeated."""
    idempotency: IdempotencySettings = IdempotencySettings()
    """How long an idempotency key stands for its request."""
    local_model: LocalModelSettings = LocalModelSettings()
    """The model on this machine, the last level."""
    alerts: AlertsSettings = AlertsSettings()
    """The rules of what is worth an alert, and the channels that carry it."""
    langchain: LangChainSettings = LangChainSettings()
    """What LangChain may tell others of a request."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Where a server sends traces and metrics."""
    server: ServerSettings = ServerSettings()
    """The server of `orchestrator serve`: its address and its bounds."""
