"""What a message holds goes inline, an address goes as an address, and we open none."""

import pytest

from orchestrator.providers.wire.gemini_media import media_part
from orchestrator.providers.wire.outbound import UnsendableError

DATA = "data:image/png;base64,AA=="


def image(url, **fields):
    return {"type": "image_url", "image_url": {"url": url, **fields}}


def file(**fields):
    return {"type": "file", "file": fields}


def inline(mime_type):
    return {"inlineData": {"mimeType": mime_type, "data": "AA=="}}


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (image(DATA), inline("image/png")),
        ({"type": "image_url", "image_url": DATA}, inline("image/png")),
        (image("data:image/jpg;base64,AA=="), inline("image/jpeg")),
        (image("DATA:image/PNG;charset=utf-8;base64,AA=="), inline("image/png")),
        (image("data:;base64,AA==", format="image/webp"), inline("image/webp")),
        (image("https://a.vn/b.png?x=1"), {"fileData": {"fileUri": "https://a.vn/b.png?x=1", "mimeType": "image/png"}}),
        (image("https://a.vn/b", mime_type="image/gif"), {"fileData": {"fileUri": "https://a.vn/b", "mimeType": "image/gif"}}),
        (image("https://a.vn/b"), {"fileData": {"fileUri": "https://a.vn/b"}}),
        ({"type": "video_url", "video_url": {"url": "https://www.youtube.com/watch?v=x"}}, {"fileData": {"fileUri": "https://www.youtube.com/watch?v=x"}}),
        ({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}, inline("audio/wav")),
        ({"type": "input_audio", "input_audio": {"data": "AA==", "format": "audio/mpeg"}}, inline("audio/mp3")),
        ({"type": "input_audio", "input_audio": {"data": "data:audio/ogg;base64,AA==", "format": "ogg"}}, inline("audio/ogg")),
        (file(file_data="data:application/pdf;base64,AA=="), inline("application/pdf")),
        (file(file_data="AA==", filename="a.pdf"), inline("application/pdf")),
        (file(file_data="AA==", format="text/csv"), inline("text/csv")),
        (file(file_id="https://generativelanguage.googleapis.com/v1beta/files/x"), {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}}),
        (file(file_id="gs://a/b.pdf"), {"fileData": {"fileUri": "gs://a/b.pdf", "mimeType": "application/pdf"}}),
    ],
)  # fmt: skip
def test_a_part_is_inline_data_or_an_address(part, sent) -> None:
    assert media_part(part, "part 0 of message 0") == sent


@pytest.mark.parametrize(
    "part",
    [
        image("http://127.0.0.1/secret.png"),
        image("http://a.vn/b.png"),
        image("file:///etc/passwd"),
        image("data:image/png,AA"),
        image("data:;base64,AA=="),
        image(""),
        image(None),
        {"type": "image_url"},
        {"type": "input_audio", "input_audio": {"data": "AA=="}},
        {"type": "input_audio", "input_audio": "AA=="},
        file(file_id="file-abc"),
        file(file_data="AA=="),
        file(),
        {"type": "file"},
    ],
)
def test_what_google_could_not_take_is_refused_by_its_place(part) -> None:
    with pytest.raises(UnsendableError, match="part 3 of message 1"):
        media_part(part, "part 3 of message 1")
