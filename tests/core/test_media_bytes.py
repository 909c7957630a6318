"""What a message holds itself is whole base64 of its kind, or is refused before money is held for it."""

import base64

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.media_bytes import check_media

HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n....",
    "image/jpeg": b"\xff\xd8\xff\xe0....",
    "image/gif": b"GIF89a....",
    "image/webp": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
    "image/heic": b"\x00\x00\x00\x18ftypheic",
    "image/svg+xml": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "audio/wav": b"RIFF\x10\x00\x00\x00WAVEfmt ",
    "audio/mpeg": b"\xff\xfb\x90\x00",
    "audio/mp3": b"ID3\x04....",
    "audio/ogg": b"OggS....",
    "audio/pcm": b"\x00\x01\x02\x03",
    "video/mp4": b"\x00\x00\x00\x18ftypmp42",
    "video/webm": b"\x1aE\xdf\xa3....",
    "application/pdf": b"\n%PDF-1.7\n",
    "text/csv": b"a,b\n",
}


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def part(kind: str, mime: str, text: str):
    """Return a part of a kind that holds an address with a text."""
    field = {"input_audio": "data", "file": "file_data"}.get(kind, "url")
    return {"type": kind, kind: {field: f"data:{mime};base64,{text}"}}


def check(*parts):
    check_media([{"role": "user", "content": "words"}, {"role": "user", "content": list(parts)}])


def kind_of(mime: str) -> str:
    return {"image": "image_url", "audio": "input_audio", "video": "video_url"}.get(
        mime.partition("/")[0], "file"
    )


@pytest.mark.parametrize("mime", HEADS)
def test_bytes_of_their_kind_pass(mime):
    check(part(kind_of(mime), mime, text_of(HEADS[mime])), part("file", mime, text_of(HEADS[mime])))


@pytest.mark.parametrize(
    "mime", [mime for mime in HEADS if not mime.startswith("text") and "pcm" not in mime]
)
def test_bytes_of_no_such_kind_are_refused_with_their_place(mime):
    for wrong in (b"hello, I am a text", b"PK\x03\x04 a zip"):
        with pytest.raises(InvalidRequestError, match=r"^part 1 of message 1 says that it is an? "):
            check("words", part(kind_of(mime), mime, text_of(wrong)))


@pytest.mark.parametrize(
    "text", ["!!!", "AAA", "AAAA=", "====", "QUJD\nREVG", "QUJD REVG", "-_-_", "QUJĐ", "%41%41"]
)
@pytest.mark.parametrize("kind", ["image_url", "video_url", "audio_url", "input_audio", "file"])
def test_what_is_no_base64_is_refused_in_every_part(kind, text):
    with pytest.raises(
        InvalidRequestError, match=r"part 0 of message 1 holds a text that is no base64"
    ) as caught:
        check(part(kind, "image/png", text))
    assert text not in str(caught.value)


def test_an_empty_file_is_refused():
    with pytest.raises(InvalidRequestError, match="holds an empty file"):
        check(part("image_url", "image/png", ""))


def test_bare_base64_is_looked_at_too():
    sound, pdf = text_of(HEADS["audio/wav"]), text_of(HEADS["application/pdf"])
    check(
        {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
        {"type": "file", "file": {"file_data": pdf, "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-abc"}},
    )
    for bad in (
        {"type": "input_audio", "input_audio": {"data": pdf, "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "!!!", "format": "wav"}},
        {"type": "file", "file": {"file_data": sound, "format": "application/pdf"}},
    ):
        with pytest.raises(InvalidRequestError, match="part 0 of message 1"):
            check(bad)


def test_addresses_and_words_are_not_looked_at():
    check(
        "words",
        {"type": "text", "text": "data:image/png;base64,!!!"},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}},
    )
    check_media([{"role": "assistant", "content": None}])


def test_a_picture_under_the_name_of_another_format_passes():
    """Telephones do that, and every provider reads it."""
    check(part("image_url", "image/png", text_of(HEADS["image/jpeg"])))
