"""The ledger's tables, and how an older file becomes a current one.

    counters    spent and held money of every scope and window; the only rows that budgets read
    holds       money reserved for an attempt that has not ended; a row left by a dead process is
                an orphan and stays counted until it is reconciled
    attempts    one row for each send, written when it ends, never changed
    operations  one row for each logical request, written when it ends, never changed
    corrections what an attempt cost more or less than was booked: by the provider's record, at most once,
                or by a person, as often as needed and with the reason; never changed
    monthly     what is left of months that were compacted: sums of their requests and attempts
    plans       why a request went where it went: its numbers, and the key of its shape
    plan_shapes deployments and kinds of reasons, once for all plans that have the same; no words of a prompt
    prompts     fingerprints of prompts, keyed with a secret in `about`: never a word, and never exported
    feedback    what somebody thought of an answer: one row for each request and source
    idempotency which request has an idempotency key of a tenant, until when; no text, only a hash of it
    runs        spent and held money of every run and its parts, and its limit; a row that is not used any
                more is forgotten
    ..._sums    what reports ask of a day that is over, asked once; `summed_days` says of which days they are
                right, and a row that is booked late takes its day off that list in its own transaction
    about       what belongs to the file as a whole: the time zone whose windows it counts, since when,
                and the secret of its fingerprints

Keys begin with what is new (the ids of requests sort by time, counters by period), so that a booking
touches the same few pages of the file, whatever its size.

All money is whole nano-dollars. Times are ISO 8601 in UTC; hour, day and month are calendar windows
of the file's time zone at the moment of the reservation. The week is that of the day.
"""

import sqlite3

from orchestrator.core.errors import LedgerError

VERSION = 9

_THURSDAY = "period, '-3 days', 'weekday 4'"
_ISO_WEEK = (
    f"strftime('%Y', {_THURSDAY}) || '-W' || printf('%02d', (strftime('%j', {_THURSDAY}) - 1) / 7 + 1)"
)
"""Of the day in `period`: the week belongs to the year of its Thursday."""

_SUMS = (
    (
        "request_sums (day TEXT NOT NULL, tenant TEXT NOT NULL, use_case TEXT NOT NULL, outcome TEXT NOT NULL,"
        " cached TEXT NOT NULL, degraded INTEGER NOT NULL, error TEXT, requests INTEGER NOT NULL,"
        " latency_ms INTEGER NOT NULL)"
    ),
    (
        "send_sums (day TEXT NOT NULL, tenant TEXT NOT NULL, use_case TEXT NOT NULL, provider TEXT NOT NULL,"
        " deployment TEXT NOT NULL, model TEXT NOT NULL, outcome TEXT NOT NULL, cost_source TEXT NOT NULL,"
        " sends INTEGER NOT NULL, sends_paid INTEGER NOT NULL, cost_nusd INTEGER NOT NULL,"
        " input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL,"
        " output_tokens_max INTEGER NOT NULL, latency_ms INTEGER NOT NULL)"
    ),
    (
        "name_sums (day TEXT NOT NULL, tenant TEXT NOT NULL, use_case TEXT NOT NULL, kind TEXT NOT NULL,"
        " name TEXT NOT NULL, requests INTEGER NOT NULL, succeeded INTEGER NOT NULL, failed INTEGER NOT NULL,"
        " latency_ms INTEGER NOT NULL, cost_nusd INTEGER NOT NULL)"
    ),
    # Where tenant and use case are NULL, the row is of everybody: a sum that can be read at once.
    (
        "duration_sums (day TEXT NOT NULL, kind TEXT NOT NULL, tenant TEXT, use_case TEXT, model TEXT NOT NULL,"
        " counts TEXT NOT NULL)"
    ),
    (
        "repeat_sums (day TEXT NOT NULL, tenant TEXT NOT NULL, use_case TEXT NOT NULL, requests INTEGER NOT NULL,"
        " hourly INTEGER NOT NULL, hourly_nusd INTEGER NOT NULL, daily INTEGER NOT NULL,"
        " daily_nusd INTEGER NOT NULL)"
    ),
    (
        "beginning_sums (day TEXT NOT NULL, tenant TEXT, use_case TEXT NOT NULL, deployment TEXT NOT NULL,"
        " length_bytes INTEGER NOT NULL, sends INTEGER NOT NULL, alike INTEGER NOT NULL,"
        " uncached_tokens INTEGER NOT NULL)"
    ),
    (
        "waiting_sums (day TEXT NOT NULL, tenant TEXT NOT NULL, use_case TEXT NOT NULL, deployment TEXT NOT NULL,"
        " sends INTEGER NOT NULL, cost_nusd INTEGER NOT NULL)"
    ),
)
SUM_TABLES = tuple(table.split(" ", 1)[0] for table in _SUMS)


