"""Several processes on one file, in any order, against a model that knows what every row must say.

Three ledgers share a file, each with limits of its own, as processes have while a changed configuration
spreads. One of them is of this machine, two of another one, so that their holds can be taken for orphans
while they live; and now and then a process of this machine is forked, holds, and is killed.

The property: a hold is admitted exactly when, for each scope and window with a limit *of the ledger that
admits it, at that moment*, spent + held + bound <= limit. From then on a counter changes by what is
settled, freed or corrected, and by nothing else; so it never passes the limit of its last admission but
by what providers charged above a hold.
"""

import os
import shutil
import signal
import sqlite3
import tempfile
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.core.run import Run
from orchestrator.ledger.budgets import BudgetSettings, Limits, period_of
from orchestrator.ledger.compact import KEEP_DAYS_MIN, compact, first_kept_day
from orchestrator.ledger.facts import AssumedCost
from orchestrator.ledger.ledger import HoldRequest, RequestRecord
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.reconcile import OrphanPolicy, correct_cost, find_orphans, settle_orphans
from orchestrator.ledger.sqlite.connection import LedgerFile
from orchestrator.ledger.verify import verify

ZONE = "Asia/Ho_Chi_Minh"
MOMENTS = [
    datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE))
    for text in (
        "2026-08-31T23:59:59", "2026-09-01T00:00:00", "2026-11-23T12:00:00", "2026-11-23T23:59:59",
        "2026-11-24T00:00:00", "2026-11-30T23:59:59", "2026-12-01T00:00:00", "2026-12-31T23:59:59",
        "2027-01-01T00:00:00",
    )
]  # fmt: skip
AMOUNTS = st.integers(0, 2500)
LEDGERS = st.integers(0, 2)
RUN_LIMIT = {"r": 4000, "r/part": 2500}


class Booked:
    """One send, as it must stand in the file."""

    def __init__(self, operation: str, scopes: tuple[str, ...], bound: int, moment: datetime) -> None:
        period = period_of(moment, ZONE)
        self.operation, self.scopes, self.bound, self.moment = operation, scopes, bound, moment
        self.day, self.month, self.periods = period.day, period.month, period
        self.hold = None
        self.lineage: tuple[str, ...] = ()
        self.fallback_scope = self.dead = False
        self.cost: int | None = None
        """None while it is held."""
        self.orphaned = self.assumed = self.gone = False
        self.correction: int | None = None

    @property
    def keys(self):
        return [(scope, period) for scope in self.scopes for period in self.periods.keys]


class ElsewhereFile(LedgerFile):
    """The file as a process on another machine has it open, of which nobody here can say whether it lives."""

    def _connect(self):
        connection = super()._connect()
        self.process = "elsewhere:1:"
        return connection


