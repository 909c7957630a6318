"""What a practice provider reads of a message."""

from orchestrator.practice.answers import last_text, text_of


def test_text_is_found_in_strings_and_parts():
    """Parts that are not text count nothing."""
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, "b"]
    assert [text_of({"content": content}) for content in ("x", parts, None)] == ["x", "a\nb", ""]


def test_the_last_message_of_a_role_is_read():
    """An answer is to the user's last words, whatever a tool or a model said since."""
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": "second"},
        {"role": "assistant", "content": "answer"},
    ]
    assert last_text(messages, role="user") == "second"
    assert last_text(messages, role="tool") == ""
