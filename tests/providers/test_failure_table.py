"""The table of failures is what happens: each kind is provoked at a real provider and held against its row."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.failures import FAILURE_POLICIES, Billing, FailureKind, FallbackScope, HealthScope
from orchestrator.core.reply import ChatReply, CostSource
from orchestrator.practice import PracticeServer

PAGE = Path(__file__).parents[2] / "docs/reference/failures.md"
PRIMARY, MODEL = "openrouter/gpt-6.1-sol", "openai/gpt-6.1-sol"
HURRY = {
    "timeout_s": 2,
    "first_token_timeout_s": 2,
    "stall_timeout_s": 2,
}
"""For silence alone: whoever does answer may take its time."""

PROVOKED = {
    FailureKind.RATE_LIMITED: "status=429",
    FailureKind.SERVER_ERROR: "status=500",
    FailureKind.UNAVAILABLE: "status=529",
    FailureKind.DISCONNECTED: "reset",
    FailureKind.TIMEOUT: "silence",
    FailureKind.UNAUTHORIZED: "status=401",
    FailureKind.NO_CREDIT: "status=402",
    FailureKind.MODEL_NOT_FOUND: "status=404",
    FailureKind.CONTEXT_OVERFLOW: "status=413",
    FailureKind.CONTENT_FILTERED: "status=400,reason=content_filter",
    FailureKind.OUTPUT_LIMIT: "status=400,reason=output_limit",
    FailureKind.UNSUPPORTED: "status=429,reason=request_too_large",
    FailureKind.BAD_REQUEST: "status=422",
    FailureKind.MALFORMED: "wrong_types",
    FailureKind.EMPTY: "empty_content",
}
"""Before the answer, on the primary alone."""

ELSEWHERE = {
    FailureKind.UNREACHABLE: "test_error_mapping: a refused connection, DNS, TLS",
    FailureKind.INTERRUPTED: "test_transport: a stream that breaks off",
    FailureKind.ENDLESS: "test_stream_writer: a text without an end",
    FailureKind.CANCELLED: "test_client: a cancelled call",
    FailureKind.VETOED: "test_hooks: an attempt without held money",
    FailureKind.NOT_SENT: "test_one_attempt: a header that cannot be sent, a request that no wire can carry",
    FailureKind.CONTINUATION_REFUSED: "test_stream_writer: a model that refuses to go on",
    FailureKind.NOT_JOINABLE: "test_stream_writer: a rescue in other words",
    FailureKind.UNKNOWN: "test_error_mapping: an exception that nobody knows",
}
"""What this test cannot provoke by a fault before the answer, and who does."""


def test_every_kind_is_provoked_somewhere():
    assert set(PROVOKED) | set(ELSEWHERE) == set(FailureKind)
    assert not set(PROVOKED) & set(ELSEWHERE)


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_is_on_the_page(kind):
    assert f"- `{kind}`: " in PAGE.read_text(encoding="utf-8")


@pytest.fixture
def outcome(
    make_orchestrator: Callable[..., Orchestrator], practice: PracticeServer
) -> Callable[[FailureKind], tuple[Orchestrator, ChatReply | OrchestratorError]]:
    """Ask while the primary has a fault of a kind; return what came of it."""

    def ask(kind: FailureKind) -> tuple[Orchestrator, ChatReply | OrchestratorError]:
        hurry = HURRY if kind is FailureKind.TIMEOUT else {}
        others = {"on_filtered": "next_model"}
        orchestrator = make_orchestrator(
            {"providers": {"openrouter": hurry}, "use_cases": {"customer_service": others}}
        )
        orchestrator.warm_up()
        # LiteLLM loads each provider's part with its first request, which takes longer than we wait.
        orchestrator.complete("Xin chào", model="google/gemini-3.8-flash", cache=CacheUse.OFF)
        practice.faults.add(f"openrouter:{PROVOKED[kind]},model={MODEL}")
        try:
            return orchestrator, orchestrator.complete("Xin chào", cache=CacheUse.OFF, max_tokens=20)
        except OrchestratorError as error:
            return orchestrator, error

    return ask


@pytest.mark.parametrize("kind", PROVOKED)
def test_what_happens_is_what_the_table_says(outcome, practice: PracticeServer, kind: FailureKind) -> None:
    orchestrator, came = outcome(kind)
    meaning = FAILURE_POLICIES[kind]
    profile = orchestrator.config.settings.retry_profiles["interactive"]
    tries = 2 if kind in profile.retry_on else 1
    asked = [one.model for one in practice.requests if one.provider == "openrouter"]
    assert asked.count(MODEL) == tries
    assert isinstance(came, OrchestratorError) is (meaning.fallback_scope is FallbackScope.NONE)
    if isinstance(came, ChatReply):
        first = came.attempts[0]
        assert (first.deployment, first.failure) == (PRIMARY, kind)
        assert (first.cost_source is CostSource.NONE) is (meaning.billing is Billing.NO)
        assert came.deployment == "openrouter/claude-sonnet-5.5", "of another model and a larger context"
    seen = orchestrator.health.snapshot(PRIMARY, window_s=600)
    assert seen.samples == (0 if meaning.health_scope is HealthScope.NONE else tries)
