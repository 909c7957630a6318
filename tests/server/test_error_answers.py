"""What callers are told of an error, and what only the log tells."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace

import openai
import pytest

from orchestrator.catalog.catalog import MissingKey
from orchestrator.core import errors
from orchestrator.core.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    DeadlineExceededError,
    FailedStep,
    OrchestratorError,
    OverloadedError,
    UnavailableError,
    UnknownNameError,
)
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.history import DispatchHistory
from orchestrator.dispatch.outcome import failure_error
from orchestrator.pipeline import idempotency
from orchestrator.practice import Fault
from orchestrator.routing.settings import OnFiltered
from orchestrator.server import error_answers
from orchestrator.server.error_answers import answer_of
from orchestrator.streaming.stream_writer import StreamWriter
from tests.server.test_chat import QUESTION, stock

NOW = datetime(2026, 11, 29, tzinfo=UTC)
CALL = SimpleNamespace(id="r1", deadline=SimpleNamespace(timeout_s=5.0))
HOLDER = SimpleNamespace(operation_id="r0")
OPERATORS = ("config.yaml", "API_KEY", "/run/", "requests_per_min", "overload'", "on_filtered")


@pytest.fixture(autouse=True)
def _nothing_was_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_answers, "_logged", {})


def test_an_overload_is_told_without_what_only_operators_can_do(caplog):
    error = OverloadedError("500 requests wait", waiting=500, retry_after_s=1.5)
    answer = answer_of(error, now=NOW, scopes=frozenset())
    assert answer.message == "500 requests wait; ask again in 1.5 s"
    assert "raise what 'overload' in config.yaml allows" in caplog.text


def test_what_callers_are_not_told_is_logged_once_for_each_cause(caplog):
    """Numbers and the steps of an outage differ from request to request, and are no cause of their own."""
    for waiting in (500, 501):
        answer_of(
            OverloadedError(f"{waiting} requests wait", waiting=waiting, retry_after_s=1),
            now=NOW,
            scopes=frozenset(),
        )
        dear = UnavailableError(f"a/b-4: needs up to ${waiting}.01 (<$0.{waiting}, {waiting:,} tokens)")
        answer_of(dear.told_callers("nobody may"), now=NOW, scopes=frozenset())
        error = AllProvidersFailedError("nobody", steps=(FailedStep("a/b", f"broke {waiting}"),))
        answer_of(error.told_callers("nobody answered"), now=NOW, scopes=frozenset())
    assert len(caplog.records) == 3


def test_two_deployments_are_two_causes_though_only_a_digit_tells_them_apart(caplog):
    for name in ("openai/gpt-4", "openai/gpt-5.1"):
        error = UnknownNameError(f"deployment '{name}' is off: no key").told_callers("it is off")
        answer_of(error, now=NOW, scopes=frozenset())
    assert [name for name in ("gpt-4", "gpt-5.1") if name not in caplog.text] == []


def test_a_server_without_keys_names_no_variable_to_its_callers(serve, monkeypatch, caplog):
    keyless = {name: {"api_key": ""} for name in ("openrouter", "google", "openai")}
    running = serve({"providers": {**keyless, "local": {"enabled": False}}})
    for model in ("customer_service", "openai/gpt-6-luna", "gpt-6-luna"):
        with pytest.raises(openai.APIStatusError) as refused:
            stock(running).chat.completions.create(model=model, messages=QUESTION)
        assert "ask who operates this server" in refused.value.message
        assert not [word for word in OPERATORS if word in refused.value.message]
    assert "api_key" in caplog.text


def test_an_apology_names_no_variable_to_its_callers_either(serve):
    """Its reason is the error in whose place it stands."""
    keyless = {name: {"api_key": ""} for name in ("openrouter", "google", "openai")}
    use_cases = {"customer_service": {"graceful": True}}
    running = serve({"providers": {**keyless, "local": {"enabled": False}}, "use_cases": use_cases})
    answer = stock(running).chat.completions.create(model="customer_service", messages=QUESTION)
    reason = answer.model_extra["nextflow"]["degraded_reason"]
    assert reason.startswith("nobody answered: no deployment may serve this request")
    assert "ask who operates this server" in reason
    assert not [word for word in OPERATORS if word in reason]


def test_an_answer_without_its_primary_names_no_variable_to_its_callers(serve):
    running = serve({"providers": {"openrouter": {"api_key": ""}}})
    answer = stock(running).chat.completions.create(model="customer_service", messages=QUESTION)
    reason = answer.model_extra["nextflow"]["degraded_reason"]
    assert reason.endswith("left out: it is off")


def test_an_outage_names_each_step_once(serve, practice):
    running = serve({"providers": {"local": {"enabled": False}}, "cache": {"enabled": False}})
    practice.faults.add(Fault.parse("*:status=503"))
    with pytest.raises(openai.APIStatusError) as failed:
        stock(running).chat.completions.create(model="content_generation", messages=QUESTION)
    steps = failed.value.message.partition(" (")[2].partition(")")[0].split("; ")
    assert len(steps) == len(set(steps)) > 1


@pytest.mark.parametrize(
    ("fault", "says", "header"),
    [
        ("status=503", "ask again later, not at once", "false"),
        ("status=429,retry_after_s=40", "they asked for no more for a while: ask again in ", "true"),
    ],
)
def test_the_words_of_an_outage_and_its_header_say_the_same(serve, practice, fault, says, header):
    """It said "try again in a moment" beside a header that forbids it."""
    running = serve({"providers": {"local": {"enabled": False}}, "cache": {"enabled": False}})
    practice.faults.add(Fault.parse(f"*:{fault}"))
    with pytest.raises(openai.APIStatusError) as failed:
        stock(running).with_options(max_retries=0).chat.completions.create(
            model="content_generation", messages=QUESTION, extra_headers={"x-nextflow-deadline-s": "5"}
        )
    assert says in failed.value.message
    assert failed.value.response.headers["x-should-retry"] == header


def test_the_operators_words_stay_in_the_error():
    error = UnavailableError(f"off: {MissingKey('openai', 'OPENAI_API_KEY')}").told_callers("off")
    assert "OPENAI_API_KEY" in str(error)
    assert answer_of(error, now=NOW, scopes=frozenset()).message == "off"


SAID: dict[type[OrchestratorError], list[OrchestratorError]] = {
    errors.AllProvidersFailedError: [
        failure_error(DispatchHistory(), failure=None, advice="", **{"on_filtered": OnFiltered.STOP, **times})
        for times in ({}, {"room_in_s": 41}, {"rested_in_s": 7}, {"rested_in_s": 900})
    ],
    errors.DeadlineExceededError: [
        idempotency._too_busy(CALL),
        idempotency._still_running(CALL, "an-earlier-one"),
        DeadlineExceededError("no answer within 5 s; allow more with deadline_s"),
    ],
    errors.OverloadedError: [OverloadedError("500 wait", waiting=500, retry_after_s=s) for s in (1.5, 90)],
    errors.StreamInterruptedError: [
        StreamWriter(ChatRequest.of("Hi", use_case="chat", tenant="acme"), print).interrupted(None)
    ],
    errors.ReplyLostError: [idempotency._lost(HOLDER)],
    errors.IdempotencyConflictError: [idempotency._conflict(HOLDER)],
    errors.BudgetExceededError: [
        BudgetExceededError(
            scope="all", window="day", limit=100, left=left, needed=50, resets_at=NOW, held=held
        )
        for left, held in ((0, 0), (10, 90))
    ],
}
"""Errors in the words that the program has for them; a class that is not here has no words of its own."""


def _classes(base: type[OrchestratorError] = OrchestratorError) -> list[type[OrchestratorError]]:
    return [base, *(each for child in base.__subclasses__() for each in _classes(child))]


@pytest.mark.parametrize("kind", _classes(), ids=lambda kind: kind.__name__)
def test_no_words_promise_what_their_headers_forbid(kind) -> None:
    """A 504 said "ask again with the same key" beside `x-should-retry: false`."""
    for error in SAID.get(kind, []) or [kind.__new__(kind)]:
        answer = answer_of(error, now=NOW, scopes=frozenset({"all"}))
        headers, words = answer.all_headers(), answer.message
        may_retry = headers["x-should-retry"] == "true"
        named = re.search(r"ask again in ([0-9.]+) s", words)
        if named:
            assert abs(float(headers["retry-after"]) - float(named[1])) < 1
        elif "ask again" in words:
            assert may_retry is ("not at once" not in words)
        if may_retry:
            assert int(headers["retry-after"]) <= 60
            assert "another key" not in words
