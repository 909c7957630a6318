"""Addresses that a library would open itself, wherever they stand in a message."""

from typing import Any

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.metering.media_addresses import check_addresses


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1/a"}},
        {"type": "image_url", "image_url": "ftp://host/a"},
        {"type": "video_url", "video_url": {"url": "\thttps://host/a"}},
        {"type": "file", "file": {"file_id": "https://host/a"}},
        {"type": "of_next_year", "deep": {"deeper": {"address": "HTTPS://host/a"}}},
        {"image_url": "http://host/a"},
        {"type": "image_url", "image_url": "file:/etc/passwd"},
        {"type": "image_url", "image_url": "//127.0.0.1/a"},
    ],
)
def test_an_address_is_refused_and_not_repeated(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match="in message 1 is an address") as caught:
        check_addresses(["http://in.a/text", [part]])
    assert "host" not in str(caught.value)
    assert "127" not in str(caught.value)


@pytest.mark.parametrize(
    "part",
    [
        "http://host/a",
        {"type": "text", "text": "http://host/a"},
        {"type": "tool_use", "input": {"url": "http://host/a"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
        {"type": "file", "file": {"file_data": "gs://bucket/a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA//8=", "format": "wav"}},
        {"type": "image", "base64": "//8AAAA=", "mime_type": "image/png"},
    ],
)
def test_words_data_and_what_google_opens_pass(part: Any) -> None:
    check_addresses([[part], None, "text"])


def test_what_a_library_hands_on_unopened_passes() -> None:
    part = {"type": "media", "file_uri": "https://generativelanguage.googleapis.com/v1beta/files/a"}
    check_addresses([[part]], unopened=frozenset({"file_uri"}))
    with pytest.raises(InvalidRequestError):
        check_addresses([[part]])
