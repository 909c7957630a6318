"""A block of any vendor's shape becomes a part of the wire, or is named in an error; none is left out."""

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.message_parts import check_part
from orchestrator.langchain.content_blocks import part_of, parts_of_blocks

PNG = "data:image/png;base64,AA=="
PDF = "data:application/pdf;base64,AA=="
AN_ADDRESS = "https://a.example/b"
MARK = {"type": "ephemeral"}


def picture(url: str) -> dict:
    return {"type": "image_url", "image_url": {"url": url}}


def file(data: str, name: str = "file") -> dict:
    return {"type": "file", "file": {"filename": name, "file_data": data}}


def text(words: str) -> dict:
    return {"type": "text", "text": words}


SOUND = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}
KNOWN = [
    # OpenAI's: chat completions, then Responses.
    ("hi", text("hi")),
    ({"type": "text", "text": "hi", "annotations": [], "id": "1"}, text("hi")),
    (picture(PNG), picture(PNG)),
    (SOUND, SOUND),
    (file(PDF, "a.pdf"), file(PDF, "a.pdf")),
    ({"type": "input_text", "text": "hi"}, text("hi")),
    ({"type": "output_text", "text": "hi", "annotations": []}, text("hi")),
    ({"type": "input_image", "image_url": PNG}, picture(PNG)),
    ({"type": "input_file", "filename": "a.pdf", "file_data": PDF}, file(PDF, "a.pdf")),
    ({"type": "input_file", "file_url": AN_ADDRESS}, file(AN_ADDRESS)),
    ({"type": "input_file", "file_id": "f1"}, {"type": "file", "file": {"file_id": "f1"}}),
    # Anthropic's.
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
        picture(PNG),
    ),
    ({"type": "image", "source": {"type": "url", "url": AN_ADDRESS}}, picture(AN_ADDRESS)),
    (
        {
            "type": "document",
            "title": "a",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
        },
        file(PDF, "a"),
    ),
    ({"type": "document", "source": {"type": "url", "url": AN_ADDRESS}}, file(AN_ADDRESS)),
    ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}}, text("hi")),
    ({"type": "document", "source": {"type": "content", "content": [text("a"), text("b")]}}, text("a\nb")),
    # Gemini's.
    ({"type": "media", "mime_type": "image/png", "data": b"\x00"}, picture(PNG)),
    ({"type": "media", "mime_type": "application/pdf", "data": "AA=="}, file(PDF)),
    ({"type": "media", "mime_type": "audio/mpeg", "data": "AA=="}, SOUND),
    (
        {"type": "media", "mime_type": "video/mp4", "file_uri": AN_ADDRESS},
        {"type": "video_url", "video_url": {"url": AN_ADDRESS}},
    ),
    ({"text": "hi"}, text("hi")),
    ({"inline_data": {"mime_type": "image/png", "data": "AA=="}}, picture(PNG)),
    ({"fileData": {"mimeType": "application/pdf", "fileUri": AN_ADDRESS}}, file(AN_ADDRESS)),
    # Bedrock's.
    ({"image": {"format": "png", "source": {"bytes": b"\x00"}}}, picture(PNG)),
    ({"document": {"format": "pdf", "name": "a", "source": {"bytes": b"\x00"}}}, file(PDF, "a")),
    ({"guard_content": {"text": "hi"}}, text("hi")),
    ({"type": "json", "json": {"a": "ơ"}}, text('{"a": "ơ"}')),
    # LangChain's own, today's and those before.
    ({"type": "image", "url": AN_ADDRESS}, picture(AN_ADDRESS)),
    ({"type": "image", "base64": "AA==", "mime_type": "image/png"}, picture(PNG)),
    ({"type": "audio", "base64": "AA==", "mime_type": "audio/mpeg"}, SOUND),
    ({"type": "video", "url": AN_ADDRESS}, {"type": "video_url", "video_url": {"url": AN_ADDRESS}}),
    ({"type": "file", "base64": "AA==", "mime_type": "application/pdf"}, file(PDF)),
    ({"type": "file", "file_id": "f1"}, {"type": "file", "file": {"file_id": "f1"}}),
    ({"type": "text-plain", "text": "hi", "mime_type": "text/plain"}, text("hi")),
    ({"type": "text-plain", "base64": "aGk=", "mime_type": "text/plain"}, text("hi")),
    ({"type": "image", "source_type": "base64", "data": "AA==", "mime_type": "image/png"}, picture(PNG)),
    ({"type": "file", "source_type": "text", "text": "hi"}, text("hi")),
    ({"type": "file", "source_type": "id", "id": "f1"}, {"type": "file", "file": {"file_id": "f1"}}),
    ({"type": "non_standard", "value": {"type": "input_text", "text": "hi"}}, text("hi")),
]


@pytest.mark.parametrize(("block", "part"), KNOWN)
def test_a_known_block_becomes_a_part_that_every_check_takes(block, part):
    (translated,) = parts_of_blocks([block], 0)
    assert translated == part
    check_part(translated, 0, 0)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "hi", "cache_control": MARK},
        {"type": "text", "text": "hi", "extras": {"cache_control": MARK}},
        {"type": "image", "url": AN_ADDRESS, "cache_control": MARK},
        {"type": "input_text", "text": "hi", "cache_control": MARK},
    ],
)
def test_a_mark_of_caching_stays_with_its_block(block):
    assert part_of(block, "a block")["cache_control"] == MARK


@pytest.mark.parametrize(
    ("block", "named"),
    [
        ({"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}}, "server_tool_use"),
        ({"type": "web_search_tool_result", "content": []}, "web_search_tool_result"),
        ({"type": "server_tool_result"}, "server_tool_result"),
        ({"type": "executable_code"}, "executable_code"),
        ({"type": "hologram"}, "hologram"),
        ({"cachePoint": {"type": "default"}}, "cachePoint"),
        ({"type": "text"}, "a 'text'"),
        ({"type": "image"}, "its data or an address"),
        ({"type": "image", "file_id": "f1"}, "lies with one vendor"),
        ({"type": "image", "base64": "AA=="}, "a 'mime_type'"),
        ({"type": "document", "source": {"type": "content", "content": [picture(PNG)]}}, "several kinds"),
        ({"type": "text-plain", "base64": "/w=="}, "UTF-8"),
    ],
)
def test_any_other_block_is_named_with_its_place(block, named):
    with pytest.raises(InvalidRequestError, match=f"block 1 of message 4 .*{named}"):
        parts_of_blocks([text("hi"), block], 4)
