"""Every key of config.yaml says in an editor what it means."""

import re

import pytest

from orchestrator.config.file_schema import json_schema

SCHEMA = json_schema()
TYPES = {"RootSettings": SCHEMA, **SCHEMA["$defs"]}
WITH_KEYS = [name for name, one in TYPES.items() if "properties" in one]


@pytest.mark.parametrize("name", WITH_KEYS)
def test_every_key_has_a_description(name):
    undocumented = [
        key for key, one in TYPES[name]["properties"].items() if not one.get("description", "").strip()
    ]
    assert undocumented == [], f"write a docstring under each of these fields of {name}"


@pytest.mark.parametrize("name", WITH_KEYS)
def test_every_part_has_a_description(name):
    assert TYPES[name].get("description", "").strip()


def test_a_description_is_a_sentence_and_no_repetition_of_the_key():
    for name in WITH_KEYS:
        for key, one in TYPES[name]["properties"].items():
            text = one.get("description", "")
            assert re.search(r"[.;:!?)*`\w]$", text), (name, key)
            assert text.lower().strip(".") != key.replace("_", " "), (name, key)


def test_no_key_is_taken_that_the_schema_does_not_name():
    for name in WITH_KEYS:
        assert TYPES[name].get("additionalProperties") is False, name
