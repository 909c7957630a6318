"""A referee of somebody else's: llmock breaks the providers in 18 ways and judges us by its own journal.

It speaks the shapes of OpenAI and Gemini, and sees of every attempt when it came, what it got and whether it
was read to its end. What it takes for good behaviour is not ours to say: that a Retry-After is waited for,
that waits grow, that what can pass is tried again and what cannot is not, that half a stream is no answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock
from llmock.verdict import judge

from orchestrator import CacheUse, ChatReply, Orchestrator
from orchestrator.core.errors import AllProvidersFailedError
from tests.conftest import MakeOrchestrator

QUESTION = "Đơn hàng DH1001 của tôi đâu?"
TEXT = "Chào chị Ánh! Đơn DH1001 đã rời kho hôm qua, bưu tá sẽ từ từ giao đến ngày mai. See you tomorrow!"
CHAINS = {
    "openrouter": ("openrouter/gpt-6.1-sol", "google/gemini-3.8-flash", "openai/gpt-6.1-sol"),
    "google": ("google/gemini-3.8-flash", "openrouter/gemini-4-argon", "openai/gpt-6.1-sol"),
    "openai": ("openai/gpt-6.1-sol", "google/gemini-3.8-flash", "openrouter/gpt-6.1-sol"),
}
"""By the provider that is asked first, in whose shape the faults come; somebody behind it has a larger context."""
SHAPES = ("openrouter", "google")
"""The third is OpenAI's shape again, through the openai SDK, which reads streams in its own way."""
TIMEOUT_S = 1.0
LONGER_S = 2.0

RETRY_PROFILE = {
    "attempts_per_deployment": 3,
    "retry_on": [
        "rate_limited",
        "server_error",
        "unavailable",
        "disconnected",
        "timeout",
        "interrupted",
        "malformed",
    ],
    # llmock groups attempts by their bodies, and takes for a retry what begins after it saw us hang up.
    "retry_delays_s": [0.2, 0.6],
    "max_retry_after_s": 2,
}
"""Of an operator who would rather ask the same model again than another: all that may pass is tried again."""


@dataclass(frozen=True)
class Scenario:
    """One way to break the next request, and what the orchestrator is to make of it."""

    name: str
    provoke: Callable[[LLMock], object]
    failure: str
    after_chunks: int = 0


WHOLE = [
    Scenario("429, Retry-After 0.3 s", lambda mock: mock.rate_limit(retry_after=0.3), "rate_limited"),
    # Where none is said llmock sends a Retry-After of one second, here and with 503, 504 and 529.
    Scenario("429", lambda mock: mock.fail(429), "rate_limited"),
    Scenario("500", lambda mock: mock.fail(500), "server_error"),
    Scenario("502", lambda mock: mock.fail(502), "server_error"),
    Scenario("503", lambda mock: mock.fail(503, retry_after=0.3), "unavailable"),
    Scenario("504", lambda mock: mock.fail(504, retry_after=0.3), "unavailable"),
    Scenario("529", lambda mock: mock.fail(529, retry_after=0.3), "unavailable"),
    Scenario("401", lambda mock: mock.fail(401), "unauthorized"),
    Scenario("404", lambda mock: mock.fail(404), "model_not_found"),
    Scenario("context overflow", lambda mock: mock.context_overflow(), "context_overflow"),
    Scenario("delay", lambda mock: mock.delay(LONGER_S), "timeout"),
]
STREAMS = [
    Scenario("slow first token", lambda mock: mock.slow_first_token(LONGER_S), "timeout"),
    Scenario("disconnect after 1", lambda mock: mock.disconnect(after_chunks=1), "disconnected", 1),
    Scenario("disconnect after 5", lambda mock: mock.disconnect(after_chunks=5), "disconnected", 5),
    Scenario("truncate", lambda mock: mock.truncate(after_chunks=5), "interrupted", 5),
    Scenario("stall", lambda mock: mock.stall(after_chunks=5, seconds=LONGER_S), "timeout", 5),
    Scenario("malformed chunk", lambda mock: mock.corrupt(after_chunks=5), "malformed", 5),
]
"""The eighteenth is an outage of everybody, below."""


def named(scenario: Scenario) -> str:
    return scenario.name


@pytest.fixture(params=CHAINS)
def wire(request: pytest.FixtureRequest) -> str:
    """The provider that is asked first."""
    return str(request.param)


@pytest.fixture
def environment(llmock: LLMock, tmp_path: Path) -> dict[str, str]:
    """The variables that lead the shipped configuration to llmock and to a fresh folder."""
    return {
        "ORCHESTRATOR_HOME": str(tmp_path / "state"),
        "OPENROUTER_BASE_URL": llmock.base_url("openai"),
        "GOOGLE_BASE_URL": f"{llmock.base_url('gemini')}/v1beta",
        "OPENAI_BASE_URL": llmock.base_url("openai"),
        **dict.fromkeys(("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"), "any"),
    }


