"""A ledger to book into, and another process that holds money when it is killed."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.ledger import HoldRequest, RequestRecord
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.verify import Verification, verify

ROOT = Path(__file__).parents[2]
SCOPES = ("all", "tenant:acme", "use_case:bulk", "user:42", "provider:p", "tag:trial")

_KILLED = """
import sys
sys.path.insert(0, {root!r})
from orchestrator.core.clock import SystemClock
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.ledger import HoldRequest
from orchestrator.ledger.opening import LedgerSettings, open_ledger
ledger = open_ledger(LedgerSettings(path={path!r}), limits=Limits(BudgetSettings()), clock=SystemClock())
for number in range({count}):
    ledger.hold(HoldRequest(f"orphan-{{number}}", 1, "p/m", "p", "m", {scopes!r}, 1000, "book"))
print("held", flush=True)
sys.stdin.readline()
"""


class Books:
    """A ledger file, with short ways to book and to look."""

    def __init__(self, path: Path, clock) -> None:
        self.path, self.clock = path, clock
        self.ledger = open_ledger(
            LedgerSettings(path=str(path)), limits=Limits(BudgetSettings()), clock=clock
        )
        self.reader = LedgerReader(path)

    def claim(self, operation="op", number=1, *, bound=1000, scopes=SCOPES):
        return HoldRequest(operation, number, "p/m", "p", "m", scopes, NanoUsd(bound), "book")

    def send(
        self,
        operation="op",
        cost=300,
        *,
        number=1,
        bound=1000,
        source=CostSource.PRICE_BOOK,
        upstream_id=None,
    ):
        """Hold and settle one attempt."""
        hold = self.ledger.hold(self.claim(operation, number, bound=bound))
        self.ledger.settle(hold, self.attempt(cost, number=number, source=source, upstream_id=upstream_id))
        return hold

    def attempt(self, cost, *, number=1, source=CostSource.PRICE_BOOK, upstream_id=None):
        return Attempt(
            number, "p/m", "p", "m", Outcome.SUCCEEDED, usage=Usage(10, 5), cost_nusd=NanoUsd(cost),
            cost_source=source, upstream_id=upstream_id,
        )  # fmt: skip

    def close(self, operation="op", cost=300, *, attempts=1, plan=None, prompt=None):
        """Write the row of a finished request."""
        self.ledger.record_request(
            RequestRecord(
                operation, self.clock.now(), "acme", "bulk", "42", ("trial",), Outcome.SUCCEEDED, None,
                CacheState.MISS, None, "p/m", "p", "m", attempts, Usage(10, 5), NanoUsd(cost), 0.1, plan, prompt,
            )
        )  # fmt: skip

    def request(self, operation="op", cost=300, **more):
        self.send(operation, cost, **more)
        self.close(operation, cost)

    def verified(self) -> Verification:
        with self.reader:
            return verify(self.reader, now=self.clock.now())

    def rows(self, sql, *values):
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql, values).fetchall()

    def write(self, sql, *values):
        """Change the file behind the ledger's back."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(sql, values)

    def counter(self, scope="all", period="2026-11-23"):
        found = self.rows(
            "SELECT spent_nusd, held_nusd FROM counters WHERE scope = ? AND period = ?", scope, period
        )
        return found[0] if found else None


@pytest.fixture
def books(tmp_path: Path, clock) -> Iterator[Books]:
    made = Books(tmp_path / "books.sqlite3", clock)
    yield made
    made.ledger.close()


@pytest.fixture
def kill_a_holder() -> Callable[..., SimpleNamespace]:
    """Let another process hold money in a ledger file, and kill it (-9)."""

    def kill(path: Path, *, count: int = 1) -> SimpleNamespace:
        program = textwrap.dedent(_KILLED).format(root=str(ROOT), path=str(path), count=count, scopes=SCOPES)
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as one:
            assert one.stdout is not None
            assert one.stdout.readline() == "held\n"
            one.send_signal(signal.SIGKILL)
        return SimpleNamespace(pid=one.pid)

    return kill
