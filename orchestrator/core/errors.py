"""The tree of everything this package raises.

    OrchestratorError
    ├── ConfigError                 config.yaml or the environment is wrong: file, line, what to do
    ├── RequestError                the caller's request cannot be served as it is
    │   ├── InvalidRequestError     empty messages, an unknown parameter, text that is not text
    │   ├── UnknownNameError        a use case or a model that config.yaml does not define
    │   ├── RequestNotFoundError    no request of this id is recorded, or several begin so
    │   ├── PromptTooLargeError     larger than any context that may serve it
    │   ├── IdempotencyConflictError  the key was used with another request
    │   └── RejectedByProviderError a provider refused the request itself (HTTP 400, 422)
    ├── BudgetExceededError         a limit would be passed: which, what is left, when it resets
    ├── PriceUnknownError           a model has no price, and nothing is booked at $0 by accident
    ├── UnavailableError            no deployment answered
    │   ├── AllProvidersFailedError every deployment of the plan was tried or skipped; says why each
    │   ├── DeadlineExceededError   the request's time is over
    │   ├── OverloadedError         too many requests at once in this process; says when to ask again
    │   ├── StreamInterruptedError  the answer broke off after its first words; carries them
    │   └── LocalModelError         the embedded model could not be started
    ├── InvalidOutputError          a structured answer stayed invalid after repair and fallback
    ├── StateError                  the ledger or the cache cannot be read or written
    │   ├── LedgerError             no call is made that could not be booked
    │   ├── ReplyLostError          an idempotency key was answered, and its stored reply is gone
    │   └── AnswerNotRecordedError  a file of recorded answers, which is replayed, has none to this request
    └── ClosedError                 the Orchestrator was closed

Every message says what happened, where, and what to do. None carries a prompt, a reply or a key.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from orchestrator.core.money import ZERO_NUSD, NanoUsd, format_usd


class OrchestratorError(Exception):
    """The base of every error of this package; `request_id` names the request where there is one."""

    request_id: str | None = None
    for_caller: str | None = None
    """What callers of a server are told in the place of the message, which advises whoever runs it."""

    def __str__(self) -> str:
        """Return what it says, as text that can be written: it may name what was no text."""
        return super().__str__().encode("utf-8", "backslashreplace").decode()

    @property
    def in_one_line(self) -> str:
        """What it says, for logs, headers, the ledger and other programs."""
        return "; ".join(line.strip() for line in str(self).splitlines())

    def of_request(self, request_id: str) -> Self:
        """Return the error, naming the request that it tells of."""
        self.request_id = request_id
        return self

    def told_callers(self, text: str) -> Self:
        """Return the error with the words for callers of a server, who have none of its files."""
        self.for_caller = text
        return self

    @property
    def exit_code(self) -> int:
        """The command line's exit status for this error."""
        return 1


class ConfigError(OrchestratorError):
    """The configuration is wrong; the message starts with file, line and column where known."""

    exit_code = 2


class RequestError(OrchestratorError):
    """The caller's request cannot be served as it is."""

    exit_code = 2


class InvalidRequestError(RequestError):
    """The request is malformed."""

    field: str | None = None
    """Of `ChatRequest`, or a sampling parameter: which of them is wrong, where it is one."""


class _About:
    """Names a field in an error; a class: a request enters sixteen, and a generator takes thrice as long."""

    __slots__ = ("_field",)

    def __init__(self, field: str) -> None:
        self._field = field

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, InvalidRequestError):
            error.field = error.field or self._field


def about(field: str) -> AbstractContextManager[None]:
    """Name the field that is being checked in whatever error comes of it."""
    return _About(field)


class UnknownNameError(RequestError):
    """The request names a use case, model or provider that the configuration does not define."""


class RequestNotFoundError(RequestError):
    """The ledger has no request of this id, or none that the reader may see."""


class PromptTooLargeError(RequestError):
    """The prompt is larger than any context that may serve it."""


