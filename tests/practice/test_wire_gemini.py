"""Gemini's format."""

import pytest

from orchestrator.practice.wire_errors import Refusal
from orchestrator.practice.wire_gemini import plain_schema, read_gemini_request

TOOL = {
    "functionDeclarations": [
        {
            "name": "get_weather",
            "description": "Weather",
            "parameters": {
                "type": "OBJECT",
                "properties": {"location": {"type": "STRING"}, "type": {"type": "STRING", "nullable": True}},
                "required": ["location"],
            },
        }
    ]
}
ASK = {"role": "user", "parts": [{"text": "The weather in Huế?"}]}


def test_a_request_becomes_openai_shaped_messages():
    """System instruction in either spelling, function calls and responses, media."""
    contents = [
        ASK,
        {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {"location": "Huế"}}}]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "get_weather", "response": {"content": "sunny"}}}],
        },
        {
            "role": "user",
            "parts": [{"text": "and this?"}, {"inline_data": {"mimeType": "image/png", "data": ""}}],
        },
    ]
    body = {"system_instruction": {"parts": [{"text": "Be brief."}]}, "contents": contents, "tools": [TOOL]}
    request = read_gemini_request(body, model="g", stream=False).request
    assert [message["role"] for message in request.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "user",
    ]
    assert request.messages[2]["tool_calls"][0]["function"]["arguments"] == '{"location":"Huế"}'
    assert request.messages[3] == {
        "role": "tool",
        "name": "get_weather",
        "tool_call_id": "",
        "content": "sunny",
    }
    assert len(request.messages[4]["content"]) == 2
    assert request.tools[0]["parameters"]["properties"]["location"] == {"type": "string"}


def test_a_request_without_contents_is_refused():
    """400."""
    with pytest.raises(Refusal):
        read_gemini_request({}, model="g", stream=False)


def test_settings_are_read():
    """Limits, stops, JSON and the choice of a tool."""
    config = {"maxOutputTokens": 9, "stopSequences": ["x"], "responseMimeType": "application/json"}
    choice = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}
    request = read_gemini_request(
        {"contents": [ASK], "generationConfig": config, "toolConfig": choice}, model="g", stream=False
    ).request
    assert (request.max_tokens, request.stop, request.response_format) == (9, ("x",), {"type": "json_object"})
    assert (request.tool_choice, request.forced_tool) == ("named", "f")


def test_a_schema_becomes_json_schema():
    """A property that is called `type` stays a property."""
    schema = plain_schema(TOOL["functionDeclarations"][0]["parameters"])
    assert schema["properties"]["type"] == {"type": ["string", "null"]}
    assert schema["type"] == "object"


def test_an_answer_in_one_piece_says_its_usage(caller):
    """Equal to the bill."""
    reply = caller.post("google").json()
    charge = caller.server.bill.charges[-1]
    assert reply["candidates"][0]["finishReason"] == "STOP"
    assert reply["usageMetadata"]["candidatesTokenCount"] == charge.output_tokens
    assert reply["usageMetadata"]["promptTokenCount"] == charge.input_tokens
    assert reply["responseId"] == charge.request_id


def test_a_stream_says_the_same_and_its_usage_at_the_end(caller):
    """Every event has the usage so far, as Gemini's do; only the last one has the finish reason."""
    whole = caller.post("google").json()["candidates"][0]["content"]["parts"][0]["text"]
    text = caller.post("google", stream=True).text
    assert caller.text_of(text, "google") == whole
    *before, last = caller.events(text)
    counted = [event["usageMetadata"]["candidatesTokenCount"] for event in before]
    assert counted == sorted(counted)
    assert not any("finishReason" in event["candidates"][0] for event in before)
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert last["usageMetadata"]["candidatesTokenCount"] == caller.server.bill.charges[-1].output_tokens


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_has_decoded_arguments(caller, stream):
    """In one part, whole or streamed."""
    response = caller.post("google", stream=stream, body={"contents": [ASK], "tools": [TOOL]})
    events = caller.events(response.text) if stream else [response.json()]
    parts = [part for event in events for part in event["candidates"][0]["content"].get("parts", ())]
    assert parts[0] == {"functionCall": {"name": "get_weather", "args": {"location": "Huế"}}}


def test_a_response_schema_is_answered_with_an_instance(caller):
    """And the limit says MAX_TOKENS."""
    schema = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]}
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    reply = caller.post("google", body={"contents": [ASK], "generationConfig": config}).json()
    assert reply["candidates"][0]["content"]["parts"][0]["text"] == '{"n":1}'
    short = caller.post("google", body={"contents": [ASK], "generationConfig": {"maxOutputTokens": 2}}).json()
    assert short["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_tokens_can_be_counted_for_nothing(caller):
    """`countTokens` agrees with what an answer is billed."""
    url = f"{caller.server.base_url('google')}/models/m:countTokens"
    counted = caller.http.post(url, json={"contents": [ASK]}).json()["totalTokens"]
    assert caller.server.bill.count() == 0
    caller.post("google", body={"contents": [ASK]})
    assert caller.server.bill.charges[-1].input_tokens == counted