class Interleavings(RuleBasedStateMachine):
    holds = Bundle("holds")

    def __init__(self):
        super().__init__()
        # In memory where the system has a folder for it: thousands of files are made and synced.
        memory = Path("/dev/shm")  # noqa: S108 -- a folder of its own is made in it
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-", dir=memory if memory.is_dir() else None))
        self.path = self.folder / "ledger.sqlite3"
        self.sends: list[Booked] = []
        self.closed: dict[str, int] = {}
        self.rolled: Counter[str] = Counter()
        self.began = None
        self.reader = None
        self.named: dict[str, int] = {}
        self.moment = MOMENTS[2]
        machine = self

        class Set(SystemClock):
            def now(self):
                return machine.moment.astimezone(UTC)

        self.clock = Set()

    @initialize()
    def open(self):
        self.ledgers = [self.opened(number) for number in range(3)]

    def opened(self, number, limits=None):
        ledger = open_ledger(
            LedgerSettings(path=str(self.path)),
            limits=limits or limits_of(day=5000, month=12_000, tenant=3000),
            clock=self.clock,
        )
        if number:
            ledger.store.file.__class__ = ElsewhereFile
        ledger.check_writable()
        return ledger

    # ---- what the model knows

    def counters(self):
        """Reckon every counter from the sends: spent and held."""
        sums: dict[tuple[str, str], list[int]] = {}
        for one in self.sends:
            if not one.gone:
                for key in one.keys:
                    spent, held = sums.setdefault(key, [0, 0])
                    spent += (one.cost or 0) + (one.correction or 0)
                    held += one.bound if one.cost is None else 0
                    sums[key] = [spent, held]
        return {key: tuple(value) for key, value in sums.items() if any(value)}

    def refusal(self, limits, send):
        """Return the limit that refuses a send, and what is left of it.

        The first that is passed by what is spent alone, else the first that is passed with what is held.
        """
        counters, short = self.counters(), []
        for scope in send.scopes:
            for window, limit in limits.all_of(scope).items():
                most = limit.limit_nusd + self.rolled_over(scope, window, limit, send, counters)
                spent, held = counters.get((scope, send.periods.key(window)), (0, 0))
                if send.bound > 0 and spent + held + send.bound > most:
                    refused = (scope, window.value, max(0, most - spent - held))
                    short.append((spent + send.bound <= most, refused))
        for name in send.lineage:
            spent, held = self.runs().get(name, (0, 0))
            is_limited = name in self.named or name == send.lineage[-1]
            if send.bound > 0 and is_limited and spent + held + send.bound > RUN_LIMIT[name]:
                refused = (f"run:{name}", "run", max(0, RUN_LIMIT[name] - spent - held))
                short.append((spent + send.bound <= RUN_LIMIT[name], refused))
        return min(short, key=lambda each: each[0])[1] if short else None

    def rolled_over(self, scope, window, limit, send, counters):
        if not limit.rollover_nusd or self.began is None or self.began >= send.periods.begins_at(window):
            return 0
        used = sum(counters.get((scope, send.periods.key_before(window)), (0, 0)))
        return min(limit.rollover_nusd, max(0, limit.limit_nusd - used))

    def runs(self):
        """Reckon what each run has spent and holds; what was rolled up counts on."""
        sums: dict[str, tuple[int, int]] = {}
        for one in self.sends:
            for name in one.lineage:
                spent, held = sums.get(name, (0, 0))
                spent += (one.cost or 0) + (one.correction or 0)
                sums[name] = (spent, held + (one.bound if one.cost is None else 0))
        return sums

    def admitted(self, send):
        self.sends.append(send)
        self.began = self.began or send.moment
        for name in send.lineage[-1:]:
            self.named.setdefault(name, RUN_LIMIT[name])

    # ---- what may happen

    @rule(
        target=holds,
        number=LEDGERS,
        bound=AMOUNTS,
        tenant=st.sampled_from("ab"),
        run=st.sampled_from([None, None, "r", "r/part"]),
    )
    def hold(self, number, bound, tenant, run):
        # A run is that of its tenant; the model knows one tenant's.
        send, claim = self.asked(bound, "a" if run else tenant, run)
        ledger = self.ledgers[number]
        expected = self.refusal(ledger.limits, send)
        try:
            send.hold = ledger.hold(claim)
        except BudgetExceededError as error:
            assert (error.scope, error.window, error.left) == expected
            return multiple()
        assert expected is None
        send.fallback_scope = number > 0
        self.admitted(send)
        return send

    @rule(bound=AMOUNTS, run=st.sampled_from([None, "r/part"]))
    def hold_and_be_killed(self, bound, run):
        send, claim = self.asked(bound, "a", run)
        ledger = self.ledgers[0]
        process = os.fork()
        if process == 0:
            with suppress(BaseException):
                ledger.hold(claim)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(process, 0)
        if self.refusal(ledger.limits, send) is None:
            send.dead = True
            self.admitted(send)

    def asked(self, bound, tenant, run):
        operation = f"op-{len(self.sends)}-{self.clock.monotonic_s()}"
        scopes = ("all", f"tenant:{tenant}", "use_case:bulk", "provider:p")
        limited = None if run is None else Run(run, NanoUsd(RUN_LIMIT[run]))
        claim = HoldRequest(operation, 1, "p/m", "p", "m", scopes, NanoUsd(bound), "book", run=limited)
        send = Booked(operation, scopes, bound, self.moment)
        send.lineage = () if limited is None else limited.lineage
        return send, claim

    @rule(send=holds, number=LEDGERS, share=st.floats(0, 1.3), assumed=st.booleans())
    def settle(self, send, number, share, assumed):
        """Once, again, or late: when it was taken for an orphan."""
        cost = int(send.bound * share)
        source = CostSource.BOUND if assumed else CostSource.PRICE_BOOK
        attempt = Attempt(
            1, "p/m", "p", "m", Outcome.SUCCEEDED, usage=Usage(10, 5), cost_nusd=NanoUsd(cost), cost_source=source,
            upstream_id="gen" if assumed else None,
        )  # fmt: skip
        self.ledgers[number].settle(send.hold, attempt)
        if send.cost is None:
            send.cost, send.assumed = cost, assumed
        elif send.orphaned and send.correction is None and not send.gone:
            send.correction = cost - send.cost

    @rule(send=holds, number=LEDGERS)
    def close_request(self, send, number):
        if send.cost is None or send.orphaned or send.gone:
            return
        self.ledgers[number].record_request(
            RequestRecord(
                send.operation, send.moment, "acme", "bulk", None, (), Outcome.SUCCEEDED, None, CacheState.MISS,
                None, "p/m", "p", "m", 1, Usage(10, 5), NanoUsd(send.cost), 0.1,
            )
        )  # fmt: skip
        self.closed[send.operation] = send.cost

    @rule(number=LEDGERS, policy=st.sampled_from([OrphanPolicy.BOUND, OrphanPolicy.ZERO]))
    def reconcile(self, number, policy):
        expected = {
            one.operation: one
            for one in self.sends
            if one.cost is None and (one.dead or (one.fallback_scope and self.moment >= one.moment))
        }
        for again in (False, True):
            with LedgerReader(self.path) as reader:
                found = find_orphans(reader, now=self.clock.now(), older_than=timedelta(0), time_zone=ZONE)
            done = settle_orphans(self.ledgers[number], found, policy=policy, now=self.clock.now())
            names = {one.orphan.hold.request.operation_id for one in done}
            assert names == (set() if again else expected.keys())
        for one in expected.values():
            one.cost, one.orphaned = one.bound if policy is OrphanPolicy.BOUND else 0, True

    @rule(send=holds, number=LEDGERS, cost=AMOUNTS)
    def correct(self, send, number, cost):
        if not send.assumed:
            return
        told = AssumedCost(send.operation, 1, "p/m", "p", NanoUsd(send.cost), "gen")
        delta = correct_cost(self.ledgers[number], told, cost_nusd=NanoUsd(cost), now=self.clock.now())
        if send.gone or send.correction is not None:
            assert delta is None
        else:
            assert delta == cost - send.cost
            send.correction = delta

    @rule(number=LEDGERS)
    def compact(self, number):
        today = date.fromisoformat(period_of(self.moment, ZONE).day)
        compact(self.ledgers[number], today=today, keep_days=KEEP_DAYS_MIN)
        end = first_kept_day(today, keep_days=KEEP_DAYS_MIN)
        held = {one.month for one in self.sends if one.cost is None}
        for one in self.sends:
            if one.day < end and one.month not in held and not one.gone:
                one.gone = True
                self.rolled[one.month] += one.cost + (one.correction or 0)

    @rule(moment=st.sampled_from(MOMENTS))
    def clock_jumps(self, moment):
        self.moment = moment

    @rule(
        number=LEDGERS,
        day=st.integers(1, 8000),
        month=st.integers(1, 15_000),
        tenant=st.integers(1, 4000),
        rollover=st.booleans(),
    )
    def limits_change(self, number, day, month, tenant, rollover):
        self.ledgers[number].limits = limits_of(day=day, month=month, tenant=tenant, rollover=rollover)

    @rule(number=LEDGERS)
    def restart(self, number):
        self.ledgers[number].close()
        self.ledgers[number] = self.opened(number, self.ledgers[number].limits)

    # ---- what must be true after each

    def rows(self, query):
        # One connection for all queries: a new one reads the schema again, which takes longer than most of them.
        self.reader = self.reader or sqlite3.connect(self.path)
        return self.reader.execute(query).fetchall()

    @invariant()
    def counters_are_what_the_model_reckons_and_what_the_rows_say(self):
        if not self.path.exists():
            return
        found = self.rows("SELECT scope, period, spent_nusd, held_nusd FROM counters")
        counted = {
            (scope, period): (spent, held) for scope, period, spent, held in found if (spent, held) != (0, 0)
        }
        assert counted == self.counters()
        with LedgerReader(self.path) as reader:
            assert verify(reader, now=self.clock.now()).differences == ()
        runs = self.rows("SELECT name, max_nusd, spent_nusd, held_nusd FROM runs")
        known = self.runs()
        assert {name: tuple(sums) for name, _, *sums in runs} == known
        assert {name: most for name, most, *_ in runs if most is not None} == self.named

    @invariant()
    def nothing_that_was_acknowledged_is_lost(self):
        if not self.path.exists():
            return
        kept = [one for one in self.sends if not one.gone]
        held = {one.operation: one.bound for one in kept if one.cost is None}
        assert dict(self.rows("SELECT operation_id, held_nusd FROM holds")) == held
        booked = {one.operation: one.cost for one in kept if one.cost is not None}
        assert dict(self.rows("SELECT operation_id, cost_nusd FROM attempts")) == booked
        corrected = {one.operation: one.correction for one in kept if one.correction is not None}
        assert dict(self.rows("SELECT operation_id, cost_nusd FROM corrections")) == corrected
        rolled = self.rows("SELECT month, SUM(cost_nusd) FROM monthly GROUP BY month")
        assert dict(rolled) == {month: self.rolled[month] for month, _ in rolled}
        assert sum(self.rolled.values()) == sum(cost for _, cost in rolled)
        requests = dict(self.rows("SELECT id, cost_nusd FROM operations"))
        closed = {name: self.closed[name] for name in booked if name in self.closed}
        assert {name: requests.get(name) for name in closed} == closed

    def teardown(self):
        for ledger in getattr(self, "ledgers", ()):
            ledger.close()
        if self.reader is not None:
            self.reader.close()
        shutil.rmtree(self.folder)


def limits_of(*, day, month, tenant, rollover=False):
    entries = [
        {"scope": "all", "day": f"{day / 1e9:.9f}", "month": f"{month / 1e9:.9f}", "rollover": rollover},
        {"scope": "tenant:*", "hour": f"{tenant / 1e9:.9f}", "week": f"{2 * tenant / 1e9:.9f}"},
    ]
    return Limits(BudgetSettings(time_zone=ZONE, limits=entries))


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=20, stateful_step_count=35, deadline=None)
