"""A message has the keys of its role and no others: nothing that was written is left out unsaid."""

import pytest

from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.message_checks import PIECES_MAX, check_tool_choice, messages_of
from orchestrator.core.request import ChatRequest

USER = {"role": "user", "content": "Xin chào"}
EMPTY_KEYS = {"refusal": None, "annotations": [], "audio": None, "function_call": None, "tool_calls": None}


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"role": "user", "parts": [{"text": "a"}]}, "message 1 has 'parts', .* the text of a message is its 'content'"),
        ({"role": "user", "text": "a"}, "message 1 has 'text', .* its 'content'"),
        ({**USER, "timestamp": 7}, "message 1 has 'timestamp', which a message of role 'user' does not have; it has"),
        ({**USER, "tool_calls": [{"id": "1"}]}, "message 1 has 'tool_calls', which a message of role 'user'"),
        ({**USER, "tool_call_id": "1"}, "message 1 has 'tool_call_id'"),
        ({"role": "assistant", "content": "a", "function_call": {"name": "f"}}, "has 'function_call'"),
        ({"role": "assistant", "content": "a", "audio": {"id": "1"}}, "message 1 has 'audio'"),
        ({"role": "tool", "content": "a", "tool_call_id": "1", "artifact": 1}, "message 1 has 'artifact'"),
        ({**USER, 7: "a"}, "message 1 has '7'"),
    ],
)  # fmt: skip
def test_what_no_message_of_a_role_has_is_named(message, says):
    with pytest.raises(InvalidRequestError, match=says):
        messages_of([USER, message])


@pytest.mark.parametrize("role", [[], {}, ["user"], {"user": 1}, 1, True, None, "", "User", "function"])
def test_what_is_no_role_is_refused_whatever_it_is(role):
    with pytest.raises(InvalidRequestError, match="message 1 needs a 'role', one of"):
        messages_of([USER, {"role": role, "content": "a"}])


def test_a_foreign_shape_alone_is_told_as_such_and_not_as_empty():
    with pytest.raises(InvalidRequestError, match="has 'parts'"):
        messages_of([{"role": "user", "parts": [{"text": "a"}]}])


def test_a_message_that_was_put_into_a_finished_request_is_checked_too():
    request = ChatRequest(messages=({"role": "user", "parts": []},), use_case="customer_service")
    with pytest.raises(InvalidRequestError, match="has 'parts'"):
        ChatRequest.of(request)


@pytest.mark.parametrize(
    "message",
    [
        {**USER, "name": "An", "cache_control": {"type": "ephemeral"}},
        {**USER, **EMPTY_KEYS},
        {
            "role": "assistant",
            "content": "a",
            **EMPTY_KEYS,
            "reasoning_content": "b",
            "reasoning_details": [],
        },
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "assistant", "content": "a", "provider_specific_fields": {}, "thinking_blocks": []},
    ],
)
def test_an_answer_can_be_handed_back_as_it_came(message):
    assert messages_of([message]) == (message,)


def test_an_error_that_names_what_is_no_text_can_be_written():
    with pytest.raises(InvalidRequestError) as caught:
        messages_of([{"role": "user", "content": "Chào", "a\ud83d": "x"}])
    assert str(caught.value).startswith("message 0 has 'a\\ud83d', which")


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "a"}] * (PIECES_MAX + 1),
        [{"role": "user", "content": [{"type": "text", "text": "a"}] * PIECES_MAX}],
        [{"role": "assistant", "content": None, "tool_calls": [{}] * PIECES_MAX}],
    ],
    ids=["messages", "parts", "tool calls"],
)
def test_more_pieces_than_can_be_read_at_once_are_refused(messages):
    with pytest.raises(InvalidRequestError, match="at most 10,000 are taken"):
        ChatRequest.of(messages, use_case="customer_service")


def test_texts_to_embed_may_be_more():
    texts = ["a"] * (PIECES_MAX + 1)
    assert len(EmbeddingRequest.of(texts, use_case="embedding").texts) == len(texts)


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "web_search_preview"},
        {"type": "function", "function": {"name": "g"}},
        {},
        "any",
    ],
)
def test_a_choice_is_of_the_requests_own_functions_alone(choice: object) -> None:
    """A vendor's own tools are billed by use."""
    tools = [{"type": "function", "function": {"name": "f"}}]
    check_tool_choice({"type": "function", "function": {"name": "f"}}, tools)
    check_tool_choice("required", tools)
    with pytest.raises(InvalidRequestError, match="'tool_choice' "):
        check_tool_choice(choice, tools)


@pytest.mark.parametrize("key", ["name", "refusal"])
def test_what_must_be_a_text_is_refused_where_one_provider_would_leave_it_out(key):
    with pytest.raises(InvalidRequestError, match=f"'{key}' of message 0 must be a text, not a number"):
        messages_of([{"role": "assistant", "content": "a", key: 5}])


@pytest.mark.parametrize("detail", ["weird", "HIGH", "", 5, ["high"]])
def test_how_closely_a_picture_is_looked_at_is_said_in_a_word_that_some_format_has(detail) -> None:
    def asked(value: object) -> None:
        picture = {"url": "https://example.com/a.png", "detail": value}
        message = {"role": "user", "content": [{"type": "image_url", "image_url": picture}]}
        ChatRequest.of(ChatRequest(messages=(message,), use_case="customer_service"))

    asked("high")
    with pytest.raises(InvalidRequestError, match="'detail' of a picture of message 0 is none of: auto, low"):
        asked(detail)
