"""Every provider fault ends in a whole answer or a clear error, and every attempt is booked once."""

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    DeadlineExceededError,
    RejectedByProviderError,
    StreamInterruptedError,
)
from orchestrator.core.reply import CostSource, Outcome
from orchestrator.core.request import ChatRequest
from orchestrator.practice import Fault, PracticeServer, Scripted
from tests.conftest import TODAY
from tests.support.ways import BOTH_WAYS

pytestmark = BOTH_WAYS

BEFORE_THE_ANSWER = [
    ("status=429", "rate_limited"),
    ("status=500", "server_error"),
    ("status=502", "server_error"),
    ("status=503", "unavailable"),
    ("status=504", "unavailable"),
    ("status=401", "unauthorized"),
    ("status=402", "no_credit"),
    ("status=403", "unauthorized"),
    ("status=404", "model_not_found"),
    ("reset", "disconnected"),
    ("malformed_body", "malformed"),
    ("empty_content", "empty"),
    ("error_in_200", "server_error"),
]


def ask(orchestrator: Orchestrator, prompt: str = "Xin chào", **wanted: object) -> object:
    return orchestrator.complete(prompt, cache=CacheUse.OFF, max_tokens=50, **wanted)


def _google_limit(config: dict) -> int:
    # LiteLLM writes the other name, which Google takes too.
    return config.get("maxOutputTokens") or config["max_output_tokens"]


def booked(orchestrator: Orchestrator) -> tuple[int, int]:
    """Spent and held of the whole, in nano-dollars."""
    standing = next(one for one in orchestrator.standings() if one.scope == "all" and one.window == "day")
    return standing.spent, standing.held


@pytest.mark.parametrize(("fault", "kind"), BEFORE_THE_ANSWER)
def test_a_fault_before_the_answer_is_answered_by_the_next_provider(
    practised: Orchestrator, practice: PracticeServer, fault: str, kind: str
) -> None:
    """Whatever OpenRouter does instead of answering, Google answers, and the reply says why."""
    practice.faults.add(Fault.parse(f"openrouter:{fault}"))
    reply = practised.complete("Xin chào", cache=CacheUse.OFF, max_tokens=50)
    assert reply.provider == "google"
    assert reply.text
    assert reply.attempts[0].failure == kind
    assert reply.attempts[-1].outcome is Outcome.SUCCEEDED
    assert reply.degraded is not None
    assert "openrouter/gpt-6.1-sol" in reply.degraded.text
    assert booked(practised) == (sum(one.cost_nusd for one in reply.attempts), 0)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [*BEFORE_THE_ANSWER, ("cut_stream=0", "disconnected")],
)
def test_a_stream_that_fails_before_its_first_words_is_answered_by_the_next_provider(
    practised: Orchestrator, practice: PracticeServer, fault: str, kind: str
) -> None:
    """The reader sees one whole answer and nothing of the fault."""
    practice.faults.add(Fault.parse(f"openrouter:{fault}"))
    stream = practised.stream("Xin chào", cache=CacheUse.OFF, max_tokens=50)
    text = "".join(delta.text for delta in stream)
    assert stream.reply.provider == "google"
    assert text == stream.reply.text != ""
    assert stream.reply.attempts[0].failure == kind
    assert booked(practised)[1] == 0


@pytest.mark.parametrize("provider", ["openrouter", "google", "openai"])
@pytest.mark.parametrize("fault", ["cut_stream=2", "end_stream=2", "error_in_200=2"])
def test_a_stream_that_breaks_off_says_so_and_keeps_what_had_arrived(
    practised: Orchestrator, practice: PracticeServer, provider: str, fault: str
) -> None:
    """Where the caller wants no other attempt, the error carries the words, and they are booked."""
    model = {
        "openrouter": "openrouter/gpt-6-luna",
        "google": "google/gemini-3.8-flash",
        "openai": "openai/gpt-6-luna",
    }
    kind, _, after = fault.partition("=")
    practice.faults.add(Fault.parse(f"{provider}:{kind},after_chunks={after}"))
    wanted = {"cache": CacheUse.OFF, "model": model[provider], "max_tokens": 50}
    stream = practised.stream("Xin chào", on_break="error", **wanted)
    seen = ""
    with pytest.raises(StreamInterruptedError) as caught:
        for delta in stream:
            seen += delta.text
    assert caught.value.partial_text == seen != ""
    spent, held = booked(practised)
    assert spent > 0
    assert held == 0


