"""Counting tokens."""

from orchestrator.practice.answers import PracticeRequest, PracticeToolCall
from orchestrator.practice.tokens import TOKENS_PER_MEDIA_PART, count_tokens, input_tokens, piece_bytes


def _request(*messages: dict[str, object], **settings: object) -> PracticeRequest:
    return PracticeRequest("openai", "m", messages, **settings)  # type: ignore[arg-type]


def test_four_bytes_are_a_token_and_a_begun_one_counts_whole():
    """0, 1, 4 and 5 bytes are 0, 1, 1 and 2 tokens."""
    assert [count_tokens(size) for size in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_input_counts_text_messages_tools_and_media():
    """Text in bytes, 4 tokens a message, 258 for each image."""
    assert input_tokens(_request({"role": "user", "content": "abcde"})) == 2 + 4
    parts = [{"type": "text", "text": "abcd"}, {"type": "image_url", "image_url": {"url": "data:…"}}]
    assert input_tokens(_request({"role": "user", "content": parts})) == 1 + 4 + TOKENS_PER_MEDIA_PART
    plain = input_tokens(_request({"role": "user", "content": "abcd"}))
    assert input_tokens(_request({"role": "user", "content": "abcd"}, tools=({"name": "f"},))) > plain


def test_a_tool_call_counts_its_name_and_arguments():
    """In UTF-8 bytes, as text does."""
    assert piece_bytes(PracticeToolCall("f", '{"a":"ế"}')) == 1 + 8 + 3
    assert piece_bytes("ế") == 3
