"""What a type checker allows is what a request takes: a misspelt name is seen before the program runs."""

import typing
from dataclasses import fields

import pytest

from orchestrator import Orchestrator
from orchestrator.core.request import ChatRequest
from orchestrator.core.request_fields import ChatModelFields, RequestFields
from orchestrator.core.sampling import SAMPLING_NAMES
from orchestrator.langchain.chat_model import OrchestratorChat

ENTRIES = ["complete", "acomplete", "stream", "explain", "aexplain", "estimate"]


def test_the_typed_names_are_those_of_a_request():
    known = {field.name for field in fields(ChatRequest)} - {"messages", "sampling"} | set(SAMPLING_NAMES)
    assert RequestFields.__annotations__.keys() == known


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
