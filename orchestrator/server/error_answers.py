"""Errors as OpenAI's clients read them: status, type, code, and when it is worth asking again.

`x-should-retry` tells stock clients whether to ask again by themselves. They would after every 5xx, and what
failed here was tried on every deployment already: only what passes soon is worth it.

A budget that is used up is 402 and not 429, which stock clients repeat at once.
"""

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.core import errors
from orchestrator.core.errors import BudgetExceededError, OrchestratorError

logger = logging.getLogger("orchestrator.server")

_RETRY_SOON_S = 60.0
_STATUS_INVALID, _STATUS_BUDGET, _STATUS_SERVER = 400, 402, 500


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error as it is answered."""

    status: int
    message: str
    code: str
    kind: str = "invalid_request_error"
    """OpenAI's `type`."""
    param: str | None = None
    """The field that is wrong."""
    retry_after_s: float | None = None
    request_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return the body."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
                "request_id": self.request_id,
            }
        }

    def all_headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        soon = self.retry_after_s is not None and self.retry_after_s <= _RETRY_SOON_S
        headers = {
            "x-should-retry": "true" if soon and self.status != _STATUS_BUDGET else "false",
            **self.headers,
        }
        if self.retry_after_s is not None:
            headers["retry-after"] = str(max(1, math.ceil(self.retry_after_s)))
        if self.request_id is not None:
            headers["x-request-id"] = headers["x-nextflow-request-id"] = self.request_id
        return headers


class AnswerError(Exception):
    """A request is answered with an error that its door decided on."""

    def __init__(self, answer: ErrorAnswer) -> None:
        """Keep the answer."""
        super().__init__(answer.code)
        self.answer = answer


def refusal(message: str, *, param: str | None = None, code: str = "invalid_value") -> AnswerError:
    """Return a 400 to raise."""
    return AnswerError(ErrorAnswer(_STATUS_INVALID, message, code, param=param))


_API, _LIMIT = "api_error", "insufficient_quota"

_ANSWERS: Mapping[type[OrchestratorError], tuple[int, str, str]] = {
    errors.InvalidRequestError: (400, "invalid_request_error", "invalid_value"),
    errors.UnknownNameError: (404, "invalid_request_error", "model_not_found"),
    errors.RequestNotFoundError: (404, "invalid_request_error", "request_not_found"),
    errors.PromptTooLargeError: (400, "invalid_request_error", "context_length_exceeded"),
    # Not 409, which stock clients repeat.
    errors.IdempotencyConflictError: (422, "invalid_request_error", "idempotency_key_reused"),
    errors.RejectedByProviderError: (400, "invalid_request_error", "rejected_by_provider"),
    errors.RequestError: (400, "invalid_request_error", "invalid_value"),
    errors.BudgetExceededError: (402, _LIMIT, "budget_exceeded"),
    errors.AllProvidersFailedError: (503, _API, "no_provider_answered"),
    errors.DeadlineExceededError: (504, _API, "deadline_exceeded"),
    errors.OverloadedError: (503, _API, "overloaded"),
    errors.StreamInterruptedError: (502, _API, "stream_interrupted"),
    errors.UnavailableError: (503, _API, "unavailable"),
    errors.InvalidOutputError: (502, _API, "invalid_output"),
    errors.StateError: (503, _API, "ledger_unavailable"),
    errors.ClosedError: (503, _API, "stopping"),
    errors.PriceUnknownError: (500, _API, "price_unknown"),
}
_PARAMS = {
    "model_not_found": "model",
    "request_not_found": "request_id",
    "context_length_exceeded": "messages",
    "idempotency_key_reused": "idempotency-key",
}
_OURS = "x-nextflow-"
_NAMES_HERE = {
    "use_case": "model",
    "idempotency_key": "idempotency-key",
    "tags": f"{_OURS}tags",
    "cache": f"{_OURS}cache",
    "deadline_s": f"{_OURS}deadline-s",
    "max_cost_nusd": f"{_OURS}max-cost-usd",
    "run": f"{_OURS}run",
    "max_cost_usd": f"{_OURS}run-max-cost-usd",
    "texts": "input",
}
"""Fields of ours by the name that they have in a body or a header; the others have OpenAI's own."""
_LIMIT_WORDS = {
    **{name: _NAMES_HERE[name] for name in ("max_cost_nusd", "max_cost_usd")},
    errors.RAISE_IN_FILE: f"{errors.ASK_WHO_OPERATES} to raise the limit.",
}
"""What a refusal for money names that a caller has not, by what it has here."""
_LIMIT_WORD = re.compile("|".join(rf"(?<![\w:]){re.escape(word)}" for word in _LIMIT_WORDS))
_NAMED_IN = {"max_cost_usd": ("max_cost_usd", "max_cost_nusd", "run")}
"""Fields of ours whose errors name others too."""
_UNSEEN: Mapping[type[OrchestratorError], str] = {
    # Their own words name files of this machine.
    errors.StateError: "the ledger or a store of replies cannot be used at the moment; operations can see why",
    errors.RequestNotFoundError: "no request of this tenant has this id, or several begin so",
    errors.ConfigError: "the server's configuration cannot be used; operations can see why",
}
_NUMBER = re.compile(r"(?<![^\s($<~])[0-9][0-9.,]*")
"""What stands alone or before its unit; one within a name, as in `gpt-4`, is a part of the name."""
_LOGGED_EVERY = timedelta(hours=1)
_LOGGED_MAX = 100
_logged: dict[str, datetime] = {}
"""What was kept from callers, and when it was logged last; one line for each cause, not for each request."""
_STOPPING_RETRY_S = 1.0
_HELD_RETRY_S = 5.0
"""Until requests under way have ended, which hold what is left of a budget."""


