"""Takes feedback on an answer: the score into the ledger, a better answer to where replies are kept."""

from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.core.errors import InvalidRequestError, RequestNotFoundError
from orchestrator.core.names import name_of
from orchestrator.ledger.contents import TEXT_MAX, ContentStore, kept_text
from orchestrator.ledger.feedback import Feedback
from orchestrator.ledger.store import LedgerStore
from orchestrator.requests.lookup import find_request


@dataclass(frozen=True, slots=True)
class TakenFeedback:
    """What became of feedback."""

    request_id: str
    corrected_is_kept: bool
    """The better answer itself is kept; else only that there was one."""


def give_feedback(  # noqa: PLR0913 -- each is a part of what is said
    store: LedgerStore,
    contents: ContentStore,
    request_id: str,
    *,
    score: int | None = None,
    corrected: str | None = None,
    source: str = "user",
    tenant: str | None = None,
    now: datetime,
    secrets: tuple[str, ...] = (),
) -> TakenFeedback:
    """Keep what a source thinks of an answer; its next word on the same request takes the place of this one.

    Raises:
        InvalidRequestError: it says nothing, or no score from 1 to 5.
        RequestNotFoundError: no request (of this tenant) has this id.
        LedgerError: it cannot be written; nothing was kept.
    """
    if corrected is not None and not _is_answer(corrected):
        raise InvalidRequestError(f"'corrected' is the better answer, of 1 to {TEXT_MAX:,} characters")
    feedback = Feedback("", source, now, score, corrected=corrected is not None)
    tenant = None if tenant is None else name_of(tenant, "tenant")
    identity = find_request(store.view(), request_id, tenant=tenant).request.id
    if not store.give_feedback(replace(feedback, operation_id=identity), tenant=tenant):
        raise RequestNotFoundError(f"the request '{identity}' was compacted meanwhile")
    is_kept = corrected is not None and contents.keep_corrected(
        identity, kept_text(corrected, secrets=secrets)
    )
    return TakenFeedback(identity, is_kept)


def _is_answer(corrected: object) -> bool:
    """Return whether it is text that can be written: half an emoji cannot."""
    if not isinstance(corrected, str) or not 0 < len(corrected.strip()) <= TEXT_MAX:
        return False
    try:
        corrected.encode()
    except UnicodeEncodeError:
        return False
    return True