class IdempotencyConflictError(RequestError):
    """The idempotency key was used before with a different request."""


class RejectedByProviderError(RequestError):
    """A provider refused the request itself, and every other would too."""


OWN_LIMIT = "max_cost_nusd of this request"
"""The scope of a limit that a request sets itself."""
ASK_WHO_OPERATES = "ask who operates this server"
"""What a caller can do about what only the server's own configuration changes."""
RAISE_IN_FILE = "raise the limit under 'budgets' in config.yaml."
"""What to do about a limit, for whoever has the file."""


_OF_CHATS = (
    "Lower max_tokens, send less (a PDF, or a picture by its address, counts for all that a model may read)"
)
_OF_TEXTS = "Send fewer texts, or shorter ones"


class BudgetExceededError(OrchestratorError):
    """A limit would be passed, so nothing was sent."""

    exit_code = 3

    def __init__(  # noqa: PLR0913 -- one keyword for each independent amount
        self,
        *,
        scope: str,
        window: str,
        limit: NanoUsd,
        left: NanoUsd,
        needed: NanoUsd,
        resets_at: datetime | None,
        held: NanoUsd = ZERO_NUSD,
    ) -> None:
        """Say which limit, what is left of it, what was needed, when it resets, and what to do."""
        self.scope = scope
        """Whose limit: `all`, `tenant:acme`, `use_case:bulk`, `user:42`, `provider:google`,
        `model:gpt-6-luna`, `tag:trial`, `run:thread-42`, or `OWN_LIMIT`."""
        self.window = window
        """`request`, `hour`, `day`, `week`, `month` or `run`."""
        self.limit = limit
        """With what was rolled over from the window before."""
        self.left = left
        self.needed = needed
        self.resets_at = resets_at
        """When the window ends; None for the limit of a single request or of a run."""
        self.held = held
        """Of the limit: held for requests under way, which may free a part of it."""
        reset = f"; it resets at {resets_at.isoformat(timespec='minutes')}" if resets_at else ""
        others = f" ({format_usd(held)} is held for requests under way)" if held else ""
        super().__init__(
            f"the {window} budget of {scope} allows {format_usd(limit)} and has {format_usd(left)} left{others}, "
            f"but this request may cost {format_usd(needed)}{reset}. "
            f"{_OF_CHATS}, choose a cheaper model, or {_remedy(scope)}"
        )

    def advise_on_texts(self) -> None:
        """Let the words advise whoever asked for vectors, which have no max_tokens."""
        self.args = (str(self.args[0]).replace(_OF_CHATS, _OF_TEXTS),)

    def needing(self, needed: NanoUsd) -> "BudgetExceededError":
        """Return the refusal of another amount by the same limit."""
        return BudgetExceededError(
            scope=self.scope, window=self.window, limit=self.limit, left=self.left, needed=needed,
            resets_at=self.resets_at, held=self.held,
        )  # fmt: skip

    @property
    def may_pass(self) -> bool:
        """Return whether only what is held for others refuses it, so that it may fit when they have ended."""
        return self.held > 0 and self.needed <= self.left + self.held


def cheapest_of(refusals: Iterable[BudgetExceededError | None]) -> BudgetExceededError | None:
    """Return the refusal of the least amount, the first of equal ones: none can be asked for less."""
    return min((each for each in refusals if each is not None), key=lambda each: each.needed, default=None)


def _remedy(scope: str) -> str:
    if scope.startswith("run:"):
        return "begin another run: one keeps the max_cost_usd that was named for it first."
    return "raise max_cost_nusd." if scope == OWN_LIMIT else RAISE_IN_FILE


class PriceUnknownError(OrchestratorError):
    """A model has no price."""

    exit_code = 2


class UnavailableError(OrchestratorError):
    """No deployment answered."""

    exit_code = 4
    cost_nusd: NanoUsd = NanoUsd(0)
    """What attempts that failed cost all the same."""


