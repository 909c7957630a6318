"""What comes from the environment may be a key: no error repeats it, and what HTTP cannot carry is told at once."""

from datetime import date
from pathlib import Path

import pytest

from orchestrator.config.effective import MASK, effective
from orchestrator.config.loader import embedded_path, load_config
from orchestrator.core.errors import ConfigError

TODAY = date(2026, 11, 23)
TEXT = embedded_path().read_text(encoding="utf-8")
SECRET = "hunter2-Zx"


@pytest.fixture
def load(tmp_path: Path):
    def load_text(text: str, **environment: str):
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, today=TODAY, environment={"OPENROUTER_API_KEY": "sk-or", **environment})

    return load_text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: ${X}"),
        ("version: 1", 'version: "${X}"'),
        ("currency: USD", "currency: ${X}"),
        ("kind: openrouter", "kind: ${X}"),
        ("priority: 1", "priority: ${X}"),
        ("default_use_case: customer_service", "default_use_case: ${X}"),
        ("{deployment: openrouter/gpt-6-luna", "{deployment: '${X}'"),
        ("quality_source:", "ends: ${X}\n    quality_source:"),
        ('time_zone: "${ORCHESTRATOR_TIME_ZONE:-Asia/Ho_Chi_Minh}"', "time_zone: ${X}"),
        ("{scope: all,", "{scope: '${X}',"),
        ("day: 100", "day: ${X}"),
        ("day: 100", "day: '$ ${X}'"),
        ("providers:", "providers: ${X}\nproviders2:"),
    ],
)
def test_no_error_repeats_what_the_environment_held(load, old: str, new: str) -> None:
    assert old in TEXT, "the shipped file changed: adapt this test"
    for value in (SECRET, f"${SECRET}", f" {SECRET} ", f"{SECRET}'\"", "-"):
        with pytest.raises(ConfigError) as caught:
            load(TEXT.replace(old, new, 1), X=value)
        assert SECRET.lower()[1:] not in str(caught.value).lower()
        assert "config.yaml:" in str(caught.value)


def test_a_value_of_the_file_is_quoted_as_before(load) -> None:
    with pytest.raises(ConfigError, match="not 'EUR'"):
        load(TEXT.replace("currency: USD", "currency: EUR"))
    with pytest.raises(ConfigError, match="not 'EUR'"):
        load(TEXT.replace("currency: USD", "currency: ${X:-EUR}"))


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("OPENROUTER_TITLE", "Bán hàng 24h", "providers.openrouter.headers.X-Title: character 2 is a letter that is not ASCII"),
        ("OPENROUTER_TITLE", "Shop\r\nX-Other: 1", "providers.openrouter.headers.X-Title: character 5 is a line break"),
        ("OPENROUTER_REFERER", "http://a\0b", "headers.HTTP-Referer: character 9 is a NUL"),
        ("OPENROUTER_API_KEY", "sk-or-secret\n", "providers.openrouter.api_key: character 13 is a line break"),
        ("OPENROUTER_API_KEY", "sk or", "providers.openrouter.api_key: character 3 is a space"),
        ("GEMINI_API_KEY", "“AIza”", "providers.google.api_key: character 1 is a letter that is not ASCII"),
        ("OPENAI_API_KEY", "sk\u200b-proj", "providers.openai.api_key: character 3 is a letter that is not ASCII"),
        ("OPENAI_BASE_URL", "api.openai.com/v1", "providers.openai.base_url: is no address that begins with http"),
        ("OPENAI_BASE_URL", "ftp://host/v1", "is no address that begins with http"),
        ("OPENAI_BASE_URL", "https://host :443/v1", "holds a space"),
        ("OPENAI_BASE_URL", "https://host/v1\n", "holds a space, a line break"),
        ("OPENAI_BASE_URL", "https://host:99999/v1", "its host or port cannot be read"),
        ("OPENAI_BASE_URL", "https://[::1/v1", "its host or port cannot be read"),
        ("OPENAI_BASE_URL", "https://host/v1?key=sk-secret", "ends in a query or a fragment"),
        ("OPENAI_BASE_URL", "https://me:pw@host/v1", "holds a user or a password"),
        ("LOCAL_MODEL_BASE_URL", "127.0.0.1:11434/v1", "local_model.base_url: is no address"),
    ],
)  # fmt: skip
def test_what_http_cannot_carry_is_told_when_the_file_is_loaded(
    load, variable: str, value: str, reason: str
) -> None:
    """The place is named, and neither the value nor a part of it."""
    with pytest.raises(ConfigError) as caught:
        load(TEXT, **{variable: value})
    assert reason in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert all(part not in str(caught.value) for part in ("secret", "Bán", "proj", "AIza", "pw@", "X-Other"))


def test_a_header_in_the_file_itself_is_checked_too(load) -> None:
    old = "headers: {HTTP-Referer:"
    with pytest.raises(ConfigError, match="a header's name consists of letters"):
        load(TEXT.replace(old, 'headers: {"Tên: x": a, HTTP-Referer:'))
    with pytest.raises(ConfigError, match=r"providers\.openrouter\.headers\.X-Key: character 8"):
        load(TEXT.replace(old, 'headers: {X-Key: "khóa số", HTTP-Referer:'.replace("khóa", "khoa:")))


def test_addresses_keys_and_headers_that_http_carries_are_taken(load) -> None:
    config = load(
        TEXT,
        OPENAI_BASE_URL="http://127.0.0.1:8080/v1",
        GOOGLE_BASE_URL="https://xn--mnchen-3ya.example/v1beta/",
        OPENROUTER_TITLE="Tab\tand ~!",
        OPENAI_API_KEY="   ",
        LOCAL_MODEL_BASE_URL="http://me:pw@[::1]:11434/v1",
    )
    assert config.settings.providers["openai"].base_url == "http://127.0.0.1:8080/v1"


def test_the_shown_configuration_masks_every_header(load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is called: `X-Team` may hold a token as well as `Authorization`."""
    monkeypatch.setenv("X", "env-secret")
    added = "headers: {X-Team: team-secret, cf-aig: '${X}', Empty: '', HTTP-Referer:"
    config = load(TEXT.replace("headers: {HTTP-Referer:", added), X="env-secret")
    headers = effective(config)["providers"]["openrouter"]["headers"]
    assert headers == {
        "X-Team": MASK,
        "cf-aig": MASK,
        "Empty": "",
        "HTTP-Referer": MASK,
        "X-Title": MASK,
    }
    assert "-secret" not in repr(effective(config))


def test_thousands_of_mistakes_are_told_by_the_first_ones(load) -> None:
    mistakes = "".join(f"unknown_{number}: 1\n" for number in range(20_000))
    with pytest.raises(ConfigError, match="and more; mend these first") as caught:
        load(TEXT + mistakes)
    assert len(str(caught.value).splitlines()) == 51
