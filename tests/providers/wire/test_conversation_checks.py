"""What would come back as an error of every provider is refused here, by its place."""

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.message_parts import PART_KINDS
from orchestrator.providers.wire.conversation_checks import check_sendable
from orchestrator.providers.wire.outbound import UnsendableError
from tests.providers.wire.outbound_requests import CALL, CALLED, HELLO, RESULT, UPSTREAMS, body_of


def parts(*listed):
    return {"role": "user", "content": list(listed)}


def calling(**function):
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ((HELLO, parts({"type": "text", "text": "a"}, {"type": "input_text", "text": "a"})), "part 1 of message 1 is of type 'input_text'"),
        ((parts({"type": "image", "source": {"type": "base64", "data": "AA=="}}),), "part 0 of message 0 is of type 'image'"),
        ((parts({"text": "a"}),), "of type 'None'"),
        ((RESULT,), "message 0 is the result of a tool call that no message before it makes"),
        ((RESULT, CALLED), "message 0 is the result"),
        ((HELLO, CALLED, {**RESULT, "tool_call_id": "other"}), "message 2 is the result"),
        ((HELLO, CALLED, {"role": "tool", "content": "25"}), "message 2 is the result"),
        ((calling(name="weather", arguments='{"city":'),), "the arguments of tool call 'weather' in message 0 are no JSON object"),
        ((calling(name="weather", arguments="[1]"),), "no JSON object"),
        ((calling(name="weather", arguments=7),), "no JSON object"),
        ((calling(arguments="{}"),), "a tool call in message 0 has no function name"),
        ((calling(name="", arguments="{}"),), "has no function name"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", list(UPSTREAMS))
def test_a_conversation_that_no_format_carries_names_its_place(kind, messages, words) -> None:
    with pytest.raises(UnsendableError, match=words):
        body_of(kind, *messages)


def test_a_whole_conversation_passes() -> None:
    twice = {**CALLED, "tool_calls": [CALL, {**CALL, "id": "call_2"}]}
    check_sendable(
        (
            HELLO,
            twice,
            RESULT,
            {**RESULT, "tool_call_id": "call_2"},
            HELLO,
            parts("text", {"type": "text", "text": "a"}),
        )
    )
    for arguments in (None, {"a": 1}, ""):
        check_sendable((calling(name="time", arguments=arguments), RESULT))


def test_every_kind_of_part_that_the_format_has_is_known() -> None:
    assert {"text", "image_url", "input_audio", "file", "refusal"} <= PART_KINDS


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "audio_url", "audio_url": {"url": "gs://a/b.mp3"}},
        {"type": "video_url", "video_url": {"url": "HTTPS://example.com/a"}},
        {"type": "file", "file": {"file_data": "https://93.184.216.34/a"}},
    ],
)
def test_a_server_on_this_machine_is_sent_no_address(part) -> None:
    """It would open the address from here, and a model with eyes tell what stands there."""
    message = {"role": "user", "content": [{"type": "text", "text": "http://in.text"}, part]}
    with pytest.raises(UnsendableError, match="part 1 of message 0 is an address") as caught:
        body_of(ProviderKind.LOCAL, message)
    assert "http" not in str(caught.value)
    body_of(ProviderKind.OPENROUTER, message)


def test_a_server_on_this_machine_is_sent_a_picture_itself() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    body_of(ProviderKind.LOCAL, parts(part))
