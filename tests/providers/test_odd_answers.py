"""An answer that is odd is believed where it is whole, and else another deployment's comes in its place."""

import json
from collections.abc import Iterator

import pytest

from orchestrator import CacheUse, ChatReply, Orchestrator
from orchestrator.core.errors import RejectedByProviderError
from orchestrator.core.json_answers import NO_JSON
from orchestrator.core.provider_answer import SHOWN_THOUGHTS
from orchestrator.practice import PracticeServer, Scripted
from orchestrator.practice.odd_answers import BURST_PIECES, CALLS, GOOD_TEXT, HALF_TEXT, THOUGHTS
from orchestrator.practice.odd_shapes import OddShape
from orchestrator.providers.wire import http
from orchestrator.resilience.circuit_breaker import CircuitState

FIRST_OF = {
    "openrouter": "openrouter/gpt-6-luna",
    "google": "google/gemini-3.8-flash",
    "openai": "openai/gpt-6-luna",
}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("find_order", "list_orders")
]
NO_ANSWERS = {
    OddShape.UNKNOWN_FINISH: {"malformed", "interrupted"},
    OddShape.ABORTED: {"malformed", "interrupted"},
    OddShape.ERROR_BESIDE_TEXT: {"server_error", "interrupted"},
    OddShape.CUT_CALL: {"malformed"},
    OddShape.NAMELESS_CALL: {"malformed"},
    OddShape.HOST_FAILED: {"malformed", "interrupted"},
    OddShape.ERROR_IN_MESSAGE: {"server_error", "interrupted"},
    OddShape.BARE_CODE: {"server_error", "interrupted"},
    OddShape.WORDS_ELSEWHERE: {"malformed"},
    OddShape.NAN_ARGUMENTS: {"malformed"},
    OddShape.GZIP_BOMB: {"malformed"},
}
TEXTS = (
    *(OddShape.STRAY_CHUNKS, OddShape.OPEN_END, OddShape.ODD_LINES, OddShape.NO_USAGE, OddShape.BURST),
    *(
        OddShape.SPLIT_CHARACTER,
        OddShape.ONE_BODY,
        OddShape.FINISH_IN_EACH,
        OddShape.STRAY_LINES,
        OddShape.PACKED,
        OddShape.TORN_END,
    ),
)
TOOL_CALLS = {
    OddShape.CALLS_WITH_INDEX_0: CALLS,
    OddShape.CALLS_WITHOUT_INDEX: CALLS,
    OddShape.OBJECT_ARGUMENTS: CALLS,
    OddShape.NO_ARGUMENTS: (("list_orders", {}),),
}

pytestmark = [
    pytest.mark.parametrize("provider", FIRST_OF),
    pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"]),
]


@pytest.fixture
def answerer() -> Scripted:
    return Scripted()


@pytest.fixture
def practice(listed_prices, answerer: Scripted) -> Iterator[PracticeServer]:
    with PracticeServer(prices=listed_prices, answerer=answerer) as server:
        yield server


@pytest.fixture
def orchestrator(make_orchestrator, provider: str) -> Orchestrator:
    """The provider first, and each of the others behind it."""
    others = [{"deployment": name, "reason": "a test"} for key, name in FIRST_OF.items() if key != provider]
    first = {"deployment": FIRST_OF[provider], "reason": "a test"}
    return make_orchestrator(
        {
            "local_model": {"enabled": False},
            "use_cases": {"customer_service": {"primary": first, "fallbacks": others}},
        }
    )


def ask(orchestrator: Orchestrator, *, stream: bool, **overrides) -> ChatReply:
    """Return the reply, and check that a reader of its pieces has the same."""
    wanted = {"cache": CacheUse.REFRESH, "max_tokens": 100, **overrides}
    if not stream:
        return orchestrator.complete("Xin chào", **wanted)
    pieces = orchestrator.stream("Xin chào", **wanted)
    deltas = list(pieces)
    assert "".join(delta.text for delta in deltas) == pieces.reply.text
    assert sum(len(delta.tool_calls) for delta in deltas) == len(pieces.reply.tool_calls)
    return pieces.reply