@dataclass(frozen=True, slots=True)
class FailedStep:
    """What became of one deployment of a plan in which none answered."""

    deployment: str
    reason: str
    failure: str | None = None
    """The kind of its last failure, one of `core.failures.FailureKind`; of what was not sent only
    `rate_limited`, where the provider had asked for no more."""
    scope: str | None = None
    """Whose budget was in the way, as `BudgetExceededError` names it; None where none was."""


class AllProvidersFailedError(UnavailableError):
    """Every deployment of the plan was tried or skipped."""

    def __init__(
        self, message: str, *, steps: tuple[FailedStep, ...] = (), retry_after_s: float | None = None
    ) -> None:
        """Keep each step, in order, beside the message."""
        self.steps = steps
        self.retry_after_s = retry_after_s
        """When a limit in the way has room again, ours or that of all providers; None where none was."""
        super().__init__(message)

    def __str__(self) -> str:
        """Return the message, and a line a step: it is read by a person, in a traceback or a terminal."""
        return "\n  ".join([super().__str__(), *self._reasons()])

    @property
    def in_one_line(self) -> str:
        """The message, and the steps in brackets behind it."""
        reasons = "; ".join(self._reasons())
        return f"{super().__str__()} ({reasons})" if reasons else super().__str__()

    def _reasons(self) -> list[str]:
        # Each once: that an attempt was made four times is for the ledger.
        return list(dict.fromkeys(f"{step.deployment}: {step.reason}" for step in self.steps))


def step_lines(text: str) -> list[str]:
    """Return what was said `in_one_line` of a request that nobody answered, a line a step."""
    message, bracket, steps = text.partition(" (")
    return [message, *(f"  {step}" for step in steps.removesuffix(")").split("; ") if bracket)]


class DeadlineExceededError(UnavailableError):
    """The request's time is over."""

    def __init__(
        self,
        message: str,
        *,
        partial_text: str = "",
        nothing_sent: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        """Keep the words of a stream that had arrived, which are not part of the message.

        `nothing_sent` says that all of the time went by before anybody was asked; `retry_after_s`, when the
        same request may be sent again and costs nothing more for that.
        """
        self.partial_text = partial_text
        self.retry_after_s = retry_after_s
        self.nothing_sent = nothing_sent
        super().__init__(message)


class OverloadedError(UnavailableError):
    """Too many requests are under way and waiting in this process; nothing was sent."""

    def __init__(self, message: str, *, waiting: int, retry_after_s: float) -> None:
        """Keep how many wait, and when it is worth asking again."""
        self.waiting = waiting
        self.retry_after_s = retry_after_s
        self.for_caller = f"{message}; ask again in {retry_after_s:.1f} s"
        super().__init__(f"{self.for_caller}, or raise what 'overload' in config.yaml allows")


class StreamInterruptedError(UnavailableError):
    """The stream broke off after its first words; they were billed and are booked."""

    def __init__(self, message: str, *, partial_text: str) -> None:
        """Keep the words that had arrived; they are not part of the message."""
        self.partial_text = partial_text
        super().__init__(message)


class LocalModelError(UnavailableError):
    """The embedded local model could not be started."""


class InvalidOutputError(OrchestratorError):
    """A structured answer stayed invalid after repair and on every model that was tried."""

    exit_code = 5


class StateError(OrchestratorError):
    """What is remembered between requests cannot be read or written."""

    exit_code = 6


class LedgerError(StateError):
    """The ledger cannot be read or written; no call is made that could not be booked."""


class ReplyLostError(StateError):
    """The request of this idempotency key was answered, and its stored reply is missing or damaged."""


class AnswerNotRecordedError(StateError):
    """Answers are replayed from a file that has none to this request; nobody was asked."""


class ClosedError(OrchestratorError):
    """The Orchestrator was closed and takes no more requests."""
