"""What a vendor's own client may send, and how large its answers can be, whichever door a parameter came in by."""

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.rates import Rates
from orchestrator.core.errors import InvalidRequestError
from orchestrator.metering.vendor_bodies import bounded_body
from orchestrator.providers.openrouter import TOKENS_ONLY, token_costs_only
from orchestrator.routing.file_bounds import bound_of_file, picture_tokens

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}
RESPONSES = {"model": "m", "input": [{"role": "user", "content": "Hi"}], "max_output_tokens": 10}
GOOGLE = {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": 10}}
SEARCH = {"type": "web_search_preview"}


def bounds(body, path="/v1/chat/completions"):
    size = bounded_body(ProviderKind.OPENAI, "m", path=path, body=body)
    return size.max_tokens, size.answers


def google_bounds(body, method="generateContent"):
    path = f"/v1beta/models/m:{method}"
    size = bounded_body(ProviderKind.GOOGLE, "m", path=path, body=body)
    return size.max_tokens, size.answers


def test_the_largest_of_all_limits_counts_and_every_answer() -> None:
    assert bounds({**CHAT, "max_completion_tokens": 800, "n": 4}) == (800, 4)
    assert bounds({**CHAT, "max_tokens": 800, "max_completion_tokens": 10}) == (800, 1)
    assert bounds(RESPONSES, "/v1/responses") == (10, 1)
    config = {"maxOutputTokens": 640, "candidateCount": 3}
    assert google_bounds({**GOOGLE, "generationConfig": config}) == (640, 3)
    assert google_bounds(GOOGLE, "streamGenerateContent") == (10, 1)


@pytest.mark.parametrize(
    "more",
    [
        {"web_search_options": {}},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
                    ],
                }
            ]
        },
        {"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"ttl": "1h"}}]},
        {"service_tier": "priority"},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "alloy"}},
        {"prediction": {"type": "content", "content": "x"}},
        {"plugins": [{"id": "web"}]},
        {"plugins": [*TOKENS_ONLY, {"id": "web"}]},
        {"plugins": [{**TOKENS_ONLY[0], "enabled": True}]},
        {"plugins": "web"},
        {"models": ["a", "b"]},
        {"not_yet_invented": 1},
        {"tools": [SEARCH]},
        {"max_tokens": None},
        {"max_tokens": -5},
        {"max_tokens": True},
        {"max_tokens": 10.5},
        {"n": 0},
        {"n": "4"},
        {"model": "another"},
        *(
            {"messages": [{"role": "user", "content": [part]}]}
            for part in (
                {"type": "text", "text": "Hi", "not_yet_invented": 1},
                {"type": "image_url", "image_url": {"url": "https://a.vn/b.png", "max_dynamic_patch": 99}},
                {"type": "image_url", "image_url": {"url": "https://a.vn/b.png"}, "quality": "hd"},
                {"type": "video_url", "video_url": {"url": "https://a.vn/b.mp4", "fps": 60}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav", "x": 1}},
                {"type": "file", "file": {"file_id": "file-1", "x": 1}},
                {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "scope": "all"}},
                {"type": "not_yet_invented"},
                7,
            )
        ),
    ],
)
def test_what_has_no_bound_is_refused_for_openai(more) -> None:
    with pytest.raises(InvalidRequestError):
        bounds({**CHAT, **more})


def test_what_we_add_for_openrouter_ourselves_is_taken() -> None:
    assert bounds({**CHAT, **token_costs_only(Rates(input=1, output=2))}) == (10, 1)


@pytest.mark.parametrize(
    "more", [{"tools": [SEARCH]}, {"tools": [{"type": "code_interpreter"}]}, {"previous_response_id": "a"}, {"background": True}, {"prompt": {"id": "p"}},
             {"input": [{"type": "item_reference", "id": "msg_1"}]}, {"input": [{"type": "web_search_call"}]},
             {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://a.vn/b", "x": 1}]}]}]
)  # fmt: skip
def test_what_has_no_bound_is_refused_for_the_responses_api(more) -> None:
    with pytest.raises(InvalidRequestError):
        bounds({**RESPONSES, **more}, "/v1/responses")


def test_thoughts_that_the_vendor_has_kept_tell_no_size() -> None:
    kept, sent = ({"type": "reasoning", "id": "rs_1", "encrypted_content": text} for text in (None, "gAAA"))
    size = bounded_body(
        ProviderKind.OPENAI, "m", path="/v1/responses", body={**RESPONSES, "input": [kept, sent]}
    )
    assert [isinstance(message["content"], list) for message in size.messages] == [True, False]


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"googleSearch": {}}]},
        {"tools": [{"functionDeclarations": []}, {"urlContext": {}}]},
        {"tools": [{"codeExecution": {}}]},
        {"cachedContent": "cachedContents/1"},
        {"toolConfig": {"retrievalConfig": {}}},
        {"generationConfig": {"maxOutputTokens": 10, "responseModalities": ["IMAGE"]}},
        {"generationConfig": {"maxOutputTokens": 10, "speechConfig": {}}},
        {"generationConfig": {"maxOutputTokens": 10, "imageConfig": {}}},
        {"generationConfig": {}},
        {"contents": [{"parts": [{"notYetInvented": 1}]}]},
        {"contents": [{"parts": [{"text": "Hi", "not_yet_invented": 1}]}]},
        {"contents": [{"parts": [{"functionResponse": {"name": "f", "parts": [{"toolCall": {}}]}}]}]},
        {"contents": [{"parts": ["Hi"]}]},
    ],
)
def test_what_has_no_bound_is_refused_for_google(more) -> None:
    with pytest.raises(InvalidRequestError):
        google_bounds({**GOOGLE, **more})


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk-M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.mark.parametrize(
    ("part", "kinds"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": PIXEL}}, ["image_url"]),
        ({"inlineData": {"mime_type": "image/png", "data": PIXEL}}, ["image_url"]),
        ({"inline_data": {"mime_type": "image/png", "data": PIXEL}}, ["image_url"]),
        ({"file_data": {"file_uri": "gs://a/b.mp4"}}, ["file"]),
        ({"functionResponse": {"name": "f", "parts": [{"fileData": {"fileUri": "gs://a"}}]}}, ["text", "file"]),
        (
            {"function_response": {"name": "f", "parts": [{"inline_data": {"mime_type": "image/png", "data": PIXEL}}]}},
            ["text", "image_url"],
        ),
    ],
)  # fmt: skip
def test_a_file_of_googles_is_one_in_either_spelling_and_in_the_result_of_a_tool(part, kinds) -> None:
    """A picture was held for as a whole context; a video that a tool returned as for its address."""
    body = {**GOOGLE, "contents": [{"parts": [part]}]}
    size = bounded_body(ProviderKind.GOOGLE, "m", path="/v1beta/models/m:generateContent", body=body)
    (message,) = size.messages
    assert [each["type"] for each in message["content"]] == kinds
    pictures = [each for each in message["content"] if each["type"] == "image_url"]
    assert all(bound_of_file(picture) == picture_tokens(1, 1) for picture in pictures)


@pytest.mark.parametrize(
    "path", ["/v1/images/generations", "/v1/embeddings", "/v1/audio/speech", "/v1/batches"]
)
def test_nothing_but_chat_is_sent(path) -> None:
    with pytest.raises(InvalidRequestError):
        bounds(CHAT, path)
    with pytest.raises(InvalidRequestError):
        bounded_body(ProviderKind.GOOGLE, "m", path="/v1beta/models/other:generateContent", body=GOOGLE)