@pytest.mark.parametrize("shape", NO_ANSWERS)
def test_what_is_no_answer_is_none_and_is_never_kept(
    orchestrator: Orchestrator,
    practice: PracticeServer,
    stopwatch,
    provider: str,
    stream: bool,
    shape: OddShape,
) -> None:
    orchestrator.warm_up()
    practice.faults.add(f"{provider}:odd_answer={shape}")
    watch = stopwatch()
    reply = ask(orchestrator, stream=stream, tools=TOOLS)
    assert watch.took_s() < 3
    odd = [row for row in reply.attempts if row.provider == provider]
    assert {row.failure for row in odd} <= NO_ANSWERS[shape]
    assert all(row.cost_nusd > 0 for row in odd), "it may be billed"
    assert reply.provider != provider
    # What the reader of a stream had is gone on with; whole, nothing of it is left.
    assert "Half" not in reply.text or (stream and "broke off after" in str(reply.degraded))
    practice.faults.clear()
    again = orchestrator.complete("Xin chào", max_tokens=100, tools=TOOLS)
    assert again.cached == "miss"
    assert "Half" not in again.text


@pytest.mark.parametrize("shape", TEXTS)
def test_an_odd_answer_that_is_whole_is_an_answer(
    orchestrator: Orchestrator,
    practice: PracticeServer,
    stopwatch,
    monkeypatch,
    provider: str,
    stream: bool,
    shape: OddShape,
) -> None:
    if shape is OddShape.OPEN_END:
        monkeypatch.setattr(http, "LAST_WORD_S", 0.05)
    orchestrator.warm_up()
    practice.faults.add(f"{provider}:odd_answer={shape}")
    watch = stopwatch()
    # A burst has more words than a hundred tokens can be.
    reply = ask(orchestrator, stream=stream, max_tokens=BURST_PIECES)
    assert reply.text == ("word " * BURST_PIECES if shape is OddShape.BURST else GOOD_TEXT)
    assert reply.provider == provider
    assert len(reply.attempts) == 1
    assert reply.usage.estimated is (shape is OddShape.NO_USAGE)
    assert watch.took_s() < 10
    assert orchestrator.circuits()[FIRST_OF[provider]] is CircuitState.CLOSED


@pytest.mark.parametrize("shape", TOOL_CALLS)
def test_every_tool_call_comes_whole(
    orchestrator: Orchestrator, practice: PracticeServer, provider: str, stream: bool, shape: OddShape
) -> None:
    practice.faults.add(f"{provider}:odd_answer={shape}")
    reply = ask(orchestrator, stream=stream, tools=TOOLS)
    calls = tuple((call.name, json.loads(call.arguments)) for call in reply.tool_calls)
    assert calls == TOOL_CALLS[shape]
    assert len({call.id for call in reply.tool_calls}) == len(calls)
    assert (reply.finish_reason, reply.provider, len(reply.attempts)) == ("tool_calls", provider, 1)


def test_a_call_of_a_tool_that_was_not_offered_is_another_models_to_mend(
    orchestrator: Orchestrator, practice: PracticeServer, provider: str, stream: bool
) -> None:
    """It was handed to the caller, who has no such tool."""
    orchestrator.warm_up()
    practice.faults.add(f"{provider}:odd_answer=calls_with_index_0")
    reply = ask(orchestrator, stream=stream, tools=TOOLS[1:])
    assert {row.failure for row in reply.attempts if row.provider == provider} == {"malformed"}
    assert reply.provider != provider
    assert {call.name for call in reply.tool_calls} <= {"list_orders"}


def test_a_call_that_was_forbidden_is_another_models_to_mend(
    orchestrator: Orchestrator, practice: PracticeServer, provider: str, stream: bool
) -> None:
    """With `tool_choice: none` the caller's code reads the text, and there is none."""
    orchestrator.warm_up()
    practice.faults.add(f"{provider}:odd_answer=calls_with_index_0")
    reply = ask(orchestrator, stream=stream, tools=TOOLS, tool_choice="none")
    assert {row.failure for row in reply.attempts if row.provider == provider} == {"malformed"}
    assert reply.provider != provider
    assert (reply.tool_calls, bool(reply.text)) == ((), True)