def _spoiling(table: str, event: str) -> str:
    """Return the trigger by which a changed row takes its day off the summed ones.

    A correction also takes the day of its request, of which its attempt may not be: that costs a lookup,
    which a booking has no time for. What is asked of a request's day therefore looks at its attempts of that
    day alone.
    """
    rows = {"INSERT": ("NEW",), "DELETE": ("OLD",), "UPDATE": ("OLD", "NEW")}[event]
    days = [f"{row}.day" for row in rows if table != "prompts"]
    if table in ("corrections", "prompts"):
        days += [f"(SELECT day FROM operations WHERE id = {row}.operation_id)" for row in rows]  # noqa: S608 -- fixed words
    return (
        f"CREATE TRIGGER {table}_{event.lower()}_spoils AFTER {event} ON {table} BEGIN"  # noqa: S608 -- fixed words
        f" DELETE FROM summed_days WHERE day IN ({', '.join(days)}); END"
    )


_MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (
        """CREATE TABLE counters (
            scope TEXT NOT NULL, period TEXT NOT NULL,
            spent_nusd INTEGER NOT NULL DEFAULT 0, held_nusd INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (scope, period)) WITHOUT ROWID""",
        """CREATE TABLE holds (
            id INTEGER PRIMARY KEY, operation_id TEXT NOT NULL, attempt INTEGER NOT NULL,
            deployment TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
            scopes TEXT NOT NULL, day TEXT NOT NULL, month TEXT NOT NULL,
            held_nusd INTEGER NOT NULL, held_at TEXT NOT NULL, process TEXT NOT NULL)""",
        """CREATE TABLE attempts (
            operation_id TEXT NOT NULL, number INTEGER NOT NULL, day TEXT NOT NULL, month TEXT NOT NULL,
            scopes TEXT NOT NULL, deployment TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
            outcome TEXT NOT NULL, failure TEXT, status INTEGER, started_at TEXT NOT NULL,
            latency_ms INTEGER NOT NULL, first_token_ms INTEGER,
            input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
            cached_input_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
            tokens_estimated INTEGER NOT NULL,
            held_nusd INTEGER NOT NULL, cost_nusd INTEGER NOT NULL, cost_source TEXT NOT NULL,
            price_version TEXT NOT NULL, upstream_id TEXT,
            PRIMARY KEY (operation_id, number)) WITHOUT ROWID""",
        "CREATE INDEX attempts_by_day ON attempts (day)",
        """CREATE TABLE operations (
            id TEXT PRIMARY KEY, started_at TEXT NOT NULL, day TEXT NOT NULL, month TEXT NOT NULL,
            tenant TEXT NOT NULL, use_case TEXT NOT NULL, user TEXT, tags TEXT NOT NULL,
            outcome TEXT NOT NULL, error TEXT, cached TEXT NOT NULL, degraded TEXT,
            deployment TEXT, provider TEXT, model TEXT, attempts INTEGER NOT NULL,
            input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
            cost_nusd INTEGER NOT NULL, latency_ms INTEGER NOT NULL) WITHOUT ROWID""",
        "CREATE INDEX operations_by_day ON operations (day)",
    ),
    2: (
        "ALTER TABLE holds ADD COLUMN price_version TEXT NOT NULL DEFAULT ''",
        # By period first: the counters of now lie side by side, however many there are of the past.
        """CREATE TABLE counters_by_period (
            scope TEXT NOT NULL, period TEXT NOT NULL,
            spent_nusd INTEGER NOT NULL DEFAULT 0, held_nusd INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (period, scope)) WITHOUT ROWID""",
        "INSERT INTO counters_by_period SELECT scope, period, spent_nusd, held_nusd FROM counters",
        "DROP TABLE counters",
        "ALTER TABLE counters_by_period RENAME TO counters",
        """CREATE TABLE corrections (
            operation_id TEXT NOT NULL, number INTEGER NOT NULL, day TEXT NOT NULL, month TEXT NOT NULL,
            scopes TEXT NOT NULL, cost_nusd INTEGER NOT NULL, source TEXT NOT NULL, corrected_at TEXT NOT NULL,
            PRIMARY KEY (operation_id, number)) WITHOUT ROWID""",
        """CREATE TABLE monthly (
            month TEXT NOT NULL, tenant TEXT NOT NULL, use_case TEXT NOT NULL, provider TEXT NOT NULL,
            model TEXT NOT NULL, requests INTEGER NOT NULL, attempts INTEGER NOT NULL,
            input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_nusd INTEGER NOT NULL,
            PRIMARY KEY (month, tenant, use_case, provider, model)) WITHOUT ROWID""",
    ),
    3: (
        # What was expected of a prompt, to learn from what the provider counted.
        "ALTER TABLE attempts ADD COLUMN input_expected_tokens INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE attempts ADD COLUMN script TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE idempotency (
            tenant TEXT NOT NULL, key TEXT NOT NULL, request_hash TEXT NOT NULL, operation_id TEXT NOT NULL,
            process TEXT NOT NULL, state TEXT NOT NULL, until TEXT NOT NULL,
            PRIMARY KEY (tenant, key)) WITHOUT ROWID""",
        "CREATE INDEX idempotency_by_until ON idempotency (state, until)",
    ),
    4: (
        "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # A person may have to correct what a provider's record said.
        """CREATE TABLE corrections_in_steps (
            operation_id TEXT NOT NULL, number INTEGER NOT NULL, day TEXT NOT NULL, month TEXT NOT NULL,
            scopes TEXT NOT NULL, cost_nusd INTEGER NOT NULL, source TEXT NOT NULL, corrected_at TEXT NOT NULL,
            step INTEGER NOT NULL, note TEXT NOT NULL,
            PRIMARY KEY (operation_id, number, step)) WITHOUT ROWID""",
        "INSERT INTO corrections_in_steps SELECT *, 1, '' FROM corrections",
        "DROP TABLE corrections",
        "ALTER TABLE corrections_in_steps RENAME TO corrections",
    ),
    5: (
        # Beside the requests and not in their rows, which every report reads from end to end.
        "CREATE TABLE plan_shapes (key INTEGER PRIMARY KEY, shape TEXT NOT NULL)",
        """CREATE TABLE plans (
            operation_id TEXT PRIMARY KEY, shape_key INTEGER NOT NULL, numbers TEXT NOT NULL) WITHOUT ROWID""",
        # With its own names, so that it outlives the rows of a compacted month.
        """CREATE TABLE feedback (
            operation_id TEXT NOT NULL, source TEXT NOT NULL, day TEXT NOT NULL, month TEXT NOT NULL,
            tenant TEXT NOT NULL, use_case TEXT NOT NULL, model TEXT NOT NULL,
            score INTEGER, corrected INTEGER NOT NULL, given_at TEXT NOT NULL,
            PRIMARY KEY (operation_id, source)) WITHOUT ROWID""",
    ),
    6: (
        *(
            f"ALTER TABLE {table} ADD COLUMN {column}"
            for table in ("holds", "attempts", "corrections")
            # What was booked before hours were counted belongs to none.
            for column in ("hour TEXT NOT NULL DEFAULT ''", "runs TEXT NOT NULL DEFAULT '[]'")
        ),
        # Numbers are never given twice: rows of a run that was forgotten must not count for another.
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, name TEXT NOT NULL, max_nusd INTEGER,
            spent_nusd INTEGER NOT NULL DEFAULT 0, held_nusd INTEGER NOT NULL DEFAULT 0,
            rolled_nusd INTEGER NOT NULL DEFAULT 0, used_at TEXT NOT NULL, UNIQUE (tenant, name))""",
        "CREATE INDEX runs_by_use ON runs (used_at)",
        f"""INSERT INTO counters (scope, period, spent_nusd, held_nusd)
            SELECT scope, {_ISO_WEEK}, SUM(spent_nusd), SUM(held_nusd) FROM counters
            WHERE length(period) = 10 AND date(period) IS NOT NULL GROUP BY 1, 2""",  # noqa: S608 -- fixed words
        """INSERT INTO about SELECT 'began_at', began FROM (SELECT MIN(began) AS began FROM (
            SELECT MIN(started_at) AS began FROM attempts UNION ALL SELECT MIN(held_at) FROM holds
            UNION ALL SELECT MIN(month) || '-01T00:00:00+00:00' FROM monthly)) WHERE began IS NOT NULL""",
    ),
    7: (
        # Beside the requests, as plans are.
        """CREATE TABLE prompts (
            operation_id TEXT PRIMARY KEY, whole BLOB NOT NULL, beginnings BLOB NOT NULL,
            length_bytes INTEGER NOT NULL, waited INTEGER NOT NULL) WITHOUT ROWID""",
        "INSERT INTO about VALUES ('prompt_secret', lower(hex(randomblob(32))))",
    ),
    8: (
        # Who counts a day writes a token of its own, which a row that is booked meanwhile takes away.
        "CREATE TABLE summed_days (day TEXT PRIMARY KEY, counting TEXT) WITHOUT ROWID",
        *(f"CREATE TABLE {table}" for table in _SUMS),
        *(f"CREATE INDEX {name}_by_day ON {name} (day)" for name in SUM_TABLES),
        *(
            _spoiling(table, event)
            for table in ("operations", "attempts", "corrections", "prompts")
            for event in ("INSERT", "UPDATE", "DELETE")
            # A print is written with the row of its request, which takes the day away.
            if (table, event) != ("prompts", "INSERT")
        ),
    ),
    9: tuple(
        # Probes of ours had names then that customers may have: these days are summed anew, by today's rule.
        f"DELETE FROM {table} WHERE day IN ("  # noqa: S608 -- fixed words
        "SELECT day FROM request_sums WHERE tenant IN ('doctor', 'health_check'))"
        # The table that is asked comes last.
        for table in ("summed_days", *reversed(SUM_TABLES))
    ),
}


READABLE_SINCE = 6
"""What came later are tables of their own: without them an older file says what it always said."""


def stand_in(connection: sqlite3.Connection, version: int) -> None:
    """Give a look at a file of `READABLE_SINCE` or later the tables that it lacks, empty and temporary."""
    for later in range(version + 1, VERSION + 1):
        for statement in _MIGRATIONS[later]:
            if statement.startswith("CREATE TABLE "):
                connection.execute(statement.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))


def migrate(connection: sqlite3.Connection, *, path: str) -> None:
    """Bring the file to the current version, in one transaction.

    Raises:
        LedgerError: the file was written by a newer version of this program.
    """
    current = connection.execute("PRAGMA user_version").fetchone()[0]
    if current == VERSION:
        return
    if current > VERSION:
        msg = (
            f"the ledger {path} has schema {current}, this program knows up to {VERSION}: "
            "upgrade nextflow-orchestrator, or set ledger.path to another file"
        )
        raise LedgerError(msg)
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited for the lock.
        current = connection.execute("PRAGMA user_version").fetchone()[0]
        for version in range(current + 1, VERSION + 1):
            for statement in _MIGRATIONS[version]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        # A disk that is full or fails may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
