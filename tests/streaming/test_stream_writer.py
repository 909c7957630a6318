"""A stream that breaks after its first words is finished by another attempt, and the reader sees one text."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import DeadlineExceededError, StreamInterruptedError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CostSource, Delta
from orchestrator.practice import Delivered, Fault, PracticeServer, Scripted

FIRST, SECOND = "openrouter/gpt-6.1-sol", "google/gemini-3.8-flash"
TEXT = (
    "Chào chị Nguyễn Thị Ánh! 😊 Đơn hàng DH1001 của chị đã rời kho hôm qua lúc 9 giờ sáng.\n\n"
    "Bưu tá sẽ từ từ giao đến trong ngày mai; chị có thể theo dõi từng chặng trên trang đơn hàng, "
    "và nếu cần đổi địa chỉ, chị chỉ việc nhắn lại cho em trước tối nay nhé."
)
BREAKS = ["cut_stream", "end_stream", "error_in_200", "malformed_chunk", "odd_chunk", "stall_stream"]
PROVIDERS = {"openrouter": FIRST, "google": SECOND, "openai": "openai/gpt-6.1-sol"}
UNSEEN = ("openai", "odd_chunk")
"""LiteLLM and the openai SDK leave it out without a word (docs/why/stream-rescue.md)."""
SEEN = [(provider, fault) for provider in PROVIDERS for fault in BREAKS if (provider, fault) != UNSEEN]


@pytest.fixture
def practice() -> Iterator[PracticeServer]:
    """Practice providers that all know the same long answer."""
    with PracticeServer(answerer=Scripted(matched={"": TEXT})) as server:
        yield server


def changes(
    first: str = FIRST, *, first_token_timeout_s: float = 5.0, stall_timeout_s: float = 1.0
) -> dict[str, Any]:
    """Three providers one after the other, `first` in front and impatient; the local model has words of its own."""
    steps = [{"deployment": name, "reason": "a test"} for name in PROVIDERS.values() if name != first]
    patience = {"stall_timeout_s": stall_timeout_s, "first_token_timeout_s": first_token_timeout_s}
    return {
        "local_model": {"enabled": False},
        "providers": {first.partition("/")[0]: patience},
        "use_cases": {
            "customer_service": {"primary": {"deployment": first, "reason": "a test"}, "fallbacks": steps}
        },
    }


@pytest.fixture
def orchestrator(make_orchestrator) -> Orchestrator:
    """OpenRouter, then Google, then OpenAI."""
    return make_orchestrator(changes())


def ask(orchestrator: Orchestrator, **wanted):
    return orchestrator.stream("Đơn hàng của tôi đâu?", cache=CacheUse.OFF, max_tokens=500, **wanted)


def read(stream) -> tuple[str, StreamInterruptedError | None]:
    text = ""
    try:
        for delta in stream:
            text += delta.text
    except StreamInterruptedError as error:
        return text, error
    return text, None


def held(orchestrator: Orchestrator) -> int:
    return max(one.held for one in orchestrator.standings())


def booked(orchestrator: Orchestrator) -> int:
    return next(one.spent for one in orchestrator.standings() if (one.scope, one.window) == ("all", "day"))


@pytest.mark.parametrize(("provider", "fault"), SEEN)
@pytest.mark.parametrize("after", [0, 1, 17])
def test_whatever_breaks_a_stream_the_reader_sees_the_whole_text(
    make_orchestrator, practice: PracticeServer, provider: str, fault: str, after: int
) -> None:
    """Before the first word and after it, in each wire format, whatever end LiteLLM makes up."""
    name = PROVIDERS[provider]
    # Short where the first word never comes; else a busy machine may need longer for it.
    orchestrator = make_orchestrator(changes(name, first_token_timeout_s=0.5 if after == 0 else 15.0))
    practice.faults.add(Fault.parse(f"{provider}:{fault},after_chunks={after},times=1"))
    stream = ask(orchestrator)
    assert read(stream) == (TEXT, None)
    reply = stream.reply
    assert reply.text == TEXT
    assert [one.outcome.value for one in reply.attempts] == ["failed", "succeeded"]
    assert reply.attempts[0].deployment == name
    assert held(orchestrator) == 0
    if after > 1:
        assert f"{name} broke off after" in str(reply.degraded)
        assert f"continued by {reply.deployment}" in str(reply.degraded)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_that_only_lacks_its_end_is_no_success(
    orchestrator: Orchestrator, practice: PracticeServer, provider: str
) -> None:
    """All words came, but nobody said that they are all: the next attempt says so."""
    practice.faults.add(Fault.parse(f"{provider}:end_stream=1000,times=1"))
    stream = ask(orchestrator, model=PROVIDERS[provider], on_break="error")
    text, error = read(stream)
    assert error is not None
    assert error.partial_text == text == TEXT


@pytest.mark.parametrize("manner", ["anchor", "tail", "restart"])
@pytest.mark.parametrize("after", [1, 2, 9, 30])
def test_whether_the_next_model_goes_on_or_begins_again_the_text_is_the_same(
    orchestrator: Orchestrator, practice: PracticeServer, manner: str, after: int
) -> None:
    practice.faults.add(f"openrouter:end_stream={after},times=1", f"*:continues={manner}")
    stream = ask(orchestrator)
    assert read(stream) == (TEXT, None)
    assert stream.reply.provider == "google"
    assert stream.reply.usage == stream.reply.attempts[-1].usage


@pytest.mark.parametrize("after", [2, 9, 30])
def test_a_model_that_shows_no_seam_is_not_believed_and_the_next_one_goes_on(
    orchestrator: Orchestrator, practice: PracticeServer, after: int
) -> None:
    """Its words would fit, and so would those of another answer."""
    practice.faults.add(f"openrouter:end_stream={after},times=1", "google:continues=straight,times=1")
    stream = ask(orchestrator)
    assert read(stream) == (TEXT, None)
    assert [one.failure for one in stream.reply.attempts][:2] == ["interrupted", "not_joinable"]
    assert stream.reply.attempts[-1].failure is None


@pytest.mark.parametrize("beginning", ["I ", "A ", "**Đơn** ", "1. ", "- ", "DH1001 ", "dạ "])
def test_an_answer_that_begins_afresh_is_never_joined(
    make_orchestrator, practice: PracticeServer, beginning: str
) -> None:
    """The second provider answers the whole conversation in its own words, whatever it was asked."""
    with PracticeServer(answerer=Scripted(matched={"": f"{beginning}và bưu tá đang trên đường."})) as other:
        orchestrator = make_orchestrator(changes(), GOOGLE_BASE_URL=other.base_url("google"))
        other.faults.add("google:continues=afresh")
        practice.faults.add("openrouter:end_stream=20,times=1")
        stream = ask(orchestrator)
        assert read(stream) == (TEXT, None)
        assert "not_joinable" in [one.failure for one in stream.reply.attempts]


def test_a_rescue_that_spends_its_limit_on_thoughts_has_finished_nothing(
    orchestrator: Orchestrator, practice: PracticeServer
) -> None:
    practice.faults.add("openrouter:end_stream=20,times=1", "google:odd_answer=thought_only,times=1")
    stream = ask(orchestrator)
    assert read(stream) == (TEXT, None)
    assert [one.failure for one in stream.reply.attempts] == ["interrupted", "not_joinable", None]
    assert stream.reply.finish_reason == "stop"


def test_a_model_that_refuses_to_go_on_is_asked_afresh_and_nobody_sees_it(
    orchestrator: Orchestrator, practice: PracticeServer
) -> None:
    practice.faults.add("openrouter:end_stream=20,times=1", "google:continues=refuse")
    stream = ask(orchestrator)
    assert read(stream) == (TEXT, None)
    assert [one.failure for one in stream.reply.attempts] == ["interrupted", "continuation_refused", None]
    assert [one.deployment for one in stream.reply.attempts] == [FIRST, SECOND, SECOND]
    assert stream.reply.attempts[1].cost_nusd == 0
    assert len(practice.requests[-1].body["contents"]) == 1


def test_another_answer_is_never_mixed_in(orchestrator: Orchestrator, practice: PracticeServer) -> None:
    """It is dropped and booked, and the one after it goes on."""
    practice.faults.add("openrouter:end_stream=20,times=1", "google:continues=other,times=1")
    stream = ask(orchestrator)
    assert read(stream) == (TEXT, None)
    failures = [one.failure for one in stream.reply.attempts]
    assert failures[:2] == ["interrupted", "not_joinable"]
    assert failures[-1] is None
    assert stream.reply.attempts[1].cost_nusd > 0
    assert held(orchestrator) == 0


def test_an_answer_that_is_dropped_is_not_read_to_its_end(make_orchestrator) -> None:
    """The provider sees that nobody listens, and what it may bill all the same is booked."""
    with PracticeServer(answerer=Scripted(matched={"": TEXT}), piece_latency_s=0.02) as server:
        addresses = {f"{name.upper()}_BASE_URL": server.base_url(name) for name in PROVIDERS}
        orchestrator = make_orchestrator(changes(), **addresses)
        server.faults.add("openrouter:end_stream=20,times=1", "google:continues=other,times=1")
        stream = ask(orchestrator)
        assert read(stream) == (TEXT, None)
        server.wait_idle()
        dropped = next(charge for charge in server.bill.charges if charge.provider == "google")
    assert dropped.delivered is Delivered.PARTIAL
    assert stream.reply.attempts[1].cost_source is CostSource.BOUND


def test_when_nobody_can_go_on_the_error_says_what_was_delivered(
    orchestrator: Orchestrator, practice: PracticeServer
) -> None:
    practice.faults.add("openrouter:end_stream=20,times=1", "*:continues=other")
    text, error = read(ask(orchestrator))
    assert error is not None
    assert TEXT.startswith(text)
    assert error.partial_text == text != ""
    assert f"broke off after {len(text)} characters" in str(error)
    assert SECOND in str(error)
    assert text not in str(error)
    assert held(orchestrator) == 0


def test_a_text_may_break_off_more_than_once(orchestrator: Orchestrator, practice: PracticeServer) -> None:
    practice.faults.add("openrouter:end_stream=20,times=1", "google:end_stream=20,times=1")
    stream = ask(orchestrator)
    assert read(stream) == (TEXT, None)
    assert str(stream.reply.degraded).count("broke off after") == 2


@pytest.mark.parametrize("fault", ["cut_stream=20", "stall_stream=20"])
def test_the_same_deployment_may_go_on_where_it_broke(
    make_orchestrator, practice: PracticeServer, fault: str
) -> None:
    """Named by the caller it is the only one; its retry is asked for the rest, for it would not say the same again."""
    retry = {"retry_profiles": {"interactive": {"retry_on": ["interrupted", "timeout"]}}}
    orchestrator = make_orchestrator(changes() | retry)
    practice.faults.add(f"openrouter:{fault},times=1")
    stream = ask(orchestrator, model=FIRST)
    assert read(stream) == (TEXT, None)
    assert [one.deployment for one in stream.reply.attempts] == [FIRST, FIRST]
    first, again = (one.body["messages"] for one in practice.requests)
    assert again[: len(first)] == first
    assert [one["role"] for one in again[len(first) :]] == ["assistant", "user"]
    assert f"continued by {FIRST}" in str(stream.reply.degraded)


@pytest.mark.live
async def test_a_model_that_samples_does_not_say_the_same_again(make_orchestrator, local_model) -> None:
    """So a retry that sent the first request again would bring another answer, which cannot be joined."""
    orchestrator = make_orchestrator(
        LOCAL_MODEL_BASE_URL=await local_model.base_url(), LOCAL_MODEL_API_KEY=local_model.api_key
    )
    things = (
        "a shirt",
        "an order",
        "a CRM",
        "a refund",
        "the spring sale",
        "a late parcel",
        "shoes",
        "a shop",
    )
    wanted = {
        "model": "local/smollm2-135m-instruct",
        "cache": CacheUse.OFF,
        "max_tokens": 16,
        "temperature": 0.8,
    }
    alike = 0
    for thing in things:
        once, again = [
            (await orchestrator.acomplete(f"Write an e-mail about {thing}.", **wanted)).text for _ in range(2)
        ]
        alike += once.split()[:8] == again.split()[:8]
    assert alike < len(things) / 2


def test_error_asks_nobody_else(orchestrator: Orchestrator, practice: PracticeServer) -> None:
    practice.faults.add("openrouter:end_stream=20,times=1")
    text, error = read(ask(orchestrator, on_break="error"))
    assert error is not None
    assert error.partial_text == text != ""
    assert len(practice.requests) == 1


def test_restart_tells_the_reader_that_what_came_is_void(
    orchestrator: Orchestrator, practice: PracticeServer
) -> None:
    """A typed event, then the whole answer of one model, in whatever words."""
    practice.faults.add("openrouter:end_stream=20,times=1")
    stream = ask(orchestrator, on_break="restart")
    pieces: list[Delta] = []
    void = ""
    for delta in stream:
        if delta.restarted is not None:
            assert (delta.restarted.deployment, delta.restarted.void_characters) == (SECOND, len(void))
            pieces = []
        pieces.append(delta)
        void += delta.text
    assert "".join(delta.text for delta in pieces) == stream.reply.text == TEXT
    assert sum(delta.restarted is not None for delta in pieces) == 1
    assert void != TEXT
    assert "answered afresh by" in str(stream.reply.degraded)
    assert len(practice.requests[-1].body["contents"]) == 1


def test_a_rescued_reply_is_not_kept_in_the_cache(
    orchestrator: Orchestrator, practice: PracticeServer
) -> None:
    practice.faults.add("openrouter:end_stream=20,times=1")
    list(orchestrator.stream("Xin chào"))
    again = orchestrator.stream("Xin chào")
    list(again)
    assert again.reply.cached == "miss"


def test_json_comes_whole_so_that_a_break_in_it_is_invisible(make_orchestrator) -> None:
    """Half an object is of no use, and two models' halves would make none."""
    told = '{"order": "DH1001", "late": false, "note": "giao ngày mai"}'
    with PracticeServer(answerer=Scripted(matched={"": told})) as server:
        addresses = {f"{name.upper()}_BASE_URL": server.base_url(name) for name in PROVIDERS}
        orchestrator = make_orchestrator(changes(), **addresses)
        server.faults.add("openrouter:end_stream=3,times=1")
        stream = ask(orchestrator, response_format={"type": "json_object"})
        assert [delta.text for delta in stream] == [told]
        assert stream.reply.attempts[0].failure == "interrupted"
        assert stream.reply.provider == "google"


