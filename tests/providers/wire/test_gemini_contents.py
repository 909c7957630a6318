"""A conversation as Gemini's contents: roles, calls, results and the signatures that belong to them."""

import pytest

from orchestrator.providers.wire.gemini_contents import contents_of
from orchestrator.providers.wire.outbound import UnsendableError
from orchestrator.providers.wire.thought_signatures import PLACEHOLDER_SIGNATURE, signature_block
from tests.providers.wire.outbound_requests import CALL, CALLED, HELLO, RESULT

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
INLINE = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
FUNCTION_CALL = {"name": "weather", "args": {"city": "Huế"}}

DEEP = '{"a":' * 101 + "1" + "}" * 101


def contents(*messages, major: int = 2):
    return contents_of(messages, major=major)[1]


def test_system_and_developer_messages_are_the_system_instruction_wherever_they_stand() -> None:
    messages = (
        {"role": "system", "content": "Luật"},
        HELLO,
        {"role": "developer", "content": [{"type": "text", "text": "Nữa"}]},
    )
    system, rest = contents_of(messages, major=3)
    assert system == [{"text": "Luật"}, {"text": "Nữa"}]
    assert rest == [{"role": "user", "parts": [{"text": "Xin chào"}]}]


def test_a_system_message_alone_is_the_content_for_google_takes_none_without() -> None:
    assert contents_of(({"role": "system", "content": "Chào"},), major=3) == (
        [],
        [{"role": "user", "parts": [{"text": "Chào"}]}],
    )


def test_neighbours_of_one_role_are_one_content_and_empty_texts_none() -> None:
    messages = (
        HELLO,
        HELLO,
        {"role": "assistant", "content": "Chào"},
        {"role": "assistant", "content": ""},
        HELLO,
    )
    assert [(each["role"], len(each["parts"])) for each in contents(*messages)] == [
        ("user", 2),
        ("model", 1),
        ("user", 1),
    ]


def test_a_call_and_its_result_keep_their_names_and_order() -> None:
    assert contents(HELLO, CALLED, RESULT) == [
        {"role": "user", "parts": [{"text": "Xin chào"}]},
        {"role": "model", "parts": [{"functionCall": FUNCTION_CALL}]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "weather", "response": {"output": "25 độ"}}}],
        },
    ]


def test_results_of_parallel_calls_are_one_content() -> None:
    calls = {**CALLED, "tool_calls": [CALL, {**CALL, "id": "call_2"}]}
    last = contents(HELLO, calls, RESULT, {**RESULT, "tool_call_id": "call_2"})[-1]
    assert [list(part) for part in last["parts"]] == [["functionResponse"], ["functionResponse"]]


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ('{"a": 1}', {"a": 1}),
        ("[1]", {"output": "[1]"}),
        ("{broken", {"output": "{broken"}),
        ("", {"output": ""}),
        # What Google's own kind of number or object would change, or not take.
        ('{"parcel": 9007199254740993}', {"output": '{"parcel": 9007199254740993}'}),
        ('{"share": NaN}', {"output": '{"share": NaN}'}),
        (DEEP, {"output": DEEP}),
    ],
)
def test_a_result_is_an_object_and_a_text_its_output(text, response) -> None:
    part = contents(HELLO, CALLED, {**RESULT, "content": text})[-1]["parts"][0]
    assert part["functionResponse"]["response"] == response


def test_newer_models_get_ids_and_signatures_older_ones_do_not() -> None:
    signed = "call_1__thought__c2ln"
    call = {**CALLED, "tool_calls": [{**CALL, "id": signed}, {**CALL, "id": "call_2"}]}
    results = ({**RESULT, "tool_call_id": signed}, {**RESULT, "tool_call_id": "call_2"})
    model, result = contents(HELLO, call, *results, major=3)[1:]
    assert model["parts"] == [
        {"functionCall": {**FUNCTION_CALL, "id": "call_1"}, "thoughtSignature": "c2ln"},
        {"functionCall": {**FUNCTION_CALL, "id": "call_2"}},
    ]
    assert result["parts"][0]["functionResponse"]["id"] == "call_1"
    older = contents(HELLO, call, *results, major=2)
    assert older[1]["parts"][0] == {"functionCall": FUNCTION_CALL, "thoughtSignature": "c2ln"}
    assert "id" not in older[2]["parts"][0]["functionResponse"]


def test_the_first_call_that_another_model_made_gets_googles_placeholder() -> None:
    calls = {**CALLED, "tool_calls": [CALL, {**CALL, "id": "call_2"}]}
    parts = contents(HELLO, calls, RESULT, {**RESULT, "tool_call_id": "call_2"}, major=3)[1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [PLACEHOLDER_SIGNATURE, None]


def test_the_signature_of_a_text_goes_back_on_its_last_part() -> None:
    message = {"role": "assistant", "content": "Chào", "reasoning_details": [signature_block("c2ln")]}
    assert contents(HELLO, message, major=3)[1]["parts"] == [{"text": "Chào", "thoughtSignature": "c2ln"}]


def test_a_refusal_of_another_model_goes_back_as_its_words() -> None:
    message = {"role": "assistant", "content": None, "refusal": "Không được ạ."}
    assert contents(HELLO, message)[1]["parts"] == [{"text": "Không được ạ."}]


def test_thoughts_are_not_sent_back_as_words() -> None:
    message = {"role": "assistant", "content": "Chào", "reasoning_content": "hm"}
    assert contents(HELLO, message)[1]["parts"] == [{"text": "Chào"}]


def test_a_picture_in_a_result_stands_in_it_or_beside_it_for_older_models() -> None:
    result = {**RESULT, "content": [{"type": "text", "text": "ảnh"}, PICTURE]}
    newer = contents(HELLO, CALLED, result, major=3)[-1]["parts"]
    assert newer[0]["functionResponse"]["parts"] == [INLINE]
    assert contents(HELLO, CALLED, result, major=2)[-1]["parts"][1] == INLINE
    far = {**RESULT, "content": [{"type": "image_url", "image_url": "https://a.example/b.png"}]}
    with pytest.raises(UnsendableError, match="the tool result in message 2 names a file"):
        contents(HELLO, CALLED, far, major=3)


def test_pictures_and_words_stay_in_order() -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "a"}, PICTURE, "b"]}
    assert contents(message)[0]["parts"] == [{"text": "a"}, INLINE, {"text": "b"}]
