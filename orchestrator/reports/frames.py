"""The ledger as pandas frames: one row a request, one row a send; money is int64 nano-dollars.

    operations  id, started_at, day, tenant, use_case, user, tags, outcome, error, cached, degraded,
                deployment, provider, model, attempts, input_tokens, output_tokens, cost_nusd, latency_ms
    attempts    operation_id, number, day, deployment, provider, model, outcome, failure, status,
                started_at, latency_ms, first_token_ms, input_tokens, output_tokens,
                cached_input_tokens, tokens_estimated, cost_nusd, cost_source, upstream_id, tenant, use_case,
                user, tags

int64 holds nine billion dollars in nano-dollars, so sums are exact; no column of money is a float.
Tags are a tuple of names; a request without a user has a missing one.
"""

import orjson
import pandas as pd

from orchestrator.core.names import name_of
from orchestrator.ledger.facts import Rows
from orchestrator.ledger.store import LedgerView

_NUMBERS = frozenset(
    {"number", "attempts", "latency_ms", "input_tokens", "output_tokens", "cached_input_tokens", "cost_nusd"}
)
_NUMBERS_OR_NOTHING = frozenset({"status", "first_token_ms"})


def operations(view: LedgerView, *, month: str, tenant: str | None = None) -> pd.DataFrame:
    """Return the requests of a month (`2026-11`), of one tenant or of all.

    Raises:
        LedgerError: the ledger cannot be read.
        InvalidRequestError: the tenant is no name.
    """
    return _framed(view.operations(month=month, tenant=_counted(tenant)))


def attempts(view: LedgerView, *, month: str, tenant: str | None = None) -> pd.DataFrame:
    """Return the sends booked into a month, of one tenant or of all.

    Raises:
        LedgerError: the ledger cannot be read.
        InvalidRequestError: the tenant is no name.
    """
    frame = _framed(view.attempts(month=month, tenant=_counted(tenant)))
    frame["tokens_estimated"] = frame["tokens_estimated"].astype("bool")
    return frame


def _counted(tenant: str | None) -> str | None:
    return None if tenant is None else name_of(tenant, "tenant")


def _framed(rows: Rows) -> pd.DataFrame:
    frame = pd.DataFrame.from_records(list(rows.rows), columns=list(rows.columns))
    for name in frame.columns:
        if name in _NUMBERS:
            frame[name] = frame[name].astype("int64")
        elif name in _NUMBERS_OR_NOTHING:
            frame[name] = frame[name].astype("Int64")
        elif name == "started_at":
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
        elif name == "tags":
            frame[name] = [tuple(orjson.loads(tags)) for tags in frame[name]]
            frame[name] = frame[name].astype("object")
        elif name != "tokens_estimated":
            frame[name] = frame[name].astype("str")
    return frame
