"""A chat model that was written as JSON asks with the tags that it had."""

import json

import pytest

from orchestrator import Orchestrator
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.names import OwnTag
from orchestrator.langchain.chat_model import OrchestratorChat


def loaded(text: str, orchestrator: Orchestrator) -> OrchestratorChat:
    return OrchestratorChat(orchestrator=orchestrator, **json.loads(text))


def test_a_tag_that_the_program_gave_is_taken_when_it_comes_back(practised: Orchestrator) -> None:
    chat = practised.chat_model("customer_service", tags=["trial", OwnTag("prompt:v3")])
    again = loaded(chat.model_dump_json(), practised)
    assert again.request_tags == chat.request_tags == ("trial", "prompt:v3")
    assert [type(tag) for tag in again.request_tags] == [str, OwnTag]
    request_id = again.invoke("Xin chào").response_metadata["request_id"]
    assert practised.request(request_id).request.tags == ("trial", "prompt:v3")


@pytest.mark.parametrize(
    "tags", [["prompt:v3"], ["key:a1"], [{"own": "prompt:v3", "more": 1}], [{"own": 7, "and": 8}]]
)
def test_a_callers_own_is_refused_as_ever(practised: Orchestrator, tags: object) -> None:
    with pytest.raises(InvalidRequestError, match="tags"):
        loaded(json.dumps({"request_tags": tags}), practised).invoke("Xin chào")
