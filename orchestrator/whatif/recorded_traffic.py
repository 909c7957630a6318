"""Recorded traffic: what the ledger says of requests and sends, ready to be replayed.

No prompt is needed and none is read: sizes, times, outcomes, latencies and failures are enough. Whether two
requests asked the same is known of cache hits alone, each of which repeats an earlier answer of its tenant.
"""

import sys
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.failures import FailureKind
from orchestrator.core.names import ARM_TAG, recorded_tag
from orchestrator.core.payer import PROBE_PAYER, SHADOW_PAYER
from orchestrator.core.prompt_size import Script
from orchestrator.core.reply import CacheState, Outcome
from orchestrator.ledger.kept_plan import NO_TERMS, OwnTerms
from orchestrator.ledger.periods import period_of
from orchestrator.ledger.store import LedgerView
from orchestrator.whatif.drawn import drawn_number

_CALLERS_OWN = frozenset({"InvalidRequestError", "UnknownNameError", "PromptTooLargeError"})
"""Errors of requests that no configuration can answer."""
_NO_EVIDENCE = frozenset(
    {
        FailureKind.CANCELLED,
        FailureKind.NOT_SENT,
        FailureKind.VETOED,
        FailureKind.NOT_JOINABLE,
        FailureKind.CONTINUATION_REFUSED,
    }
)
"""Failures that say nothing of a provider."""
_READ = (
    *("id", "started_at", "tenant", "use_case", "user", "tags", "outcome", "error", "cached", "degraded"),
    *("deployment", "cost_nusd", "latency_ms"),
)
"""The columns of a request that are looked at; the others would fill the memory."""
_NAME_MAX = 31
"""Characters: ids and moments have more, and are each met once or twice."""
_ORPHANED = "orphaned"
_SCRIPTS = {script.value: script for script in Script}
_REMEMBERED = 50
"""Of so many answers of a tenant's use case a hit may be the repetition."""
_EXPECTED_TOKENS = 200
"""The size of a prompt of which nothing is recorded, nor of any other of its use case."""


class NoTrafficError(OrchestratorError):
    """Nothing is recorded that could be replayed; the message says what to do."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class RecordedSend:
    """One send to a deployment, and what came of it."""

    at_s: float
    """Seconds since the traffic began."""
    deployment: str
    model: str
    provider: str
    failure: str | None
    status: int | None
    latency_s: float
    first_token_s: float | None
    """None where the answer came whole."""
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    expected_tokens: int
    """What was expected of the prompt before it was sent; 0 where that was not kept yet."""
    script: Script


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request that callers made, with what is known of its size and of what came of it."""

    number: int
    at_s: float
    """Seconds since the traffic began."""
    tenant: str
    use_case: str
    user: str | None
    tags: tuple[str, ...]
    outcome: Outcome
    is_degraded: bool
    cost_nusd: int
    latency_s: float
    sends: tuple[RecordedSend, ...]
    """Of a repeated answer: those of the request that it repeats."""
    prompt: int
    """Equal numbers are equal prompts."""
    expected_tokens: int
    """Of its prompt."""
    script: Script
    is_repeated: bool = False
    """Its prompt is asked more than once."""
    terms: OwnTerms = NO_TERMS
    """What it asked for itself; nothing where its plan was not kept."""

    @property
    def is_streamed(self) -> bool:
        """Return whether its answer was read piece by piece."""
        return any(send.first_token_s is not None for send in self.sends)


@dataclass(frozen=True, slots=True)
class SpentBefore:
    """What was spent before the traffic, in windows that were still open when it began."""

    at: datetime
    scopes: tuple[str, ...]
    cost_nusd: int


@dataclass(frozen=True, slots=True)
class RecordedTraffic:
    """The requests of a range of time, oldest first, and what was spent before it."""

    began: datetime
    ended: datetime
    requests: tuple[RecordedRequest, ...]
    sends: tuple[RecordedSend, ...]
    """All sends that say something of a provider, probes among them, oldest first."""
    spent_before: tuple[SpentBefore, ...]
    left_out: Mapping[str, int]
    """How many requests are not replayed, by reason."""


@dataclass(slots=True)
class _Rows:
    """What was read of the tables."""

    operations: list[dict[str, Any]] = field(default_factory=list)
    attempts: dict[str, list[RecordedSend]] = field(default_factory=lambda: defaultdict(list))
    left_out: Counter[str] = field(default_factory=Counter)
    before: Counter[tuple[str, str]] = field(default_factory=Counter)
    terms: dict[str, OwnTerms] = field(default_factory=dict)


