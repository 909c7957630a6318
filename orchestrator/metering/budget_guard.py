"""The budget guard: the same limits and the same ledger for code that calls LiteLLM itself.

    guard = BudgetGuard.from_config(tenant="acme", use_case="customer_service")
    litellm.callbacks.append(guard)

From then on every `litellm.completion`, `litellm.acompletion` and `Router` call of the process holds
the most it can cost before it is sent, and settles what it did cost: one operation for each send.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Self

from orchestrator.catalog.catalog import DeploymentSettings, ProviderKind
from orchestrator.catalog.price_book import PriceBook, PriceQuery
from orchestrator.catalog.vendors import same_vendor
from orchestrator.config.loader import Config, load_config
from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.errors import InvalidRequestError, PriceUnknownError, UnknownNameError
from orchestrator.core.payer import Payer
from orchestrator.core.request import ChatRequest
from orchestrator.core.unknown_names import unknown
from orchestrator.ledger.budgets import Limits
from orchestrator.ledger.ledger import BudgetStatus
from orchestrator.ledger.opening import open_ledger
from orchestrator.metering.litellm_call import METADATA_KEY, MeteredCall
from orchestrator.metering.litellm_guard import Guard, stand_guard
from orchestrator.metering.meter import Meter, Offer

_OF_A_REQUEST = frozenset(field.name for field in fields(ChatRequest))
_PAYER_FIELDS = tuple(field.name for field in fields(Payer) if field.name in _OF_A_REQUEST)
_SAID_WITH = (*_PAYER_FIELDS, "max_cost_usd")
"""Of who pays; the last is the limit of a run."""


class BudgetGuard(Guard):
    """Stands in `litellm.callbacks` and pays for what LiteLLM sends. Thread-safe; a process needs one."""

    def __init__(self, config: Config, *, clock: Clock | None = None, **payer: Any) -> None:
        """Make a guard; `payer` says who pays where a call does not: tenant, use_case, user, tags.

        Raises:
            RequestError: a name is invalid, or config.yaml defines no such use case.
        """
        super().__init__()
        self._settings = config.settings
        self._clock: Clock = clock or SystemClock()
        self._ledger = open_ledger(
            config.settings.ledger, limits=Limits(config.settings.budgets), clock=self._clock
        )
        self._book = PriceBook(config.settings.prices, today=self._clock.now().date())
        self._payer = Payer("default", config.settings.default_use_case)
        self._payer = self._payer_of(payer)
        stand_guard()

    @classmethod
    def from_config(cls, path: Path | str | None = None, *, clock: Clock | None = None, **payer: Any) -> Self:
        """Make a guard from a config.yaml, found as `Orchestrator.from_config` finds it.

        Raises:
            ConfigError: the file cannot be used; it says where and what to do.
            RequestError: a name of `payer` is invalid, or config.yaml defines no such use case.
        """
        used = clock or SystemClock()
        return cls(load_config(path, today=used.now().date()), clock=used, **payer)

    def meter(self, call: MeteredCall) -> Meter:
        """Return the meter of a call.

        Raises:
            PriceUnknownError: neither config.yaml nor the price book knows what it costs.
            RequestError: the call names its payer wrongly.
        """
        offer = self._offer(call)
        payer = self._payer if call.payer is None else self._payer_of(call.payer)
        return Meter(offer, payer, ledger=self._ledger, clock=self._clock)

    def standings(self) -> tuple[BudgetStatus, ...]:
        """Return how every scope stands today and this month: limit, spent, held, left."""
        return self._ledger.budget_status()

    def close(self) -> None:
        """Write what is deferred and close the ledger; a later call opens it again."""
        self._ledger.close()

    def _payer_of(self, raw: Any) -> Payer:
        if not isinstance(raw, Mapping) or not set(raw) <= set(_SAID_WITH):
            raise InvalidRequestError(
                f"who pays is said with {', '.join(_SAID_WITH)}: metadata={{'{METADATA_KEY}': {{'tenant': ...}}}}"
            )
        # Checked as every request is; the text only has to be there.
        checked = ChatRequest.of(
            "-", **{name: getattr(self._payer, name) for name in _PAYER_FIELDS} | dict(raw)
        )
        if checked.use_case not in self._settings.use_cases:
            raise UnknownNameError(unknown("use case", checked.use_case, self._settings.use_cases))
        return replace(self._payer, **{name: getattr(checked, name) for name in _PAYER_FIELDS})

    def _offer(self, call: MeteredCall) -> Offer:
        """Return what a call buys: a deployment of config.yaml, on or off, else a model of the price book."""
        named = self._deployment(call)
        stated = named[1].price if named else None
        quote = self._todays_book().quote(PriceQuery(call.kind, call.upstream, call.address), stated)
        if quote is None:
            raise PriceUnknownError(
                f"no price for '{call.kind}/{call.upstream}', so nothing is sent: config.yaml names no such "
                "deployment and no price list knows it; add it under 'deployments' with a 'price'"
            )
        if named is None:
            return Offer(
                f"{call.kind}/{call.upstream}", self._provider(call.kind), call.upstream, quote.price
            )
        name, settings = named
        discounts = self._settings.providers[settings.provider].volume_discounts
        most_tokens = self._settings.models[settings.model].most_tokens
        return Offer(name, settings.provider, settings.model, quote.price, discounts, most_tokens)

    def _deployment(self, call: MeteredCall) -> tuple[str, DeploymentSettings] | None:
        """Return the deployment of this model: that at the call's address, else the vendor's best."""
        providers = self._settings.providers
        matches = [
            (name, settings)
            for name, settings in self._settings.deployments.items()
            if providers[settings.provider].kind is call.kind
            and settings.upstream == call.upstream
            and same_vendor(call.kind, providers[settings.provider].base_url, call.address)
        ]

        def rank(named: tuple[str, DeploymentSettings]) -> tuple[bool, int]:
            provider = providers[named[1].provider]
            return (provider.base_url or "").rstrip("/") != (call.address or "").rstrip(
                "/"
            ), provider.priority

        return min(matches, key=rank, default=None)

    def _provider(self, kind: ProviderKind) -> str:
        """Return the name by which budgets limit a kind of provider: that of config.yaml, else its own."""
        named = [
            (settings.priority, name)
            for name, settings in self._settings.providers.items()
            if settings.kind is kind
        ]
        return min(named)[1] if named else kind.value

    def _todays_book(self) -> PriceBook:
        today = self._clock.now().date()
        if self._book.today != today:
            self._book = PriceBook(self._settings.prices, today=today)
        return self._book
