"""The provider's own counts and finish, in the formats of four vendors."""

import orjson
import pytest

from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Usage
from orchestrator.providers.litellm.provider_words import ProviderWords
from orchestrator.providers.wire.finish_reasons import UNKNOWN_FINISH

ANSWER = ProviderAnswer("Xin chào", (), "stop", Usage(1, 1), None, None)
"""As LiteLLM reads it: with counts that are its own."""

ANTHROPIC = {
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 30,
        "output_tokens": 5,
    },
}
SAID = {
    "openai": (
        {"choices": [{"finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 4}},
        Usage(9, 4),
    ),
    "groq": (
        {
            "choices": [{"finish_reason": "stop"}],
            "x_groq": {
                "id": "req_1",
                "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_time": 0.1},
            },
        },
        Usage(9, 4),
    ),
    "anthropic": (ANTHROPIC, Usage(60, 5, 20, 30)),
    "gemini": (
        {
            "candidates": [{"finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 3, "totalTokenCount": 11},
        },
        Usage(8, 3),
    ),
    "responses": (
        {
            "object": "response",
            "status": "completed",
            "usage": {
                "input_tokens": 60,
                "input_tokens_details": {"cached_tokens": 20},
                "output_tokens": 12,
                "output_tokens_details": {"reasoning_tokens": 5},
            },
        },
        Usage(60, 12, 20, reasoning_tokens=5),
    ),
    "bedrock": (
        {"stopReason": "end_turn", "usage": {"inputTokens": 7, "outputTokens": 2, "cacheReadInputTokens": 3}},
        Usage(10, 2, 3),
    ),
}


def words_of(*parts: object) -> ProviderWords:
    words = ProviderWords()
    for part in parts:
        words.take(orjson.dumps(part))
    return words


@pytest.mark.parametrize("vendor", SAID)
def test_the_counts_are_the_vendors_own(vendor: str) -> None:
    said, usage = SAID[vendor]
    assert words_of(said).checked(ANSWER).usage == usage


def test_of_a_stream_the_last_count_counts() -> None:
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 10, "output_tokens": 1}}}
    ended = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 5}}
    answer = words_of(begun, {"type": "ping"}, ended).checked(ANSWER)
    assert (answer.usage, answer.finish_reason) == (Usage(10, 5), "length")


def test_a_stream_that_ends_with_less_than_it_began_with_used_what_it_began_with() -> None:
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 900, "output_tokens": 1}}}
    ended = {"delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 0, "output_tokens": 5}}
    assert words_of(begun, ended).checked(ANSWER).usage == Usage(900, 5)


def test_without_an_end_no_count_is_believed() -> None:
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 10, "output_tokens": 1}}}
    assert words_of(begun).billed(ANSWER).usage.estimated


@pytest.mark.parametrize(
    "said",
    [
        {"choices": [{"finish_reason": "insufficient_system_resource"}]},
        {"stop_reason": "pause_turn"},
        {"choices": [{"finish_reason": "stop"}], "error": {"message": "the host hung up"}},
        {"choices": [{"finish_reason": "stop", "error": {"code": 502}}]},
        {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]},
        {"type": "error", "error": {"type": "overloaded_error"}},
        {"choices": [{}]},
        {"choices": [{"finish_reason": "stop", "message": {"content": "Xin", "error": {"code": 503}}}]},
        {"choices": [{"finish_reason": "stop", "delta": {"error": {"code": 503}}}]},
        {"choices": [{"finish_reason": "stop"}], "errors": [{"code": 503}]},
        {"choices": [{"finish_reason": "stop"}], "status": "error"},
        {"choices": [{"finish_reason": "tool_calls", "message": {"content": "Em tìm"}}]},
        {"choices": [{"finish_reason": "stop", "native_finish_reason": "MALFORMED_FUNCTION_CALL"}]},
        {"type": "response.failed", "response": {"object": "response", "status": "failed"}},
    ],
)
def test_what_is_no_end_by_the_vendors_words_is_no_answer(said: object) -> None:
    with pytest.raises(UnreadableAnswerError):
        words_of(said).checked(ANSWER)


def test_what_the_host_behind_a_router_says_of_the_end_counts() -> None:
    def said(native: str) -> ProviderAnswer:
        return words_of({"choices": [{"finish_reason": "stop", "native_finish_reason": native}]}).checked(
            ANSWER
        )

    assert said("STOP").notices == ()
    assert (said("SAFETY").finish_reason, said("MAX_TOKENS").finish_reason) == ("content_filter", "length")
    assert said("ran_dry").notices == (UNKNOWN_FINISH,)


def test_an_event_with_a_code_in_the_place_of_an_answer_is_an_error() -> None:
    ended = {"choices": [{"finish_reason": "stop"}]}
    for event in ({"code": 429, "message": "slow down"}, {"message": "hung up"}):
        with pytest.raises(UnreadableAnswerError):
            words_of(event, ended).checked(ANSWER)
    assert words_of({"code": 0, "message": "ok"}, ended).checked(ANSWER).text == ANSWER.text


def test_a_call_that_is_announced_and_has_come_is_one() -> None:
    """LiteLLM may make text of it, where it has made a tool of a schema."""
    piece = {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}}]}
    said = {"choices": [{"finish_reason": "tool_calls"}]}
    assert words_of(piece, said).checked(ANSWER).text == ANSWER.text


def test_a_filter_is_told_where_there_is_no_text() -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        words_of({"stop_reason": "refusal"}).checked(ProviderAnswer("", (), "stop", Usage(), None, None))
    assert caught.value.failure.kind is FailureKind.CONTENT_FILTERED
    assert words_of({"stop_reason": "refusal"}).checked(ANSWER).finish_reason == "content_filter"


def test_without_its_words_litellms_reading_stays() -> None:
    assert ProviderWords().checked(ANSWER) is ANSWER


def test_behind_the_end_the_dearer_count_is_believed() -> None:
    ended = {"choices": [{"finish_reason": "stop"}]}
    counts = [{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": of}} for of in (4, 40, 1)]
    assert words_of(ended, *counts).checked(ANSWER).usage == Usage(9, 40)


def test_no_output_beside_words_is_a_count_that_got_lost() -> None:
    said = {"choices": [{"finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 0}}
    assert words_of(said).checked(ANSWER).usage.estimated


@pytest.mark.parametrize("details", ["length", ["length"], 7])
def test_details_of_the_wrong_type_are_no_reason(details: object) -> None:
    said = {"object": "response", "status": "completed", "incomplete_details": details}
    assert words_of(said).finish == "completed"
