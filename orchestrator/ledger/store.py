"""What keeps the ledger's rows: the verbs that every back end has.

    LedgerStore  books: hold, settle, record, correct, roll up; and reads what budgets count
    KeyStore     which request has an idempotency key; a part of the ledger's store, or one beside it
    LedgerView   reads: one consistent look at all rows, for reports, reconciling and verifying

Each verb is one transaction (`sum_day` two, between which nobody waits): done as a whole or not begun, also
when the process dies in the middle. What goes in and comes out is frozen data. Which limits there are, what
an orphan costs and what an alert says is decided above; how rows are kept, and what the back end's errors
mean, is known below.

    hold           waits for other processes, up to the time that the store was made with
    ahold          the same; the event loop does other work meanwhile
    settle         what cannot be written now is kept, and written before the next transaction
    ..._deferred   on an event loop: written in one transaction with what else comes in this turn of it,
                   or by itself as soon as that can be done; `written` says when, or why it has to wait

`tests/ledger/store_contract.py` is what every back end must pass.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from orchestrator.core.errors import LedgerError
from orchestrator.core.reply import Attempt
from orchestrator.ledger.facts import (
    ArmRow,
    AssumedCost,
    BookedSum,
    CostSample,
    Counter,
    Excess,
    OpenHold,
    RolledDay,
    Rows,
    RunSum,
    SourceSum,
    UnclaimedAttempt,
    UnequalCounter,
    UnequalOperation,
)
from orchestrator.ledger.feedback import Feedback, FeedbackSum
from orchestrator.ledger.idempotency_keys import KeyStore
from orchestrator.ledger.kept_plan import OwnTerms
from orchestrator.ledger.periods import Period
from orchestrator.ledger.records import (
    AttemptTotals,
    CostCorrection,
    Hold,
    NewHold,
    OrphanBooking,
    RequestRecord,
    RunStatus,
    Shortage,
    TokenSample,
)
from orchestrator.ledger.requests import RequestDetail, RequestQuery, RequestRow
from orchestrator.ledger.usage import Selection, StoredTable, UsageView

RequestOf = Callable[[Hold, AttemptTotals], tuple[RequestRecord, Period]]
"""Says how the request of an orphan is recorded; it looks at nothing but what it is handed."""


class LedgerBusyError(LedgerError):
    """Another process or thread is in the middle of a transaction; it may be over in a moment."""


class LedgerStore(KeyStore, Protocol):
    """Keeps counters, holds, attempts, requests and corrections; shared by threads and processes."""

    @property
    def location(self) -> str:
        """Return where the ledger is, as messages name it; no password is in it."""

    @property
    def exists(self) -> bool:
        """Return whether there is a ledger: looking makes none."""

    @property
    def is_open(self) -> bool:
        """Return whether `aopen` has nothing to do in this process."""

    def check_writable(self) -> None:
        """Open the ledger, bring it up to date, and do an empty transaction.

        Raises:
            LedgerError: it cannot be opened or written; says why and what to do.
        """

    def take_time_zone(self, time_zone: str) -> None:
        """Let days be those of a zone, if the ledger counts none yet; `hold` does so too.

        Raises:
            LedgerError: it counts days of another zone, or cannot be written; says what to do.
        """

    def change_time_zone(self, time_zone: str) -> str | None:
        """Count days of another zone from now on; return whose were counted before, None for none.

        Raises:
            LedgerError: holds are open, or it cannot be written; nothing was changed.
        """

    async def aopen(self) -> None:
        """Open the ledger if it is not open yet; while others hold it, the event loop does other work.

        Raises:
            LedgerError: it cannot be opened; says why and what to do.
        """

    def close(self) -> None:
        """Write what is deferred, and close; the next verb opens it again."""

    def hold(self, new: NewHold) -> Hold | Shortage:
        """Raise `held` in every scope and window of a claim, or in none and return the limit that refused.

        A run is counted besides, whole and in each of its parts. Its limit is the first that a call named; a
        call that names a smaller one is held to that. What a window before left is added to a limit that
        rolls over, if money was counted before this window began.

        Raises:
            LedgerError: it cannot be written, is no longer there, or counts days of another time zone;
                nothing was held.
        """

    async def ahold(self, new: NewHold) -> Hold | Shortage:
        """Hold as `hold` does; while others hold the ledger, the event loop does other work."""

    def settle(self, hold: Hold, attempt: Attempt) -> None:
        """Replace a hold by its attempt in every counter and row; doing it twice changes nothing.

        What was booked for an orphan meanwhile stays, and the attempt's cost becomes its correction.

        Raises:
            LedgerError: it is not written yet; it is deferred.
        """

    def settle_deferred(self, hold: Hold, attempt: Attempt) -> None:
        """Settle with what else this turn of the event loop writes; where no loop runs, as `settle`."""

    def record_request(self, record: RequestRecord, period: Period) -> None:
        """Write the row of a finished request; only a row that was made for an orphan gives way to another.

        Raises:
            LedgerError: it is not written yet; it is deferred.
        """

    def record_request_deferred(self, record: RequestRecord, period: Period) -> None:
        """Write the row with what else this turn of the event loop writes."""

    async def written(self, operation_id: str) -> None:
        """Return when what a request has deferred in this turn of the event loop is committed.

        Raises:
            LedgerBusyError: another process has the ledger; it is written in a moment.
            LedgerError: it is not yet, and why; it is kept.
        """

    def gather_request(self, record: RequestRecord, period: Period) -> None:
        """Take the row of a request that cost nothing, for the next transaction or the close."""

    def write_gathered(self) -> None:
        """Write the rows that were gathered; LedgerBusyError, after a moment, while others hold the file."""

    def correct(self, correction: CostCorrection) -> int | None:
        """Book what an attempt did cost, by its provider's record or by the word of a person.

        Of records the first correction stands; a person (`CostSource.OPERATOR`) has the last word, and what
        is right already is not booked again. Return the difference, None when there is no such attempt or
        a record comes after another correction.

        Raises:
            LedgerError: it cannot be written; nothing was booked.
        """

    def give_feedback(self, feedback: Feedback, *, tenant: str | None = None) -> bool:
        """Keep what a source thinks of an answer; False when there is no such request (of this tenant).

        Once for each request and source: the last score stands, and what was corrected stays so.

        Raises:
            LedgerError: it cannot be written; nothing was kept.
        """

    def settle_orphans(self, orphans: Sequence[OrphanBooking], request_of: RequestOf) -> tuple[bool, ...]:
        """Settle holds that were left, and record their requests, all in one transaction.

        Return for each whether it was settled now: one that was settled meanwhile is left as it is.

        Raises:
            LedgerError: it cannot be written; nothing was booked.
        """

    def roll_up_day(self, day: str) -> RolledDay | UnequalCounter:
        """Add a day's rows to its month's sums, drop them, and its counters from week and month.

        A day whose counters differ from its rows is left as it is. No hold of its month is open.

        Raises:
            LedgerError: it cannot be written; nothing was rolled up.
        """

    def sum_day(self, day: str) -> bool:
        """Keep what reports ask of a day, so that they need not read its rows; False when it was not kept.

        The rows are read without holding up anybody. A booking into the day, a correction among them, takes
        the sums away in its own transaction; one that comes while the day is summed lets nothing be kept.

        Raises:
            LedgerError: the ledger cannot be read or written; nothing was kept.
        """

    def drop_unused(self) -> int:
        """Drop what was kept once for many rows and no row refers to any more; return how much.

        Raises:
            LedgerError: it cannot be written; nothing was dropped.
        """

    def counter(self, scope: str, period: str) -> Counter:
        """Return what a scope has spent and holds in a window, by its key; nothing if never counted.

        Raises:
            LedgerError: it cannot be read.
        """

    def counters(self, *periods: str) -> tuple[Counter, ...]:
        """Return every counter of the windows with these keys, by scope and period."""

    def began_at(self) -> datetime | None:
        """Return when money was counted first, None before the first hold.

        Raises:
            LedgerError: it cannot be read.
        """

    def run(self, tenant: str, name: str) -> RunStatus | None:
        """Return how a run of a tenant stands, None where nothing was counted for it or it is forgotten.

        Raises:
            LedgerError: it cannot be read.
        """

    def token_samples(self, attempts: int) -> tuple[TokenSample, ...]:
        """Return what providers counted in the prompts of the last `attempts` attempts, oldest first."""

    def view(self) -> "LedgerView":
        """Return a look at this ledger, to be entered with `with`."""


class LedgerView(UsageView, Protocol):
    """One look at a ledger: all that is read between entering and leaving is of the same moment."""

    @property
    def location(self) -> str:
        """Return where the ledger is, as messages name it."""

    @property
    def exists(self) -> bool:
        """Return whether there is a ledger: looking makes none."""

    @property
    def time_zone(self) -> str | None:
        """Return the zone whose days the ledger counts, None before the first hold."""

    def __enter__(self) -> Self:
        """Begin to look.

        Raises:
            LedgerError: it cannot be read, or is no ledger of this program's version.
        """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the look."""

    # ---- for reports

    def operations(self, *, month: str, tenant: str | None = None) -> Rows:
        """Return the requests that began in a month, one row each, oldest first."""

    def attempts(self, *, month: str, tenant: str | None = None) -> Rows:
        """Return the sends that were booked into a month, one row each, oldest first."""

    def rolled(self, *, month: str, tenant: str | None = None) -> Rows:
        """Return the sums of a compacted month, by tenant, use case and model; nothing of any other month."""

    def counters(self, *periods: str) -> tuple[Counter, ...]:
        """Return what every scope has spent and holds in these windows, in all without a key."""

    @property
    def began_at(self) -> datetime | None:
        """Return when money was counted first, None before the first hold."""

    def months(self) -> tuple[str, ...]:
        """Return the months in which something was booked, the last one first."""

    def table(self, name: str, *, month: str | None = None) -> StoredTable:
        """Return one of `TABLES`, or what of it belongs to a month."""

    def own_terms(self, *, month: str) -> Iterator[tuple[str, OwnTerms]]:
        """Return the id of each request of a month that asked for something itself, and what."""

    # ---- for looking requests up

    def requests(self, query: RequestQuery) -> tuple[RequestRow, ...]:
        """Return the requests that a query asks for, in its order."""

    def request_ids(self, prefix: str, *, tenant: str | None, limit: int) -> tuple[str, ...]:
        """Return the first ids, `limit` at most, that begin so; those of one tenant, or of all."""

    def request(self, request_id: str) -> RequestDetail | None:
        """Return all that is kept of a request that has ended."""

    def feedback_sums(self, selection: Selection) -> tuple[FeedbackSum, ...]:
        """Return the feedback on selected requests, by tenant, use case and model."""

    def arm_rows(self, label: str, *, since: datetime) -> Iterator[ArmRow]:
        """Yield the requests since a moment that are on a side of an experiment, oldest first."""

    # ---- for reconciling and rolling up

    def holds(self) -> tuple[OpenHold, ...]:
        """Return every hold that is not settled, oldest first."""

    def assumed_costs(self, *, since: str) -> tuple[AssumedCost, ...]:
        """Return attempts from a day on with an assumed cost and the provider's id, not corrected yet."""

    def cost_sample(self, deployment: str, *, attempts: int) -> CostSample:
        """Return what the last `attempts` attempts with a known cost did cost, and what was held for them."""

    def booked_days(self, *, before: str) -> tuple[str, ...]:
        """Return the days before one that have requests or attempts, in their order."""

    def holds_by_month(self) -> Mapping[str, int]:
        """Return how many holds are open in each month that has any."""

    # ---- for verifying

    def row_counts(self) -> Mapping[str, int]:
        """Return how many rows each table has."""

    def booked_sums(self) -> Iterator[BookedSum]:
        """Yield the sums of attempts, corrections and holds, by their scopes and windows."""

    def run_sums(self) -> Iterator[RunSum]:
        """Yield what each run that is not forgotten has counted, and what its rows come to."""

    def unequal_operations(self, *, limit: int) -> tuple[UnequalOperation, ...]:
        """Return requests whose cost is not the sum of their attempts, with or without corrections."""

    def unclaimed_attempts(self, *, before: datetime, limit: int) -> tuple[UnclaimedAttempt, ...]:
        """Return attempts before a moment whose request has no row, though it ended and is not rolled up."""

    def excesses(self, *, limit: int) -> tuple[Excess, ...]:
        """Return attempts that cost more than was held for them."""

    def source_sums(self) -> Mapping[str, SourceSum]:
        """Return how many attempts there are of each cost source, and their cost as booked."""