def test_a_tool_call_comes_whole_so_that_a_break_in_it_is_invisible(make_orchestrator) -> None:
    schema = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}
    tool = {
        "type": "function",
        "function": {"name": "find_order", "description": "Find an order", "parameters": schema},
    }
    with PracticeServer() as server:
        addresses = {f"{name.upper()}_BASE_URL": server.base_url(name) for name in PROVIDERS}
        orchestrator = make_orchestrator(changes(), **addresses)
        server.faults.add("openrouter:end_stream=1,times=1")
        wanted = {"tools": [tool], "tool_choice": "required", "cache": CacheUse.OFF}
        stream = orchestrator.stream("Tìm đơn hàng 'DH1001'", **wanted)
        calls = [call for delta in stream for call in delta.tool_calls]
    assert [call.name for call in calls] == ["find_order"]
    assert calls[0].arguments == stream.reply.tool_calls[0].arguments
    assert json.loads(calls[0].arguments) == {"order_id": "DH1001"}
    assert stream.reply.attempts[0].failure == "interrupted"


def test_the_deadlines_error_says_what_was_delivered(make_orchestrator, practice: PracticeServer) -> None:
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    practice.faults.add("*:stall_stream=20")
    text = ""
    with pytest.raises(DeadlineExceededError) as caught:
        for delta in ask(orchestrator, deadline_s=1.0):
            text += delta.text
    assert caught.value.partial_text == text != ""
    assert f"{len(text)} characters had been delivered" in str(caught.value)
    assert held(orchestrator) == 0


