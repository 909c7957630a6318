"""What applies to a request is looked up once, when it begins."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.core.errors import DeadlineExceededError, InvalidRequestError, UnknownNameError
from orchestrator.core.payer import Payer
from orchestrator.core.reply import Delta, ToolCall
from tests.support.step_bench import ATTEMPT, COST, reply_of


def test_a_call_knows_from_its_first_moment_what_applies_to_it(bench) -> None:
    call = bench.call(user="lan", tags=["trial"], profile="background")
    settings = bench.config.settings
    assert call.use_case is settings.use_cases["customer_service"]
    assert call.profile is settings.retry_profiles["background"]
    assert call.payer == Payer("acme", "customer_service", "lan", ("trial",))
    assert call.deadline.timeout_s == settings.retry_profiles["background"].deadline_s
    assert call.started_at == bench.clock.now()
    assert bench.call().id != call.id


@pytest.mark.parametrize("fields", [{"use_case": "custommer_service"}, {"profile": "interactiv"}])
def test_a_name_that_the_configuration_does_not_define_is_an_error_at_once(bench, fields) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean"):
        bench.call(**fields)


CALLED = {"id": "call_1", "type": "function", "function": {"name": "find_order", "arguments": '{"id": 1}'}}
UNKNOWN_TO_EVERY_FORMAT = {
    "a part of the Responses API": (
        [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}],
        "part 0 of message 0 is of type 'input_text'",
    ),
    "an image of Anthropic's": (
        [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "AA=="}}]}],
        "of type 'image', which no provider's format has; known are: audio_url, file",
    ),
    "a tool result of Anthropic's": (
        [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "a"}]}],
        "of type 'tool_result'",
    ),
    "a result without its call": (
        [{"role": "user", "content": "a"}, {"role": "tool", "tool_call_id": "call_1", "content": "a"}],
        "message 1 is the result of a tool call that no message before it makes",
    ),
    "a result before its call": (
        [{"role": "tool", "tool_call_id": "call_1", "content": "a"}, {"role": "assistant", "tool_calls": [CALLED]}],
        "message 0 is the result",
    ),
    "broken arguments": (
        [{"role": "assistant", "tool_calls": [{**CALLED, "function": {"name": "f", "arguments": '{"id":'}}]}],
        "the arguments of tool call 'f' in message 0 are no JSON object",
    ),
    "arguments that are a list": (
        [{"role": "assistant", "tool_calls": [{**CALLED, "function": {"name": "f", "arguments": "[1]"}}]}],
        "no JSON object",
    ),
    "deep arguments": (
        [{"role": "assistant", "tool_calls": [{**CALLED, "function": {"name": "f", "arguments": '{"a":' * 9_000}}]}],
        "the arguments of tool call 'f' in message 0",
    ),
    "a call without a name": (
        [{"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"arguments": "{}"}}]}],
        "a tool call in message 0 has no function name",
    ),
    "a call that is a text": (
        [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": ["find_order"]}],
        "a tool call in message 1 has no function name",
    ),
    "calls that are no list": (
        [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": {"id": "1"}}],
        "'tool_calls' must be a list, got dict",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "words"), UNKNOWN_TO_EVERY_FORMAT.values(), ids=UNKNOWN_TO_EVERY_FORMAT)
def test_messages_that_no_format_can_carry_are_refused_in_our_words(bench, messages, words) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        bench.call(messages)


def test_a_whole_conversation_passes(bench) -> None:
    seen = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    conversation = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": ["Where is it?", {"type": "text", "text": "Here is a picture."}, seen]},
        {"role": "assistant", "content": None, "tool_calls": [CALLED, {**CALLED, "id": "call_2"}]},
        {"role": "tool", "tool_call_id": "call_2", "content": "on its way"},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "in June"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "tool_calls": []},
        {"role": "user", "content": "Why?"},
    ]
    assert bench.call(conversation).request.messages == tuple(conversation)


def test_an_id_that_a_provider_repeats_in_the_next_turn_is_another_one_when_it_is_sent(bench) -> None:
    """The caller hands back what he got, and servers that count the calls of each answer repeat their ids."""
    answered = {"role": "tool", "tool_call_id": "call_1", "content": "in June"}
    turn = [{"role": "assistant", "content": None, "tool_calls": [CALLED]}, answered]
    sent = bench.call([{"role": "user", "content": "a"}, *turn, *turn]).request.messages
    assert [message["tool_calls"][0]["id"] for message in sent[1::2]] == ["call_1", "call_1_2"]
    assert [message["tool_call_id"] for message in sent[2::2]] == ["call_1", "call_1_2"]


async def test_what_takes_longer_than_the_deadline_is_interrupted_and_told_as_that(bench) -> None:
    call = bench.call(deadline_s=0.01)
    with pytest.raises(DeadlineExceededError, match="allow more with deadline_s") as caught:
        async with call.in_time():
            await asyncio.Event().wait()
    assert (caught.value.request_id, caught.value.partial_text) == (call.id, "")


def test_a_reply_reaches_a_streams_reader_in_pieces_with_its_tool_calls(bench) -> None:
    call = bench.call(stream=True)
    assert not call.has_delivered
    reply = replace(reply_of(call), tool_calls=(ToolCall("1", "find_order", "{}"),))
    assert call.hand_over(reply) is reply
    assert [delta.text for delta in bench.pieces] == ["Chào ", "anh ", "Nam", ""]
    assert bench.pieces[-1].tool_calls[0].name == "find_order"
    assert call.has_delivered


def test_a_whole_request_has_no_reader(bench) -> None:
    call = bench.call()
    call.hand_over(reply_of(call))
    assert not call.has_delivered


def test_what_was_spent_is_what_the_attempts_cost_also_seen_from_a_changed_call(bench) -> None:
    call = bench.call()
    replace(call, stale=reply_of(call)).trace.attempts = (ATTEMPT, ATTEMPT)
    assert call.trace.spent_nusd == 2 * COST


def test_a_piece_makes_a_call_delivered(bench) -> None:
    call = bench.call(stream=True)
    assert call.sink is not None
    call.sink(Delta("Chào "))
    assert call.has_delivered
