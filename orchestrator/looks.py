"""How an orchestrator is looked at: plans, budgets, requests, circuits, load; alerts as they come."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Unpack

from orchestrator.config.effective import secrets_of
from orchestrator.config.loader import Config
from orchestrator.core.alerts import Alerts, Listener
from orchestrator.core.background_loop import BackgroundLoop
from orchestrator.core.clock import Clock
from orchestrator.core.errors import LedgerError
from orchestrator.core.names import name_of
from orchestrator.core.plan import Candidate, Plan
from orchestrator.core.request import ChatRequest, Message
from orchestrator.core.request_fields import RequestFields
from orchestrator.core.run import Run
from orchestrator.ledger.closed_days import sum_closed_days
from orchestrator.ledger.contents import KeptContent
from orchestrator.ledger.ledger import BudgetStatus
from orchestrator.ledger.observers import LedgerObserver
from orchestrator.ledger.records import RunStatus
from orchestrator.ledger.requests import RequestDetail, RequestRow, query_of
from orchestrator.ledger.store import LedgerView
from orchestrator.pipeline.services import PipelineServices
from orchestrator.requests.feedback import TakenFeedback, give_feedback
from orchestrator.requests.lookup import find_content, find_request, find_requests
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.concurrency_limiter import Load
from orchestrator.resilience.health import Health
from orchestrator.resilience.rate_limiter import RateLimiter
from orchestrator.resilience.traffic_counts import TrafficCounts


class Looks(ABC):
    """What operators, dashboards and monitors ask of an orchestrator; nothing here sends a request."""

    _services: PipelineServices
    _alerts: Alerts

    _loop: BackgroundLoop

    @property
    @abstractmethod
    def config(self) -> Config:
        """Return the configuration in force."""

    @abstractmethod
    def _request(
        self, prompt: ChatRequest | str | Sequence[Message], overrides: RequestFields
    ) -> ChatRequest:
        """Return a prompt and its fields as a request, checked."""

    @abstractmethod
    async def _explain(self, request: ChatRequest) -> Plan:
        """Return the plan of a request."""

    def explain(
        self, prompt: ChatRequest | str | Sequence[Message], **overrides: Unpack[RequestFields]
    ) -> Plan:
        """Return which deployments a prompt would be put to, in which order and why; nothing is sent."""
        return self._loop.run(self._explain(self._request(prompt, overrides)))

    async def aexplain(
        self, prompt: ChatRequest | str | Sequence[Message], **overrides: Unpack[RequestFields]
    ) -> Plan:
        """Return which deployments a prompt would be put to, from any event loop; see `explain`."""
        return await self._loop.join(self._explain(self._request(prompt, overrides)))

    def estimate(
        self, prompt: ChatRequest | str | Sequence[Message], **overrides: Unpack[RequestFields]
    ) -> Candidate:
        """Return what a prompt would probably cost, and at most, with its first choice; nothing is sent.

        Raises:
            PromptTooLargeError, BudgetExceededError, UnavailableError: no deployment may serve it.
        """
        return self._loop.run(self._explain(self._request(prompt, overrides))).asked[0]

    def standings(self) -> tuple[BudgetStatus, ...]:
        """Return how every scope stands in each of its windows: limit, spent, held, left."""
        return self._services.ledger.budget_status()

    def run_standing(self, run: str, *, tenant: str = "default") -> RunStatus | None:
        """Return how a run, or a part of it, stands; None where nothing was counted for it.

        Raises:
            InvalidRequestError: that is no name.
            LedgerError: the ledger cannot be read.
        """
        return self._services.ledger.run(name_of(tenant, "tenant"), Run(run).name)

    def requests(self, **query: Any) -> tuple[RequestRow, ...]:
        """Return requests that have ended, the newest first; `query` are fields of `RequestQuery`.

        Raises:
            InvalidRequestError: that cannot be looked for.
            LedgerError: the ledger cannot be read.
        """
        return find_requests(self.ledger_view, query_of(**query))

    def request(self, request_id: str, *, tenant: str | None = None) -> RequestDetail:
        """Return a request that has ended by its id or the beginning of it: plan, attempts, costs, feedback.

        With `tenant` there are only the requests of that tenant.

        Raises:
            InvalidRequestError: that is no id.
            RequestNotFoundError: no request has it, or several begin so.
            LedgerError: the ledger cannot be read.
        """
        return find_request(self.ledger_view, request_id, tenant=tenant)

    def content(self, request_id: str, *, tenant: str | None = None) -> KeptContent | None:
        """Return the prompt and the reply of a request, None where config.yaml has not kept them (`record`).

        Raises as `request` does.
        """
        now = self._services.clock.now()
        return find_content(self.ledger_view, self._services.contents, request_id, tenant=tenant, now=now)

    def delete_expired(self) -> int:
        """Delete kept prompts and replies whose time is over, and return of how many requests.

        Raises:
            LedgerError: the file cannot be written.
        """
        return self._services.contents.delete_expired(now=self._services.clock.now())

    def sum_closed_days(self) -> int:
        """Sum the days of the ledger that are over, so that reports need not read rows; return how many.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        services = self._services
        ledger = services.ledger
        return sum_closed_days(ledger.store, now=services.clock.now(), time_zone=ledger.limits.time_zone)

    def feedback(self, request_id: str, **feedback: Any) -> TakenFeedback:
        """Keep `score` (1 to 5) and `corrected` (a better answer) of a `source`, `user` if none is named.

        Raises:
            InvalidRequestError: it says nothing, or no score from 1 to 5.
            RequestNotFoundError: no request (of `tenant`, where that is named) has this id.
            LedgerError: it cannot be written; nothing was kept.
        """
        services, secrets = self._services, secrets_of(self.config.settings)
        with suppress(LedgerError):
            # An answer of the cache was given a moment ago, and is judged at once.
            services.ledger.write_gathered()
        return give_feedback(
            services.ledger.store, services.contents, request_id,
            now=services.clock.now(), secrets=secrets, **feedback,
        )  # fmt: skip

    def on_alert(self, listener: Listener) -> None:
        """Call `listener` with every alert: a charge above its hold, a booking that has to wait, a rule."""
        self._alerts.subscribe(listener)

    def observe(self, observer: LedgerObserver) -> None:
        """Tell `observer` of every attempt and every request as it is booked, for metrics and traces."""
        self._services.ledger.observers.add(observer)

    @property
    def clock(self) -> Clock:
        """Return the time that deadlines and waits go by."""
        return self._services.clock

    @property
    def alerts(self) -> Alerts:
        """Return where alerts are told, to tell others and to listen no more."""
        return self._alerts

    @property
    def traffic(self) -> TrafficCounts:
        """Return how the requests of the last hour ended."""
        return self._services.traffic

    @property
    def ledger_view(self) -> LedgerView:
        """Return a look at the ledger, to be entered with `with`; it holds nobody up."""
        with suppress(LedgerError):
            # Answers of the cache that were given a moment ago.
            self._services.ledger.write_gathered()
        return self._services.ledger.store.view()

    def ledger_problem(self) -> LedgerError | None:
        """Write to the ledger now, and return why it cannot be used, None where it can.

        It waits for other processes as a request would. Both are told once, as an alert, when they change.

        Raises:
            ClosedError: the orchestrator is closed.
        """
        self._loop.check_open()
        return self._services.ledger.look()

    def circuits(self) -> Mapping[str, CircuitState]:
        """Return the circuit of every deployment that was asked so far."""
        return self._services.dispatch.health.circuits()

    def load(self) -> Load:
        """Return how many requests are under way in this process, and how many wait for a place."""
        return self._services.limiter.load

    @property
    def health(self) -> Health:
        """Return what is known of the health of deployments and providers."""
        return self._services.dispatch.health

    @property
    def rates(self) -> RateLimiter:
        """Return what providers take a minute; it is kept, and read, on the orchestrator's own loop."""
        return self._services.dispatch.rate_limiter