def test_the_ledger_covers_what_the_providers_billed(
    orchestrator: Orchestrator, practice: PracticeServer
) -> None:
    """The rescue's larger input is held and booked, and the broken attempt at all that it may have cost."""
    practice.faults.add("openrouter:end_stream=20,times=1")
    stream = ask(orchestrator)
    read(stream)
    broken, whole = stream.reply.attempts
    assert broken.cost_source is CostSource.BOUND
    billed_broken, billed_whole = practice.bill.charges
    assert broken.cost_nusd >= billed_broken.cost_nusd > 0
    assert whole.usage.input_tokens == billed_whole.input_tokens > billed_broken.input_tokens
    assert whole.usage.output_tokens == billed_whole.output_tokens
    assert booked(orchestrator) == broken.cost_nusd + whole.cost_nusd == stream.reply.cost_nusd


def test_what_one_request_may_cost_holds_over_the_rescue_too(
    make_orchestrator, practice: PracticeServer
) -> None:
    """The broken attempt may have cost all that was held, so the next may say less, and the reply says so."""
    retry = {"retry_profiles": {"interactive": {"retry_on": ["interrupted"]}}}
    orchestrator = make_orchestrator(changes() | retry)
    once = orchestrator.estimate("Đơn hàng của tôi đâu?", max_tokens=500, model=FIRST).bound_nusd
    most = NanoUsd(once * 19 // 10)
    practice.faults.add("openrouter:end_stream=20,times=1")
    stream = ask(orchestrator, max_cost_nusd=most, model=FIRST)
    assert read(stream) == (TEXT, None)
    assert stream.reply.cost_nusd <= most
    assert any(notice.startswith("max_tokens lowered from 500 to") for notice in stream.reply.notices)


def test_who_would_cost_more_than_is_left_is_not_asked(make_orchestrator, practice: PracticeServer) -> None:
    retry = {"retry_profiles": {"interactive": {"retry_on": ["interrupted"]}}}
    orchestrator = make_orchestrator(changes() | retry)
    least = orchestrator.estimate("Đơn hàng của tôi đâu?", max_tokens=80, model=FIRST).bound_nusd
    practice.faults.add("openrouter:end_stream=60,times=1")
    text, error = read(ask(orchestrator, max_cost_nusd=least, model=FIRST))
    assert error is not None
    assert error.partial_text == text
    assert "cost more than is left" in str(error)
    assert len(practice.requests) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_may_speak_of_the_end_mark(make_orchestrator, provider: str) -> None:
    """LiteLLM takes an event of OpenRouter's with `[DONE]` in its text for the end, and drops the text."""
    told = "A stream of events ends with data: [DONE] and nothing behind it."
    with PracticeServer(answerer=Scripted(matched={"": told})) as server:
        addresses = {f"{name.upper()}_BASE_URL": server.base_url(name) for name in PROVIDERS}
        orchestrator = make_orchestrator(changes(stall_timeout_s=20), **addresses)
        stream = ask(orchestrator, model=PROVIDERS[provider])
        assert read(stream) == (told, None)
        assert len(stream.reply.attempts) == 1


ENDLESS = "{}:useless=words,every_s=0"


def ask_briefly(orchestrator: Orchestrator, **wanted):
    """With so low a limit that an answer without an end is known as such at once."""
    return orchestrator.stream("Đơn hàng của tôi đâu?", cache=CacheUse.OFF, max_tokens=100, **wanted)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_text_without_an_end_is_ended_and_nobody_is_asked_to_go_on(
    make_orchestrator, practice, provider
) -> None:
    """A reader would have 350 KB of one word, and an error at the deadline."""
    practice.faults.add(ENDLESS.format(provider))
    orchestrator = make_orchestrator(changes(PROVIDERS[provider], stall_timeout_s=10))
    stream = ask_briefly(orchestrator)
    text, error = read(stream)
    assert error is not None
    assert "endless" in str(error)
    assert 0 < len(text.encode()) <= 100 * 16 + 4_096
    assert len(practice.requests) == 1
    assert held(orchestrator) == 0


def test_what_was_written_beyond_the_limit_may_be_billed_and_is_booked(make_orchestrator, practice) -> None:
    """A token is at least a byte; the bound is what a model may cost that heeds its limit."""
    practice.faults.add(ENDLESS.format("openrouter"))
    orchestrator = make_orchestrator(changes(stall_timeout_s=10))
    bound = orchestrator.explain("Đơn hàng của tôi đâu?", max_tokens=100).candidates[0].bound_nusd
    read(ask_briefly(orchestrator))
    assert booked(orchestrator) > 10 * bound
    assert held(orchestrator) == 0


@pytest.mark.parametrize(
    "wanted", [{"on_break": "restart"}, {"response_format": {"type": "json_object"}}], ids=str
)
def test_where_the_reader_can_have_another_answer_the_next_model_gives_it(
    make_orchestrator, practice, wanted
) -> None:
    practice.faults.add(ENDLESS.format("openrouter"))
    orchestrator = make_orchestrator(changes(stall_timeout_s=10))
    with ask_briefly(orchestrator, **wanted) as stream:
        for _ in stream:
            pass
    reply = stream.reply
    assert reply.provider != "openrouter"
    first = reply.attempts[0]
    assert (first.failure, first.cost_source) == ("endless", CostSource.BOUND)
    assert len(reply.text) < 1_000
