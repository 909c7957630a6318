"""A real ledger file, filled through the real ledger."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from orchestrator.core.money import NanoUsd
from orchestrator.core.payer import Payer, is_own, shadowed_experiment
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.ledger import HoldRequest, RequestRecord
from orchestrator.ledger.opening import LedgerSettings, open_ledger

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
BUDGETS = BudgetSettings.model_validate(
    {
        "time_zone": "Asia/Ho_Chi_Minh",
        "limits": [{"scope": "all", "day": 100, "month": 2500}, {"scope": "tenant:*", "day": "0.5"}],
    }
)


class FixedClock:
    """A clock that stands where it was put."""

    def __init__(self, now: datetime) -> None:
        self.moment = now

    def now(self) -> datetime:
        """Return the moment."""
        return self.moment

    def monotonic_s(self) -> float:
        """Return seconds that do not pass."""
        return 0.0

    async def sleep(self, duration_s: float) -> None:
        """Return at once."""

    def pause(self, duration_s: float) -> None:
        """Return at once."""


class Book:
    """A ledger with a short way to write a request of one or more sends."""

    def __init__(self, path: Path) -> None:
        self.clock = FixedClock(NOON)
        self.path = path
        self.ledger = open_ledger(LedgerSettings(path=str(path)), limits=Limits(BUDGETS), clock=self.clock)
        self._count = 0
        self.user: str | None = None
        self.tags: tuple[str, ...] = ()
        """Of the requests that follow."""

    def request(
        self,
        *sends: tuple[str, Outcome, int],
        tenant: str = "acme",
        use_case: str = "customer_service",
        outcome: Outcome = Outcome.SUCCEEDED,
        cached: CacheState = CacheState.MISS,
        source: CostSource = CostSource.PROVIDER,
        latency_s: float = 2.0,
        with_operation: bool = True,
    ) -> str:
        """Book one request; each send is (model, outcome, cost in nano-dollars)."""
        self._count += 1
        identity = f"op{self._count}"
        for number, (model, ended, cost) in enumerate(sends, start=1):
            self._send(identity, number, model, ended, cost, tenant, use_case, source)
        if with_operation:
            total = NanoUsd(sum(cost for _, _, cost in sends))
            last = sends[-1][0] if sends else None
            usage = Usage(10 * len(sends), 5 * len(sends))
            self.ledger.record_request(
                RequestRecord(
                    id=identity, started_at=self.clock.now(), tenant=tenant, use_case=use_case, user=self.user, tags=self.tags,
                    outcome=outcome, error=None, cached=cached, degraded=None, deployment=last, provider="openrouter",
                    model=last, attempts=len(sends), usage=usage, cost_nusd=total, latency_s=latency_s,
                )
            )  # fmt: skip
        return identity

    def hold(self, bound: int, *, tenant: str = "acme") -> None:
        """Hold money and leave it so, as a process does that dies."""
        self.ledger.hold(self._claim("orphan", 1, "m", bound, tenant, "customer_service"))

    def _claim(
        self, identity: str, number: int, model: str, bound: int, tenant: str, use_case: str
    ) -> HoldRequest:
        experiment = shadowed_experiment(tenant)
        payer = (
            Payer(tenant, use_case, self.user, self.tags, is_own=is_own(tenant))
            if experiment is None
            else Payer.of_shadow(experiment)
        )
        scopes = payer.scopes("openrouter")
        return HoldRequest(
            identity, number, f"openrouter/{model}", "openrouter", model, scopes, NanoUsd(bound), "test"
        )

    def _send(self, identity, number, model, ended, cost, tenant, use_case, source) -> None:
        hold = self.ledger.hold(self._claim(identity, number, model, max(cost, 1_000_000), tenant, use_case))
        attempt = Attempt(
            number, f"openrouter/{model}", "openrouter", model, ended,
            failure=None if ended is Outcome.SUCCEEDED else "unavailable", latency_s=0.5,
            usage=Usage(10, 5), cost_nusd=NanoUsd(cost), cost_source=source if cost else CostSource.NONE,
        )  # fmt: skip
        self.ledger.settle(hold, attempt)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """An empty ledger in a folder of its own."""
    made = Book(tmp_path / "ledger.sqlite3")
    yield made
    made.ledger.close()


@pytest.fixture
def at() -> Callable[[str], datetime]:
    """Turn `2026-11-23 12:00` into a moment in UTC."""
    return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def new_book(tmp_path: Path) -> Callable[[], AbstractContextManager[Book]]:
    """Make as many empty ledgers as are asked for."""
    numbers = count()

    @contextmanager
    def made() -> Iterator[Book]:
        book = Book(tmp_path / f"ledger{next(numbers)}.sqlite3")
        try:
            yield book
        finally:
            book.ledger.close()

    return made


@pytest.fixture
def budgets() -> BudgetSettings:
    """The limits of these ledgers: $100 a day and $2,500 a month for all, $0.50 a day for each tenant."""
    return BUDGETS
