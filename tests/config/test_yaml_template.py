"""A text of YAML is read once; what the environment puts into it is put in each time."""

import pytest

from orchestrator.config import yaml_template
from orchestrator.config.yaml_file import parse_document
from orchestrator.config.yaml_template import read_template
from orchestrator.core.errors import ConfigError

TEXT = "port: ${PORT:-80}\nhosts: [a, '${HOST:-b}']\nsame: &all\n  deep: ${PORT:-80}\nagain: *all\n"


def data_of(text: str, **environment: str):
    return parse_document(text.encode(), name="config.yaml", environment=environment).data


def test_an_equal_text_is_read_once_whatever_its_file_is_called() -> None:
    assert read_template(TEXT, name="a.yaml") is read_template(str(TEXT.encode(), "utf-8"), name="b.yaml")


def test_each_load_has_the_environment_of_its_own() -> None:
    expected = {"port": "80", "hosts": ["a", "b"], "same": {"deep": "80"}, "again": {"deep": "80"}}
    assert data_of(TEXT) == expected
    assert data_of(TEXT, PORT="1", HOST="c") == {
        "port": "1", "hosts": ["a", "c"], "same": {"deep": "1"}, "again": {"deep": "1"}
    }  # fmt: skip
    assert data_of(TEXT) == expected
    assert list(data_of(TEXT)) == list(expected)


def test_what_somebody_does_to_the_data_of_one_load_is_in_no_other() -> None:
    changed = data_of(TEXT)
    changed["hosts"].append("z")
    changed["same"]["deep"] = "z"
    del changed["port"]
    assert data_of(TEXT)["hosts"] == ["a", "b"]
    assert data_of(TEXT)["same"] == {"deep": "80"}
    assert "port" in data_of(TEXT)


def test_a_text_that_is_one_variable_is_filled() -> None:
    assert data_of("${PORT:-80}", PORT="8") == "8"


@pytest.mark.parametrize(
    ("text", "fault"),
    [("a: 1\na: 2\n", ":2:1: 'a' stands here again"), ("a: ${NO}\n", ":1:4: the environment")],
)
def test_a_mistake_is_told_of_the_file_that_was_loaded(text: str, fault: str) -> None:
    for name in ("first.yaml", "second.yaml"):
        with pytest.raises(ConfigError) as refused:
            parse_document(text.encode(), name=name, environment={})
        assert str(refused.value).startswith(name + fault)


def test_a_long_text_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_template, "_KEPT_LETTERS_MAX", 10)
    text = "long: enough"
    assert read_template(text, name="a.yaml") is not read_template(text, name="a.yaml")


def test_a_secret_in_the_text_is_in_no_representation():
    template = read_template('api_key: "sk-secret"\nother: "sk-${SECRET:-of-nobody}"\n', name="config.yaml")
    assert "sk-" not in repr(template)
