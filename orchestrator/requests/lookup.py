"""Looks requests up in the ledger; a tenant's reader sees that tenant's requests and no trace of others."""

from datetime import datetime

from orchestrator.core.errors import RequestNotFoundError
from orchestrator.core.names import name_of
from orchestrator.ledger.contents import ContentStore, KeptContent
from orchestrator.ledger.requests import RequestDetail, RequestQuery, RequestRow, is_whole_id, request_id_of
from orchestrator.ledger.store import LedgerView

_NAMED_MAX = 3
"""So many ids are named where a beginning fits several."""


def find_requests(view: LedgerView, query: RequestQuery) -> tuple[RequestRow, ...]:
    """Return the requests that a query asks for; none where there is no ledger yet.

    Raises:
        LedgerError: the ledger cannot be read, or is of another version; says what to do.
    """
    if not view.exists:
        return ()
    with view:
        return view.requests(query)


def find_request(view: LedgerView, request_id: str, *, tenant: str | None = None) -> RequestDetail:
    """Return one request by its id, or by a beginning of it that only this one has.

    With `tenant` the requests of others are not there: whoever looks learns nothing of them.

    Raises:
        InvalidRequestError: that is no id, or no name of a tenant.
        RequestNotFoundError: no request (of this tenant) has it, or several begin so.
        LedgerError: the ledger cannot be read, or is of another version; says what to do.
    """
    prefix = request_id_of(request_id)
    if not view.exists:
        raise RequestNotFoundError(f"no request has been recorded yet: there is no ledger at {view.location}")
    with view:
        detail = view.request(_whole_id(view, prefix, tenant))
    if detail is None:
        raise _unknown(request_id)
    return detail


def find_booked_id(view: LedgerView, request_id: str) -> str:
    """Return the whole id of a request by a beginning of it that only this one has.

    A whole id is returned as it is: an attempt may be booked whose request has no row.

    Raises:
        InvalidRequestError: that is no id.
        RequestNotFoundError: no request begins so, or several do.
        LedgerError: the ledger cannot be read, or is of another version; says what to do.
    """
    prefix = request_id_of(request_id)
    if is_whole_id(prefix):
        return prefix
    with view:
        return _whole_id(view, prefix, None)


def find_content(
    view: LedgerView, contents: ContentStore, request_id: str, *, tenant: str | None = None, now: datetime
) -> KeptContent | None:
    """Return the prompt and the reply of a request, None where config.yaml has not kept them (any more).

    Raises:
        InvalidRequestError, RequestNotFoundError, LedgerError: as `find_request`.
    """
    return contents.find(find_request(view, request_id, tenant=tenant).request.id, now=now)


def _whole_id(view: LedgerView, prefix: str, tenant: str | None) -> str:
    counted = None if tenant is None else name_of(tenant, "tenant")
    ids = view.request_ids(prefix, tenant=counted, limit=_NAMED_MAX + 1)
    if not ids:
        raise _unknown(prefix)
    if len(ids) > 1 and prefix not in ids:
        named = ", ".join(ids[:_NAMED_MAX])
        more = " and more" if len(ids) > _NAMED_MAX else ""
        raise RequestNotFoundError(f"several requests begin with '{prefix}': {named}{more}; give more digits")
    return ids[0]


def _unknown(request_id: str) -> RequestNotFoundError:
    return RequestNotFoundError(
        f"no request '{request_id}' is recorded: 'orchestrator requests' lists them; one that is under way has "
        "no row yet, a repetition under an idempotency key has the id of the first, and compacted months have none"
    )