def test_a_server_error_is_retried_once_on_the_same_deployment(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """D1: a transient failure is tried again after 100 ms where it was."""
    practice.faults.add(Fault.parse("openrouter:status=500,times=1"))
    reply = practised.complete("Xin chào", cache=CacheUse.OFF)
    assert [one.deployment for one in reply.attempts] == ["openrouter/gpt-6.1-sol"] * 2
    assert reply.latency_s >= 0.1
    assert reply.degraded is None


def test_a_short_retry_after_is_waited_for(practised: Orchestrator, practice: PracticeServer) -> None:
    """A 429 that names a wait within the profile's patience stays with its provider."""
    practice.faults.add(Fault.parse("openrouter:status=429,retry_after_s=0.3,times=1"))
    reply = practised.complete("Xin chào", cache=CacheUse.OFF)
    assert [one.deployment for one in reply.attempts] == ["openrouter/gpt-6.1-sol"] * 2
    assert reply.latency_s >= 0.3


def test_a_long_retry_after_sends_this_and_the_following_requests_elsewhere(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """A deployment that asks for 30 s of rest gets it, and nobody waits for it; its provider's others go on."""
    practice.faults.add(Fault.parse("openrouter:status=429,retry_after_s=30,times=1"))
    first = practised.complete("Xin chào", cache=CacheUse.OFF)
    second = practised.complete("Xin chào nữa", cache=CacheUse.OFF)
    assert first.deployment == second.deployment == "openrouter/claude-sonnet-5.5"
    assert [one.deployment for one in second.attempts] == ["openrouter/claude-sonnet-5.5"]


def test_a_request_that_no_provider_would_take_stops_at_the_first(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """A 400 is the request's own fault: it is not sent to five others."""
    practice.faults.add(Fault.parse("openrouter:status=400"))
    with pytest.raises(RejectedByProviderError, match=r"openrouter/gpt-6\.1-sol refused"):
        ask(practised)
    assert len(practice.requests) == 1


def test_a_prompt_too_long_for_one_model_goes_to_the_next(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """A 400 about the context is about the model, not about the request."""
    practice.faults.add(Fault.parse("openrouter:status=400,reason=context_length,model=openai/gpt-6.1-sol"))
    reply = practised.complete("Xin chào", cache=CacheUse.OFF)
    assert reply.deployment == "openrouter/claude-sonnet-5.5"
    assert reply.attempts[0].failure == "context_overflow"


def test_a_prompt_too_long_goes_only_to_models_with_a_larger_context(
    make_orchestrator, practice: PracticeServer
) -> None:
    """That it fits into a context of the same size is not proven, so nobody of that size is asked."""
    orchestrator = make_orchestrator({"budgets": {"limits": []}})
    practice.faults.add(Fault.parse("openrouter:status=400,reason=context_length"))
    orchestrator.complete("a " * 200_000, cache=CacheUse.OFF)
    asked = ["openai/gpt-6.1-sol", "anthropic/claude-sonnet-5.5", "gemini-3.8-flash"]
    assert [one.model for one in practice.requests] == asked


@pytest.mark.parametrize("fault", ["status=400,reason=context_length", "status=413"])
def test_a_context_smaller_than_the_configuration_says_keeps_nobody_from_being_asked(
    practised: Orchestrator, practice: PracticeServer, fault: str
) -> None:
    """A host of OpenRouter's serves less of a model than its maker; a gateway's 413 counts bytes."""
    practice.faults.add(Fault.parse(f"openrouter:{fault}"))
    reply = practised.complete("Xin chào", cache=CacheUse.OFF)
    assert reply.provider == "google"
    assert {one.failure for one in reply.attempts[:-1]} == {"context_overflow"}


def test_when_everybody_is_down_the_error_names_each(
    make_orchestrator, practice: PracticeServer, clock
) -> None:
    """G08: the graceful message carries what became of every deployment."""
    orchestrator = make_orchestrator({"local_model": {"enabled": False}}, clock=clock)
    practice.faults.add(Fault.parse("*:status=503"))
    with pytest.raises(AllProvidersFailedError) as caught:
        ask(orchestrator)
    assert {"openrouter/gpt-6.1-sol", "google/gemini-3.8-flash", "openai/gpt-6.1-sol"} <= {
        step.deployment for step in caught.value.steps
    }
    assert booked(orchestrator) == (0, 0)


def test_a_circuit_opens_after_three_failures_and_the_next_request_goes_around(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """G09: a dead deployment costs three requests their time, not every request."""
    practice.faults.add(Fault.parse("openrouter:status=503"))
    for number in range(3):
        ask(practised, f"Xin chào {number}")
    before = len(practice.requests)
    reply = practised.complete("Xin chào lần nữa", cache=CacheUse.OFF)
    assert [one.provider for one in reply.attempts] == ["google"]
    assert len(practice.requests) == before + 1
    assert practised.circuits()["openrouter/gpt-6.1-sol"] == "open"


@pytest.mark.parametrize("fault", ["silence", "drip,bytes_per_s=5"])
def test_the_deadline_ends_a_request_that_nobody_answers(
    make_orchestrator, practice: PracticeServer, fault: str
) -> None:
    """Neither silence nor a body that drips outlives the deadline."""
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    orchestrator.warm_up()
    practice.faults.add(Fault.parse(f"*:{fault}"))
    with pytest.raises(DeadlineExceededError, match="0.6 s"):
        ask(orchestrator, deadline_s=0.6)
    _, held = booked(orchestrator)
    assert held == 0


def test_an_attempt_that_is_too_slow_is_left_for_the_next_provider(
    make_orchestrator, practice: PracticeServer
) -> None:
    """One provider's silence takes its own time limit, not the request's."""
    orchestrator = make_orchestrator({"providers": {"openrouter": {"timeout_s": 0.3}}})
    practice.faults.add(Fault.parse("openrouter:drip,bytes_per_s=5"))
    reply = orchestrator.complete("Xin chào", cache=CacheUse.OFF, deadline_s=20)
    assert reply.provider == "google"
    assert reply.attempts[0].failure == "timeout"
    assert reply.attempts[0].cost_source is CostSource.BOUND


def test_a_stream_that_stalls_before_its_first_words_is_left_for_the_next_provider(
    make_orchestrator, practice: PracticeServer
) -> None:
    """A slow first word is a failure like any other."""
    orchestrator = make_orchestrator({"providers": {"openrouter": {"first_token_timeout_s": 0.3}}})
    practice.faults.add(Fault.parse("openrouter:slow_first_token,delay_s=20"))
    stream = orchestrator.stream("Xin chào", cache=CacheUse.OFF, deadline_s=20)
    assert "".join(delta.text for delta in stream)
    assert stream.reply.provider == "google"


def test_the_providers_own_cost_is_booked_to_the_nano_dollar(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """OpenRouter's usage.cost wins; Google's and OpenAI's tokens are priced by our book."""
    with_cost = practised.complete("Xin chào", cache=CacheUse.OFF)
    priced = practised.complete("Xin chào", cache=CacheUse.OFF, model="google/gemini-3.8-flash")
    assert with_cost.attempts[0].cost_source is CostSource.PROVIDER
    assert with_cost.cost_nusd == practice.bill.total_nusd("openrouter")
    assert priced.attempts[0].cost_source is CostSource.PRICE_BOOK
    price = practised.config.catalog.price_of("google/gemini-3.8-flash")
    assert priced.cost_nusd == price.cost_of(priced.usage)


@pytest.mark.parametrize("stream", [False, True])
def test_a_google_stream_is_not_believed_what_litellm_writes_into_it(
    practised: Orchestrator, practice: PracticeServer, stream: bool
) -> None:
    """LiteLLM puts a cost of its own into streams; only OpenRouter's is the provider's word."""
    if stream:
        streamed = practised.stream("Xin chào", cache=CacheUse.OFF, model="google/gemini-3.8-flash")
        list(streamed)
        reply = streamed.reply
    else:
        reply = practised.complete("Xin chào", cache=CacheUse.OFF, model="google/gemini-3.8-flash")
    assert reply.attempts[0].cost_source is CostSource.PRICE_BOOK
    assert not reply.usage.estimated


def test_only_what_the_configuration_says_leaves_the_process(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """Headers and model come from config.yaml, sampling from the caller."""
    practised.complete("Xin chào", cache=CacheUse.OFF, temperature=0.3, max_tokens=77)
    seen = practice.requests[-1]
    assert seen.headers.get("x-title") == "NextFlow CRM"
    assert seen.model == "openai/gpt-6.1-sol"
    assert seen.body["temperature"] == 0.3
    assert seen.body["max_tokens"] == 77


@pytest.mark.parametrize(
    ("deployment", "limit_of"),
    [
        ("openrouter/gpt-6.1-sol", lambda body: body["max_tokens"]),
        ("google/gemini-3.8-flash", lambda body: _google_limit(body["generationConfig"])),
        ("openai/gpt-6-luna", lambda body: body["max_completion_tokens"]),
    ],
)
def test_a_model_that_reasons_is_sent_room_for_it_and_the_room_is_held(
    make_orchestrator, practice: PracticeServer, deployment: str, limit_of
) -> None:
    """On each wire the provider's limit is words and room together, and so is what may be charged."""
    rooms = {model: {"reasoning_tokens": 1000} for model in ("gpt-6.1-sol", "gemini-3.8-flash", "gpt-6-luna")}
    wanted = {"model": deployment, "max_tokens": 77}
    request = ChatRequest.of("Xin chào", use_case="customer_service", **wanted)
    orchestrator = make_orchestrator({"models": rooms})
    planned = orchestrator.explain(request).candidates[0]
    price = orchestrator.config.catalog.price_of(deployment).on(TODAY)
    assert planned.bound_nusd == price.bound_of(input_tokens=planned.input_bound_tokens, output_tokens=1077)

    def within(day_nusd: int) -> Orchestrator:
        limit = {"scope": "all", "day": format(day_nusd / 1e9, ".9f")}
        return make_orchestrator({"models": rooms, "budgets": {"limits": [limit]}})

    tight = within(planned.bound_nusd - 1)
    with pytest.raises(BudgetExceededError):
        tight.complete("Xin chào", cache=CacheUse.OFF, **wanted)
    assert booked(tight) == (0, 0)
    assert not practice.requests
    within(planned.bound_nusd).complete("Xin chào", cache=CacheUse.OFF, **wanted)
    assert [limit_of(sent.body) for sent in practice.requests] == [1077]


def test_tool_calls_come_through_whole_and_streamed(make_orchestrator, practice: PracticeServer) -> None:
    """A tool call has the same id, name and arguments in both forms."""
    orchestrator = make_orchestrator()
    schema = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}
    tool = {
        "type": "function",
        "function": {"name": "find_order", "description": "Find an order", "parameters": schema},
    }
    wanted = {"tools": [tool], "tool_choice": "required", "cache": CacheUse.OFF}
    whole = orchestrator.complete("Tìm đơn hàng 'DH1001'", **wanted)
    streamed = orchestrator.stream("Tìm đơn hàng 'DH1001'", **wanted)
    pieces = [call for delta in streamed for call in delta.tool_calls]
    assert whole.tool_calls[0].name == streamed.reply.tool_calls[0].name == "find_order"
    assert whole.tool_calls[0].arguments == streamed.reply.tool_calls[0].arguments
    assert "".join(piece.arguments or "" for piece in pieces) == streamed.reply.tool_calls[0].arguments


def test_the_scripted_answer_arrives_unchanged(make_orchestrator) -> None:
    """Vietnamese, emoji and line breaks survive, streamed or not."""
    text = "Chào chị Nguyễn Thị Ánh! 😊\nĐơn hàng DH1001 đang được giao ạ."
    with PracticeServer(answerer=Scripted(matched={"": text})) as server:
        orchestrator = make_orchestrator(OPENROUTER_BASE_URL=server.base_url("openrouter"))
        assert orchestrator.complete("Xin chào", cache=CacheUse.OFF).text == text
        assert "".join(d.text for d in orchestrator.stream("Xin chào", cache=CacheUse.OFF)) == text


@pytest.mark.parametrize(
    "deployment", ["openrouter/gpt-6-luna", "google/gemini-3.8-flash", "openai/gpt-6-luna"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_attempt_is_sent_exactly_once(
    make_orchestrator, practice: PracticeServer, deployment: str, stream: bool
) -> None:
    """LiteLLM sends again when a connection breaks, without a word; here every send is an attempt."""
    orchestrator = make_orchestrator({"retry_profiles": {"interactive": {"attempts_per_deployment": 1}}})
    practice.faults.add(Fault.parse(f"{deployment.partition('/')[0]}:reset"))
    with pytest.raises(AllProvidersFailedError):
        if stream:
            list(orchestrator.stream("Xin chào", cache=CacheUse.OFF, model=deployment))
        else:
            orchestrator.complete("Xin chào", cache=CacheUse.OFF, model=deployment)
    assert len(practice.requests) == 1
