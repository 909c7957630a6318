"""What a type checker allows is what a request takes: a misspelt name is seen before the program runs."""

import os
import typing
from dataclasses import fields
from pathlib import Path

import mypy.api
import pytest

from orchestrator import Orchestrator
from orchestrator.core import request_fields
from orchestrator.core.request import ChatRequest
from orchestrator.core.request_fields import ChatModelFields, RequestFields
from orchestrator.core.sampling import SAMPLING_NAMES
from orchestrator.langchain.chat_model import OrchestratorChat

ENTRIES = ["complete", "acomplete", "stream", "explain", "aexplain", "estimate"]


def test_the_typed_names_are_those_of_a_request():
    known = {field.name for field in fields(ChatRequest)} - {"messages", "sampling"} | set(SAMPLING_NAMES)
    # The limit of a run goes along with its name.
    assert RequestFields.__annotations__.keys() == known | {"max_cost_usd"}


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_takes_those_names_and_no_others(entry):
    overrides = typing.get_type_hints(getattr(Orchestrator, entry))["overrides"]
    assert typing.get_origin(overrides) is typing.Unpack
    assert typing.get_args(overrides) == (RequestFields,)


def test_a_chat_model_takes_them_too_and_what_langchain_has_beside_them():
    method = Orchestrator.chat_model
    names = {**vars(typing), "OrchestratorChat": OrchestratorChat}
    overrides = typing.get_type_hints(method, localns=names)["overrides"]
    assert typing.get_args(overrides) == (ChatModelFields,)
    taken = {"timeout", "stop_sequences", "model_name", "api_key", "max_retries"}
    beside = ChatModelFields.__annotations__.keys() - RequestFields.__annotations__.keys()
    assert beside <= OrchestratorChat.model_fields.keys() | taken


CALLS = """
from typing import Unpack
def complete(prompt: str, **overrides: Unpack[RequestFields]) -> None: ...
def chat_model(use_case: str, **overrides: Unpack[ChatModelFields]) -> None: ...
complete("x", tenant="acme", tags=("a",), temperature=0.2, use_case=None)
chat_model("x", tenant="acme", timeout=3, streaming=True)
complete("x", tennant="acme")
complete("x", temperature="hot")
chat_model("x", tennant="acme")
"""


def test_a_misspelt_name_is_a_type_error(tmp_path):
    """With the types alone: to check the whole client takes mypy a minute, and it is asked above."""
    snippet = tmp_path / "snippet.py"
    snippet.write_text(Path(request_fields.__file__).read_text(encoding="utf-8") + CALLS, encoding="utf-8")
    options = ["--config-file=", "--cache-dir", os.devnull, "--follow-imports=skip", "--no-error-summary"]
    told, problems, _ = mypy.api.run([str(snippet), *options, "--ignore-missing-imports"])
    assert problems == ""
    errors = [line.partition("error: ")[2] for line in told.splitlines() if "error: " in line]
    assert ["tennant" in error or "temperature" in error or '"str"' in error for error in errors] == [
        True
    ] * 3