def read_traffic(
    view: LedgerView,
    *,
    since: datetime,
    until: datetime,
    time_zone: str,
    fresh_s: Mapping[str, float],
    embeddings: Collection[str] = (),
) -> RecordedTraffic:
    """Return what the ledger has of a range; `fresh_s` says how long each use case repeated answers then.

    `embeddings` are use cases whose requests are no chats; they are left out.

    Raises:
        NoTrafficError: it has no ledger, or no request in this range.
        LedgerError: the ledger cannot be read, or is of another version.
    """
    if not view.exists:
        raise NoTrafficError(
            f"there is no ledger at {view.location}, so there is no traffic to replay: name the configuration that "
            "was in use with --config, or set ledger.path"
        )
    with view:
        rows = _read(view, since=since, until=until, time_zone=time_zone)
    replayed = [row for row in rows.operations if _is_replayed(row, rows.left_out, embeddings)]
    operations = sorted(replayed, key=lambda row: (row["started_at"], row["id"]))
    if not operations:
        raise NoTrafficError(_nothing(rows, view.location, since, until))
    requests = tuple(_requests(operations, rows, began=since, fresh_s=fresh_s))
    sends = sorted((send for many in rows.attempts.values() for send in many), key=lambda send: send.at_s)
    before = tuple(
        SpentBefore(datetime.fromisoformat(at), tuple(orjson.loads(scopes)), cost)
        for (at, scopes), cost in rows.before.items()
    )
    return RecordedTraffic(since, until, requests, tuple(sends), before, dict(rows.left_out))


def _nothing(rows: _Rows, location: str, since: datetime, until: datetime) -> str:
    kinds = ", ".join(f"{count} {reason}" for reason, count in rows.left_out.items())
    return (
        f"the ledger {location} has no request to replay from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}"
        f"{f' (left out: {kinds})' if kinds else ''}: reach further back with --since, for example --since 90d"
    )


def _read(view: LedgerView, *, since: datetime, until: datetime, time_zone: str) -> _Rows:
    zone = view.time_zone or time_zone
    opening = period_of(since, zone)
    first, last = since.astimezone(UTC).isoformat(), until.astimezone(UTC).isoformat()
    rows = _Rows()
    for month in _months(
        view, period_of(since - timedelta(days=7), zone).month, period_of(until, zone).month
    ):
        for row in _table(view, "operations", month):
            if first <= row["started_at"] < last:
                rows.operations.append({name: row[name] for name in _READ})
        rows.terms.update(view.own_terms(month=month))
        for row in _table(view, "attempts", month):
            if first <= row["started_at"] < last:
                _take_send(rows, row, since)
            elif row["started_at"] < first and row["cost_nusd"] and _is_open(row, opening.keys):
                rows.before[row["started_at"][:13] + ":00:00+00:00", row["scopes"]] += row["cost_nusd"]
    return rows


def _months(view: LedgerView, first: str, last: str) -> list[str]:
    return sorted(month for month in view.months() if first <= month <= last)


def _table(view: LedgerView, name: str, month: str) -> Iterator[dict[str, Any]]:
    columns, rows = view.table(name, month=month)
    return (dict(zip(columns, map(_shared, row), strict=True)) for row in rows)


def _shared(value: Any) -> Any:
    """Return one object for all equal short texts: a million rows name few tenants, models and states."""
    return sys.intern(value) if type(value) is str and len(value) <= _NAME_MAX else value


