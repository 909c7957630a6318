"""A secret may stand in a file; it is read as it stands there, and no error holds a word of it."""

import os

import pytest

from orchestrator.config.secret_files import SECRET_BYTES_MAX, SecretFileError, read_secret
from orchestrator.config.yaml_file import parse_document
from orchestrator.core.errors import ConfigError

SECRET = "hunter2-of-nobody"


def loaded(text: str):
    return parse_document(text.encode(), name="config.yaml", environment={}).data


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_value_is_the_text_of_the_file_without_the_line_break_at_its_end(tmp_path, ending):
    file = tmp_path / "slack"
    file.write_bytes(f"{SECRET} {ending}".encode())
    assert loaded(f'key: "${{file:{file}}}"') == {"key": f"{SECRET} "}


@pytest.mark.parametrize(
    ("content", "fault"), [(None, "not there"), ("", "empty"), ("\n", "empty"), (" \t \r\n", "empty")]
)
def test_a_file_without_a_secret_takes_the_default_or_is_an_error_that_says_which(tmp_path, content, fault):
    file = tmp_path / "slack"
    if content is not None:
        file.write_text(content)
    assert loaded(f'key: "${{file:{file}:-none}}"') == {"key": "none"}
    words = rf"config.yaml:1:6: the file {file} is {fault}; write the secret into it, or write \$"
    with pytest.raises(ConfigError, match=words):
        loaded(f'key: "${{file:{file}}}"')


def test_a_provider_that_is_off_for_a_file_without_a_key_says_which_file_and_why(make_config, tmp_path):
    file = tmp_path / "key"
    for fault in ("not there", "empty"):
        config = make_config({"providers": {"openai": {"api_key": f"${{file:{file}:-}}"}}})
        (missing,) = [each for each in config.catalog.off.values() if each.provider == "openai"][:1]
        assert str(missing) == f"it has no key; set a key in the file {file}, which is {fault}"
        file.write_text(" \n")


@pytest.mark.parametrize("content", [SECRET.encode() + b"\xff", SECRET.encode() * SECRET_BYTES_MAX])
def test_what_is_no_secret_is_refused_without_a_quote(tmp_path, content):
    file = tmp_path / "slack"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        loaded(f'key: "${{file:{file}}}"')
    assert str(file) in str(refusal.value)
    assert SECRET not in str(refusal.value)


def test_a_pipe_a_folder_and_a_relative_path_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in (str(tmp_path / "pipe"), "/dev/zero", str(tmp_path), "secrets/slack", ""):
        with pytest.raises(SecretFileError):
            read_secret(name)


def test_a_secret_that_cannot_stand_in_its_place_is_not_quoted(make_config, tmp_path):
    file = tmp_path / "key"
    file.write_text(SECRET)
    with pytest.raises(ConfigError) as refusal:
        make_config({"budgets": {"time_zone": f"${{file:{file}}}"}})
    assert f"file:{file} holds cannot stand here" in str(refusal.value)
    assert SECRET not in str(refusal.value)


def test_a_key_of_a_provider_may_stand_in_a_file(make_config, tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    config = make_config({"providers": {"openai": {"api_key": f"${{file:{file}}}"}}})
    key = config.settings.providers["openai"].api_key
    assert key is not None
    assert key.get_secret_value() == SECRET