def answer_of(error: OrchestratorError, *, now: datetime, scopes: frozenset[str]) -> ErrorAnswer:
    """Return the answer to an error; amounts are told of the caller's own `scopes` alone."""
    status, kind, code = next(
        (_ANSWERS[parent] for parent in type(error).__mro__ if parent in _ANSWERS),
        (_STATUS_SERVER, _API, "internal_error"),
    )
    retry_after_s = getattr(error, "retry_after_s", None)
    if isinstance(error, BudgetExceededError) and error.resets_at is not None:
        retry_after_s = max(0.0, (error.resets_at - now).total_seconds())
    if isinstance(error, BudgetExceededError) and error.may_pass:
        retry_after_s = _HELD_RETRY_S
    if isinstance(error, errors.ClosedError):
        retry_after_s = _STOPPING_RETRY_S
    _log_unseen(error, now)
    message, param = _message_of(error, scopes), _PARAMS.get(code)
    if isinstance(error, errors.InvalidRequestError) and error.field is not None:
        param = _NAMES_HERE.get(error.field, error.field)
        for name in _NAMED_IN.get(error.field, (error.field,)):
            message = message.replace(f"'{name}'", f"'{_NAMES_HERE.get(name, name)}'")
    return ErrorAnswer(
        status,
        message,
        code,
        kind,
        param=param,
        retry_after_s=retry_after_s,
        request_id=error.request_id,
    )


def _message_of(error: OrchestratorError, scopes: frozenset[str]) -> str:
    for kind, text in _UNSEEN.items():
        if isinstance(error, kind):
            return text
    if isinstance(error, BudgetExceededError) and not _is_own(error.scope, scopes):
        # What is left of it tells what others spent.
        until = error.resets_at
        reset = f"; it resets at {until.isoformat(timespec='minutes')}" if until else ""
        return (
            f"the {error.window} budget of {error.scope}, which this tenant shares with others, has no room for "
            f"this request{reset}"
        )
    if isinstance(error, BudgetExceededError):
        return _LIMIT_WORD.sub(lambda word: _LIMIT_WORDS[word[0]], error.in_one_line)
    return error.for_caller or error.in_one_line


def _log_unseen(error: OrchestratorError, now: datetime) -> None:
    """Log what only operations may see; of the ledger an alert tells it."""
    unseen = error.for_caller is not None or isinstance(error, errors.StateError | errors.ConfigError)
    if not unseen or isinstance(error, errors.LedgerError):
        return
    # Without the steps of an outage and without numbers, which are others in each request.
    cause = _NUMBER.sub("#", str(error.args[0]) if error.args else "")
    before = _logged.get(cause)
    if before is None or not timedelta(0) <= now - before < _LOGGED_EVERY:
        if len(_logged) >= _LOGGED_MAX:
            _logged.clear()
        _logged[cause] = now
        logger.warning("request %s cannot be answered: %s", error.request_id or "-", error.in_one_line)


def _is_own(scope: str, scopes: frozenset[str]) -> bool:
    # A run is of the caller's own tenant, whoever else has one of the same name.
    return scope in scopes or scope == errors.OWN_LIMIT or scope.startswith("run:")