def test_a_filter_says_what_it_was_for_where_the_format_does(
    orchestrator: Orchestrator, practice: PracticeServer, provider: str, stream: bool
) -> None:
    """Before the first word it is an error with its reason, behind it a reply that says so."""
    reason = "PROHIBITED_CONTENT" if provider == "google" else "content_filter"
    practice.faults.add(f"{provider}:odd_answer=filtered,times=1")
    with pytest.raises(RejectedByProviderError, match=f"filtered before its first word: {reason}"):
        ask(orchestrator, stream=stream)
    practice.faults.add(f"{provider}:odd_answer=filter_cut,times=1")
    reply = ask(orchestrator, stream=stream)
    assert (reply.text, reply.finish_reason) == (HALF_TEXT, "content_filter")
    assert f"the provider's content filter cut the answer off: {reason}" in reply.notices
    assert ask(orchestrator, stream=stream, cache=CacheUse.USE).cached == "miss"


def test_a_limit_that_reasoning_used_up_is_said(
    orchestrator: Orchestrator, practice: PracticeServer, provider: str, stream: bool
) -> None:
    practice.faults.add(f"{provider}:odd_answer=thought_only")
    reply = ask(orchestrator, stream=stream)
    assert (reply.text, reply.finish_reason) == ("", "length")
    assert any("used up before the first word; raise max_tokens" in notice for notice in reply.notices)
    assert reply.usage.reasoning_tokens == 50


@pytest.mark.parametrize(
    ("said", "by_next", "notice"),
    [
        ('{"a": 1, "b', True, False),
        ("Sure! Here it is", False, True),
        ('```json\n{"a": 1}\n```', False, True),
    ],
)
def test_half_a_json_is_no_answer_and_prose_in_its_place_is_told(
    orchestrator, answerer, provider, stream, said, by_next, notice
) -> None:
    answerer.add(said, '{"b": 2}')
    reply = ask(orchestrator, stream=stream, response_format={"type": "json_object"})
    assert reply.text == ('{"b": 2}' if by_next else said)
    assert ([each.failure for each in reply.attempts][:-1] == ["malformed"]) is by_next
    assert (NO_JSON in reply.notices) is notice


def test_brackets_without_an_end_in_the_place_of_json_are_no_answer(
    orchestrator, answerer, provider, stream
) -> None:
    """They were a RecursionError: Python reads no JSON that lies so deep."""
    answerer.add("[" * 3000, '{"b": 2}')
    asked = {"response_format": {"type": "json_object"}, "max_tokens": 4000}
    reply = ask(orchestrator, stream=stream, **asked)
    assert ([each.failure for each in reply.attempts], reply.text) == (["malformed", None], '{"b": 2}')


def test_prose_in_the_place_of_a_call_is_passed_over_unseen(orchestrator, answerer, provider, stream) -> None:
    answerer.add("Dạ, để em tìm.")
    reply = ask(orchestrator, stream=stream, tools=TOOLS, tool_choice="required")
    assert ([each.failure for each in reply.attempts], reply.text) == (["unsupported", None], "")
    assert reply.tool_calls


def test_thoughts_that_a_prompt_began_are_none_of_the_answer(
    orchestrator, practice, provider, stream
) -> None:
    """The first reader of a stream is told: before their end nobody knew. Google's own format has no tags."""
    practice.faults.add(f"{provider}:odd_answer=prompted_thoughts")
    first, second = (ask(orchestrator, stream=stream) for _ in range(2))
    assert [each.deployment for each in (first, second)] == [FIRST_OF[provider]] * 2
    assert (second.text == GOOD_TEXT) is (provider != "google" or not stream)
    assert (first.text, SHOWN_THOUGHTS in first.notices) == (
        (THOUGHTS + GOOD_TEXT, True) if stream else (GOOD_TEXT, False)
    )