def _is_open(row: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    """Return whether a send was booked into a window that was still open when the traffic began."""
    return row["month"] in keys or row["day"] >= min(key for key in keys if len(key) == len("2026-11-23"))


def _is_replayed(row: Mapping[str, Any], left_out: Counter[str], embeddings: Collection[str]) -> bool:
    if row["tenant"].startswith(PROBE_PAYER):
        reason = "probes of providers"
    elif row["tenant"].startswith(SHADOW_PAYER):
        reason = "shadows of experiments"
    elif row["use_case"] in embeddings:
        reason = "embeddings"
    elif row["error"] in _CALLERS_OWN:
        reason = "mistakes of callers"
    elif row["cached"] == CacheState.REPLAYED:
        reason = "repeats by idempotency key"
    elif not _is_readable(row):
        reason = "rows that this program cannot read"
    else:
        return True
    left_out[reason] += 1
    return False


def _is_readable(row: Mapping[str, Any]) -> bool:
    """Return whether a row says what this program knows: another one may have written it."""
    try:
        Outcome(row["outcome"])
        datetime.fromisoformat(row["started_at"])
        return isinstance(orjson.loads(row["tags"]), list)
    except (ValueError, TypeError):
        return False


def _take_send(rows: _Rows, row: Mapping[str, Any], since: datetime) -> None:
    if row["failure"] in _NO_EVIDENCE or row["failure"] == _ORPHANED:
        return
    first_ms = row["first_token_ms"]
    rows.attempts[row["operation_id"]].append(
        RecordedSend(
            at_s=(datetime.fromisoformat(row["started_at"]) - since).total_seconds(),
            deployment=row["deployment"],
            model=row["model"],
            provider=row["provider"],
            failure=row["failure"],
            status=row["status"],
            latency_s=row["latency_ms"] / 1000,
            first_token_s=None if first_ms is None else first_ms / 1000,
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cached_input_tokens=row["cached_input_tokens"],
            expected_tokens=row["input_expected_tokens"],
            script=_SCRIPTS.get(row["script"], Script.PLAIN),
        )
    )


def _requests(
    operations: Iterable[Mapping[str, Any]], rows: _Rows, *, began: datetime, fresh_s: Mapping[str, float]
) -> Iterator[RecordedRequest]:
    # Of each tenant and use case the answers that a hit may repeat, the latest last.
    answers: dict[tuple[str, str], deque[RecordedRequest]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
    sizes: dict[str, list[tuple[int, Script]]] = defaultdict(list)
    requests, repeated = [], set()
    for number, row in enumerate(operations):
        request = _request(row, number, rows, began)
        known = answers[request.tenant, request.use_case]
        if row["cached"] in {CacheState.HIT, CacheState.JOINED}:
            earlier = _repeated_by(request, known, row, fresh_s.get(request.use_case, 0.0))
            if earlier is not None:
                repeated.add(earlier.prompt)
                request = replace(
                    request,
                    prompt=earlier.prompt,
                    sends=earlier.sends,
                    expected_tokens=earlier.expected_tokens,
                    script=earlier.script,
                    terms=earlier.terms,
                )
        elif request.sends:
            sizes[request.use_case].append((request.expected_tokens, request.script))
            if request.outcome is Outcome.SUCCEEDED and not request.is_degraded:
                # Others are not kept, so nobody was given them again.
                known.append(request)
        requests.append(request)
    for request in requests:
        yield _sized(request, sizes, is_repeated=request.prompt in repeated)


def _request(row: Mapping[str, Any], number: int, rows: _Rows, began: datetime) -> RecordedRequest:
    sends = tuple(rows.attempts.get(row["id"], ()))
    expected = max((send.expected_tokens or send.input_tokens for send in sends), default=0)
    return RecordedRequest(
        number=number,
        at_s=(datetime.fromisoformat(row["started_at"]) - began).total_seconds(),
        tenant=row["tenant"],
        use_case=row["use_case"],
        user=row["user"],
        # The side of an experiment is drawn anew: of a user as ever, of all others by the seed.
        tags=tuple(recorded_tag(tag) for tag in orjson.loads(row["tags"]) if not tag.startswith(ARM_TAG)),
        outcome=Outcome(row["outcome"]),
        is_degraded=row["degraded"] is not None,
        cost_nusd=row["cost_nusd"],
        latency_s=row["latency_ms"] / 1000,
        sends=sends,
        prompt=number,
        expected_tokens=expected,
        script=sends[0].script if sends else Script.PLAIN,
        terms=rows.terms.get(row["id"], NO_TERMS),
    )


def _repeated_by(
    request: RecordedRequest, known: Iterable[RecordedRequest], row: Mapping[str, Any], fresh_s: float
) -> RecordedRequest | None:
    """Return the request whose answer a hit gave once more: one of those that were still fresh."""
    fitting = [
        earlier
        for earlier in known
        if request.at_s - earlier.at_s < fresh_s and earlier.sends[-1].deployment == row["deployment"]
    ]
    if not fitting:
        return None
    if row["cached"] == CacheState.JOINED:
        return fitting[-1]
    return fitting[drawn_number(0, "prompt", request.number) % len(fitting)]


def _sized(
    request: RecordedRequest, sizes: Mapping[str, list[tuple[int, Script]]], *, is_repeated: bool
) -> RecordedRequest:
    """Return a request whose prompt has a size; one that was never sent has that of another."""
    if request.expected_tokens:
        return replace(request, is_repeated=True) if is_repeated else request
    others = sizes.get(request.use_case)
    if not others:
        return replace(request, expected_tokens=_EXPECTED_TOKENS, is_repeated=is_repeated)
    expected, script = others[drawn_number(0, "size", request.number) % len(others)]
    return replace(request, expected_tokens=max(1, expected), script=script, is_repeated=is_repeated)
