"""A part of a message is of a known kind, and an address in it is a public one that somebody else opens."""

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.message_parts import PART_KINDS, check_part


def picture(address):
    return {"type": "image_url", "image_url": {"url": address}}


@pytest.mark.parametrize(
    "part",
    [
        "text",
        {"type": "text", "text": "see http://10.0.0.1", "cache_control": {"type": "ephemeral"}},
        {"type": "refusal", "refusal": "no"},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        picture("https://ảnh.vn/a.png?w=1#b"),
        picture("https://93.184.216.34:8443/a.png"),
        picture("https://[2606:4700::1111]/a.png"),
        picture("DATA:image/PNG;base64,AAAA"),
        picture("data:;base64,AAAA"),
        picture("gs://bucket/a.png"),
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA=="}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,AA==", "format": "wav"}},
        {"type": "file", "file": {"file_data": "AA==", "format": "application/pdf"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-abc"}},
    ],
)
def test_a_part_that_a_provider_can_read_passes(part):
    check_part(part, 0, 0)


HOSTS = [
    *("127.0.0.1", "10.0.0.8", "192.168.1.1", "169.254.169.254", "100.64.0.1", "240.0.0.1", "224.0.0.1"),
    *("[::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST.", "crm", "2130706433", "127.1"),
    *(
        "0x7f.0x1",
        "017700000001",
        "127.0.0.1.",
        "１２７.0.0.1",
        "127。0。0。1",
        "printer.local",
        "a.localhost",
    ),
    *("metadata.google.internal", "user@example.com", "user:key@example.com", "", "[::1"),
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind", ["image_url", "video_url", "audio_url"])
def test_a_host_that_no_provider_can_reach_is_refused(kind, host):
    with pytest.raises(InvalidRequestError, match=r"part 1 of message 2 has an address that is not taken"):
        check_part({"type": kind, kind: {"url": f"https://{host}/a.png"}}, 2, 1)


@pytest.mark.parametrize(
    "address",
    [
        *("file:///etc/passwd", " file:///etc/passwd", "FILE:/etc/passwd", "http://example.com/a.png"),
        *("ftp://example.com/a", "//example.com/a.png", "\\\\server\\share", "javascript:alert(1)"),
        *("https://example.com/a b", "https://example.com/a\n", "blob:https://example.com/a"),
        *("data:text/html;base64,AAAA", "data:image/png,AAAA", "data:application/pdf;base64,AA=="),
    ],
)
def test_an_address_of_another_scheme_is_refused_in_every_part_that_has_one(address):
    parts = [
        picture(address),
        {"type": "image_url", "image_url": address},
        {"type": "video_url", "video_url": {"url": address}},
        {"type": "audio_url", "audio_url": {"url": address}},
        {"type": "input_audio", "input_audio": {"data": address, "format": "wav"}},
    ]
    if not address.startswith("data:"):
        parts += [{"type": "file", "file": {key: address}} for key in ("file_data", "file_id")]
    for part in parts:
        with pytest.raises(InvalidRequestError, match=r"write https://\.\.\. of a public host") as caught:
            check_part(part, 0, 0)
        assert address.strip() not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (
            {"type": "input_text", "text": "a"},
            "is of type 'input_text', which no provider's format has; known",
        ),
        ({"text": "a"}, "is of type 'None'"),
        (7, "is of type 'None'"),
        ({"type": ["text"], "text": "a"}, "is of type"),
        ({"type": "text", "content": "a"}, "has 'content', which a part of type 'text' does not have"),
        ({"type": "text", "text": "a", "image_url": "b"}, "has 'image_url'"),
        ({"type": "text"}, "needs a text as 'text'"),
        ({"type": "refusal", "refusal": None}, "needs a text as 'refusal'"),
        ({"type": "image_url"}, "needs 'url' in its 'image_url'"),
        ({"type": "image_url", "image_url": {"uri": "https://a.vn/b"}}, "has 'uri' in its 'image_url'"),
        (
            {"type": "image_url", "image_url": {"url": "https://a.vn/b", "fps": 9}},
            "has 'fps' in its 'image_url'",
        ),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "x": 1}},
            "has 'x' in its 'cache_control'",
        ),
        ({"type": "image_url", "image_url": ""}, "needs 'url' in its 'image_url'"),
        ({"type": "file", "file": "https://a.vn/b"}, "needs 'file_data' or 'file_id' in its 'file'"),
        ({"type": "input_audio", "input_audio": {"format": "wav"}}, "needs 'data' in its 'input_audio'"),
    ],
)
def test_a_part_that_holds_something_else_says_what_it_would_hold(part, says):
    with pytest.raises(InvalidRequestError, match=f"part 0 of message 0 .*{says}"):
        check_part(part, 0, 0)


def test_every_kind_of_part_that_the_format_has_is_known():
    assert {"text", "image_url", "input_audio", "file", "refusal"} <= PART_KINDS
