"""Nothing that a model writes acts on a terminal."""

import json

import pytest

from orchestrator.core.visible_text import brief, shows_something, visible, visible_json

ACTING = {
    "a title": ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    "a screen clear": ("\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"),
    "the clipboard": ("\x1b]52;c;cm0gLXJm\x1b\\", "\\x1b]52;c;cm0gLXJm\\x1b\\"),
    "eight bits": ("\x9b2J\x9d0;t\x9c", "\\x9b2J\\x9d0;t\\x9c"),
    "a line written over": ("cost $9\rcost $0", "cost $9\\rcost $0"),
    "letters taken back": ("abc\b\b\x7f", "abc\\x08\\x08\\x7f"),
    "another direction": ("invoice\u202efdp.exe\u2066\u200f", "invoice\\u202efdp.exe\\u2066\\u200f"),
    "what cannot be seen": ("a\u200bb\ufeff\u2060\u00ad", "a\\u200bb\\ufeff\\u2060\\xad"),
    "words in tags": ("a\U000e0041\U000e0042", "a\\U000e0041\\U000e0042"),
    "words in variants": ("👍\ufe0f\ufe01\U000e0138", "👍\ufe0f\\ufe01\\U000e0138"),
    "other line ends": ("a\u2028b\u2029c\x85\x0b\x0c", "a\\u2028b\\u2029c\\x85\\x0b\\x0c"),
    "half a character": ("\ud83d", "\\ud83d"),
}
PLAIN = [
    "Cửa hàng mở cửa lúc 8 giờ ạ.",
    "Cu\u031b\u0309a ha\u0300ng",
    "one\ntwo\tthree\u00a0four\u3000five",
    "👩‍👩‍👧 ❤️ 1️⃣ 🇻🇳",
    "नमस्ते क्‍ष می‌خواهم",
    "辻\U000e0100さん ☎️",
    "[/oops] [bold]x[/bold] \\x1b",
    "─│└ ✓ “ ” …",
]


@pytest.mark.parametrize("kind", ACTING)
def test_what_would_act_is_shown(kind: str) -> None:
    text, shown = ACTING[kind]
    assert visible(text) == shown
    assert visible(shown) == shown


@pytest.mark.parametrize("text", PLAIN)
def test_words_of_every_language_stay(text: str) -> None:
    assert visible(text) == visible_json(text) == text


def test_a_line_end_of_windows_is_a_new_line() -> None:
    assert visible("a\r\nb") == "a\nb"


@pytest.mark.parametrize("kind", ACTING)
def test_json_says_the_same_and_does_not_act(kind: str) -> None:
    text, _ = ACTING[kind]
    written = visible_json(json.dumps({"text": text}, ensure_ascii=False))
    assert json.loads(written) == {"text": text}
    assert visible(written) == written


def test_spaces_and_what_has_no_width_show_nothing() -> None:
    assert not any(map(shows_something, ("", " \n\t\u3000", "\u200b\ufeff", "\0", "\u2060 \u00ad")))
    assert all(map(shows_something, ("a", "\u200bạ", "👩‍👩‍👧", "\n.")))


def test_a_line_with_a_long_word_or_of_pages_is_cut():
    assert brief("no month '2026-11'") == "no month '2026-11'"
    assert brief(f"no month '{'x' * 5_000}' here") == f"no month '{'x' * 99}… here"
    assert len(brief("x y " * 5_000)) == 2_001