@pytest.fixture
def orchestrator(llmock: LLMock, wire: str, make_orchestrator: MakeOrchestrator) -> Orchestrator:
    """The shipped configuration, impatient, and with nobody on this machine to help out."""
    # A model's pace: of what is written at once llmock cannot say who read it.
    llmock.reply(TEXT, times=None).pace(30)
    primary, *fallbacks = ({"deployment": name, "reason": "a test"} for name in CHAINS[wire])
    impatient = dict.fromkeys(("timeout_s", "first_token_timeout_s", "stall_timeout_s"), TIMEOUT_S)
    made = make_orchestrator(
        {
            "local_model": {"enabled": False},
            "providers": dict.fromkeys(CHAINS, impatient),
            "retry_profiles": {"interactive": RETRY_PROFILE},
            "routing": {"max_candidates": len(CHAINS)},
            "use_cases": {"customer_service": {"primary": primary, "fallbacks": fallbacks}},
        }
    )
    made.warm_up()
    return made


def streamed(orchestrator: Orchestrator, **wanted: Any) -> tuple[str, ChatReply, int]:
    """Read a stream as its reader does; return the text that counts, the reply, and how often it began anew."""
    text, restarts = "", 0
    with orchestrator.stream(QUESTION, cache=CacheUse.OFF, max_tokens=200, **wanted) as stream:
        for delta in stream:
            if delta.restarted is not None:
                text, restarts = "", restarts + 1
            text += delta.text
    return text, stream.reply, restarts


@pytest.mark.parametrize("wire", SHAPES)
@pytest.mark.parametrize("scenario", WHOLE, ids=named)
def test_a_whole_answer_is_exact_and_llmock_finds_no_fault(
    orchestrator: Orchestrator, llmock: LLMock, scenario: Scenario
) -> None:
    scenario.provoke(llmock)
    reply = orchestrator.complete(QUESTION, cache=CacheUse.OFF, max_tokens=200)
    assert reply.text == TEXT
    assert reply.attempts[0].failure == scenario.failure
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("scenario", STREAMS, ids=named)
def test_a_stream_is_exact_and_llmock_finds_no_fault(
    orchestrator: Orchestrator, llmock: LLMock, wire: str, scenario: Scenario
) -> None:
    """The reader lets a broken text begin anew, so each attempt is the same request, and llmock sees which."""
    scenario.provoke(llmock)
    text, reply, restarts = streamed(orchestrator, on_break="restart")
    assert text == reply.text == TEXT
    # OpenAI's first chunk has a role and no words.
    had_words = scenario.after_chunks > (wire != "google")
    # After its first words a stream has broken off, also where it was the connection that broke.
    cut = had_words and scenario.failure == "disconnected"
    assert reply.attempts[0].failure == ("interrupted" if cut else scenario.failure)
    assert restarts == had_words
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("scenario", [one for one in STREAMS if one.after_chunks > 1], ids=named)
def test_a_rescued_stream_is_exact_and_llmock_finds_no_fault_once_told_what_belongs_together(
    orchestrator: Orchestrator, llmock: LLMock, scenario: Scenario
) -> None:
    """A rescue asks for the rest, in a longer body, which llmock takes for another call: here it is told."""
    scenario.provoke(llmock)
    text, reply, restarts = streamed(orchestrator)
    assert text == reply.text == TEXT
    assert restarts == 0
    assert "broke off after" in str(reply.degraded)
    assert {one.deployment for one in reply.attempts} == {reply.deployment}
    broken = llmock.requests[0]
    judge(replace(one, fingerprint=broken.fingerprint) for one in llmock.requests).assert_ok(strict=True)


@pytest.mark.parametrize("wire", SHAPES[:1])
def test_an_outage_of_everybody_ends_in_an_apology_and_llmock_finds_no_fault(
    orchestrator: Orchestrator, llmock: LLMock
) -> None:
    """All three are asked, each three times with growing waits, four times more while it may pass, and no more."""
    llmock.outage(status=500)
    text, reply, _ = streamed(orchestrator, graceful=True)
    assert reply.apology
    assert text == reply.text != ""
    assert [len(call.attempts) for call in llmock.verdict().calls] == [7, 7, 7]
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("wire", SHAPES[:1])
def test_who_wants_no_apology_gets_one_clear_error(orchestrator: Orchestrator, llmock: LLMock) -> None:
    llmock.outage(status=500)
    with pytest.raises(AllProvidersFailedError, match="server_error"):
        streamed(orchestrator)
    llmock.assert_resilient(strict=True)
