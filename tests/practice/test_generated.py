"""Answers by a model, here played by a second practice server."""

import json

import httpx
import pytest

from orchestrator.practice import Generated, PracticeServer, Scripted

WEATHER = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": WEATHER}}
]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def model():
    """The server behind the model's address."""
    with PracticeServer(answerer=Scripted()) as running:
        yield running


@pytest.fixture
def server(model):
    """A practice server that asks the model."""
    with PracticeServer(answerer=Generated(model.base_url("openai"))) as running:
        yield running


def _text_of(response: httpx.Response) -> str:
    return response.json()["choices"][0]["message"]["content"]


def test_the_models_words_are_passed_on(caller, model):
    """Whole and streamed, with limit and stops forwarded."""
    assert _text_of(caller.post("openrouter")).startswith("This is a practice answer by local")
    assert "practice" in caller.post("google", stream=True).text
    caller.post("openai", body={"max_tokens": 5, "stop": ["x"], "temperature": 0})
    sent = model.requests[-1].body
    assert (sent["max_tokens"], sent["stop"], sent["temperature"]) == (5, ["x"], 0)


async def test_a_warm_up_is_one_word_of_the_model_and_survives_one_that_does_not_answer(model):
    await Generated(model.base_url("openai"), model="gpt-6-luna").warm_up()
    assert [request.body["max_tokens"] for request in model.requests] == [1]
    address = model.base_url("openai")
    model.stop()
    await Generated(address).warm_up()


def test_a_limit_that_the_model_met_is_told(caller, model):
    """Its `length` is the answer's."""
    assert caller.post("openai", body={"max_tokens": 3}).json()["choices"][0]["finish_reason"] == "length"


def test_tool_calls_come_from_the_rules(caller, model):
    """The model is not asked at all."""
    body = {"messages": [{"role": "user", "content": "The weather in Huế?"}], "tools": TOOLS}
    message = caller.post("openai", body=body).json()["choices"][0]["message"]
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"location": "Huế"}
    assert not model.requests


@pytest.mark.parametrize("reply", ['{"n": 41}', '{"n": "many"}', "no JSON", "[]"])
def test_structured_answers_always_fit(caller, reply):
    """The model's when it fits the schema, else the rules'."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    with (
        PracticeServer(answerer=Scripted([reply])) as model,
        PracticeServer(answerer=Generated(model.base_url("openai"))) as server,
    ):
        caller.server = server
        value = json.loads(_text_of(caller.post("openai", body={"response_format": form})))
        assert model.requests[-1].body["response_format"] == form
    assert value == ({"n": 41} if "41" in reply else {"n": 1})


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_does_not_answer_is_a_503(caller, model, stream):
    """In the provider's shape, for nothing."""
    model.stop()
    refused = caller.post("openai", stream=stream)
    assert refused.status_code == 503
    assert "does not answer" in refused.json()["error"]["message"]
    assert caller.server.bill.count() == 0
