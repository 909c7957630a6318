"""What HTTP can carry; `tests/config/test_environment.py` shows it in a configuration."""

import pytest

from orchestrator.core.http_text import (
    fault_of_address,
    fault_of_header,
    fault_of_header_name,
    fault_of_key,
    has_credentials,
)


@pytest.mark.parametrize("name", ["", "a b", "a:", "Tên", "a\r\nb", "a\0"])
def test_a_name_that_is_none_is_told(name: str) -> None:
    assert fault_of_header_name(name)
    assert fault_of_header_name("x-Goog_api.1") is None


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Expect", "Accept-Encoding", "TE"])
def test_how_a_message_is_sent_is_nobody_elses_to_say(name: str) -> None:
    assert "written here" in str(fault_of_header_name(name))


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("plain ~!", None),
        ("a\tb", None),
        ("a\nb", "character 2 is a line break"),
        ("a\x1bb", "character 2 is a control character"),
        ("Cửa hàng", "character 2 is a letter that is not ASCII"),
        ("a\x85", "character 2 is a letter that is not ASCII"),
    ],
)
def test_a_header_is_what_ascii_can_say(value: str, fault: str | None) -> None:
    told = fault_of_header(value)
    assert told is None if fault is None else str(told).startswith(fault)
    assert value not in str(told)


def test_a_key_has_no_space_anywhere() -> None:
    assert fault_of_key("sk-or-v1-0123") is None
    assert "character 3 is a space" in str(fault_of_key("sk "))


@pytest.mark.parametrize("key", ['"sk-or-v1-0123"', "'sk-or-v1-0123'", "`sk-or-v1-0123`"])
def test_a_key_does_not_keep_the_quotes_of_its_file(key: str) -> None:
    assert "character 1 is a quotation mark" in str(fault_of_key(key))


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("OPENAI_API_KEY=sk-0123", "begins with a variable's name"),
        ("api_key:sk-0123", "begins with a variable's name"),
        ('{"key":"sk-0123"}', "is JSON"),
        *(
            (key, "is the placeholder of an example")
            for key in (
                *(
                    "your-api-key",
                    "YOUR_API_KEY",
                    "your_openai_api_key_here",
                    "sk-or-v1-your-key",
                    "changeme",
                ),
                *(
                    "replace-me",
                    "insert-key-here",
                    "api-key-here",
                    "...",
                    "sk-...",
                    "AIza...",
                    "sk-xxxx",
                    "xxx",
                ),
            )
        ),
        *(
            (key, "is a name in whose place a key belongs")
            for key in ("$OPENAI_API_KEY", "${OPENAI_API_KEY}", "%OPENAI_API_KEY%", "<api-key>")
        ),
    ],
)
def test_what_stands_in_the_place_of_a_key_is_none(key: str, fault: str) -> None:
    told = str(fault_of_key(key))
    assert told.startswith(fault)
    assert key == "..." or key not in told


@pytest.mark.parametrize(
    "key",
    [
        *("EMPTY", "none", "dummy", "test", "x", "xx", "ollama", "lm-studio", "key", "sk-1234", "not-needed"),
        *("AIzaSyD-abc_defYourKey", "sk-proj-a_b-c_T3BlbkFJ", "abc==", "123:ABC-def", "$ecret1", "xai-abcx"),
    ],
)
def test_words_that_a_server_of_ones_own_takes_are_keys(key: str) -> None:
    assert fault_of_key(key) is None


@pytest.mark.parametrize(
    "address",
    ["http://a", "https://a.b:1/v1/", "http://[::1]:8/v1", "https://münchen.de", "https://a/models"],
)
def test_addresses(address: str) -> None:
    assert fault_of_address(address) is None
    assert not has_credentials(address)


@pytest.mark.parametrize(
    "address",
    [
        "//a",
        "a.b/v1",
        "file:///a",
        "http://",
        "http://a:b",
        "http://a\\b",
        "http://a?b",
        "http://a..b",
        f"http://{'a' * 64}.vn/v1",
        "https://.vn",
        "https://a/v1/chat/completions",
        "https://a/v1/chat/completions/",
        "https://a/v1/responses",
        "https://a/v1beta/models/gemini-3.8-flash:generateContent",
    ],
)
def test_no_addresses(address: str) -> None:
    assert fault_of_address(address)
