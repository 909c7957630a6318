"""The body in OpenAI's format: as OpenAI, OpenRouter and local servers take it."""

from datetime import date

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.rates import Rates
from orchestrator.providers.wire.openai_request import CACHE_CONTROL_LEFT_OUT, CACHE_FOR_SHORT
from tests.providers.wire.outbound_requests import (
    CALL,
    CALLED,
    HELLO,
    RESULT,
    WEATHER_TOOL,
    body_of,
    notices_of,
)

OPENAI, OPENROUTER, LOCAL = ProviderKind.OPENAI, ProviderKind.OPENROUTER, ProviderKind.LOCAL
CACHED = {"type": "ephemeral"}
MARKED = {"role": "user", "content": [{"type": "text", "text": "Chào", "cache_control": CACHED}]}


def test_a_plain_request_is_nothing_but_model_messages_and_limit() -> None:
    assert body_of(OPENAI) == {"model": "gpt-4o-mini", "messages": [HELLO], "max_tokens": 100}


def test_a_stream_asks_for_its_usage() -> None:
    body = body_of(LOCAL, stream=True)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_all_sampling_parameters_go_under_their_own_names() -> None:
    response_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    sampling = {
        "temperature": 0.1, "top_p": 0.2, "stop": ["a"], "seed": 3, "presence_penalty": 0.4, "frequency_penalty": 0.5,
        "response_format": response_format, "tools": [WEATHER_TOOL], "tool_choice": "required", "parallel_tool_calls": False,
        "reasoning_effort": "low",
    }  # fmt: skip
    sampling["prompt_cache_key"] = "acme"
    body = body_of(OPENAI, upstream="gpt-x", **{**sampling, "stop": ("a",), "tools": (WEATHER_TOOL,)})
    assert {name: body[name] for name in sampling} == sampling


def test_a_reasoning_model_gets_its_limit_under_its_own_name() -> None:
    body = body_of(OPENAI, upstream="gpt-6-luna", temperature=0.2)
    assert (body["max_completion_tokens"], "max_tokens" in body, "temperature" in body) == (100, False, False)
    assert notices_of(OPENAI, upstream="gpt-6-luna", temperature=0.2) == (
        "'temperature' is not taken by gpt-6-luna and was left out",
    )


def test_openrouter_hears_the_most_that_a_host_may_charge_and_how_much_to_think() -> None:
    cap = Rates(input="0.1", output="0.5")
    body = body_of(OPENROUTER, price_cap=cap, reasoning_effort="low")
    assert body["provider"] == {"max_price": {"prompt": 0.1, "completion": 0.5, "request": 0}}
    assert (body["reasoning"], "reasoning_effort" in body) == ({"effort": "low"}, False)
    assert "provider" not in body_of(OPENAI, price_cap=cap)


def test_the_tier_is_sent_where_it_is_pinned() -> None:
    assert body_of(OPENAI, service_tier="default")["service_tier"] == "default"
    assert "service_tier" not in body_of(OPENROUTER, service_tier="default")


def test_cache_marks_reach_openrouter_and_are_left_out_elsewhere_once_said() -> None:
    tool = {**WEATHER_TOOL, "cache_control": CACHED}
    claude = {"upstream": "anthropic/claude-sonnet-5.5"}
    body = body_of(OPENROUTER, MARKED, tools=(tool,), **claude)
    assert body["messages"][0]["content"][0]["cache_control"] == body["tools"][0]["cache_control"] == CACHED
    for kind in (OPENAI, LOCAL):
        assert (
            b"cache_control"
            not in str(body_of(kind, MARKED, {**HELLO, "cache_control": CACHED}, tools=(tool,))).encode()
        )
        assert len(notices_of(kind, MARKED, MARKED, tools=(tool,))) == 1
    assert notices_of(OPENROUTER, MARKED, **claude) == ()
    assert "cache_control" not in str(body_of(OPENROUTER, MARKED, tools=(tool,)))
    assert notices_of(OPENROUTER, MARKED) == (CACHE_CONTROL_LEFT_OUT,)


def test_a_prompt_is_kept_no_longer_than_its_price_was_held_for() -> None:
    """An hour in Anthropic's cache costs twice the input, and the price book knows five minutes."""
    for_an_hour = {"role": "user", "content": "Chào", "cache_control": {**CACHED, "ttl": "1h"}}
    claude = {"upstream": "anthropic/claude-sonnet-5.5"}
    assert body_of(OPENROUTER, for_an_hour, **claude)["messages"][0]["cache_control"] == CACHED
    assert notices_of(OPENROUTER, for_an_hour, **claude) == (CACHE_FOR_SHORT,)
    assert for_an_hour["cache_control"]["ttl"] == "1h"


def test_a_mark_within_the_function_of_a_tool_is_one_of_the_tool() -> None:
    """LiteLLM's users write it there; it went past what is held for, and to servers that refuse it."""
    marked = {
        **WEATHER_TOOL,
        "function": {**WEATHER_TOOL["function"], "cache_control": {**CACHED, "ttl": "1h"}},
    }
    claude = {"upstream": "anthropic/claude-sonnet-5.5"}
    assert body_of(OPENROUTER, tools=(marked,), **claude)["tools"] == [
        {**WEATHER_TOOL, "cache_control": CACHED}
    ]
    assert notices_of(OPENROUTER, tools=(marked,), **claude) == (CACHE_FOR_SHORT,)
    assert body_of(OPENAI, tools=(marked,))["tools"] == [WEATHER_TOOL]
    assert notices_of(OPENAI, tools=(marked,)) == (CACHE_CONTROL_LEFT_OUT,)


def test_a_conversation_with_tools_goes_out_as_it_came() -> None:
    assert body_of(OPENAI, HELLO, CALLED, RESULT)["messages"] == [HELLO, CALLED, RESULT]


def test_signatures_of_google_stay_out_of_ids_that_others_bound_to_40_letters() -> None:
    signed = "call_1__thought__" + "c2ln" * 50
    call = {**CALL, "id": signed, "provider_specific_fields": {"thought_signature": "x"}}
    messages = body_of(OPENAI, {**CALLED, "tool_calls": [call]}, {**RESULT, "tool_call_id": signed})[
        "messages"
    ]
    assert (messages[0]["tool_calls"], messages[1]["tool_call_id"]) == ([CALL], "call_1")


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"city": "Huế"}, '{"city":"Huế"}'),
        ('{"city": "Huế"}', '{"city": "Huế"}'),
        ('{"parcel": 1234567890123456789012, "price": 1.10}',) * 2,
        ({"day": date(2026, 11, 29), "until": None}, '{"day":"2026-11-29","until":null}'),
        ('{"note": "two\nlines"}', '{"note":"two\\nlines"}'),
        (" ", "{}"),
        (None, "{}"),
    ],
)
def test_arguments_in_a_history_are_text_and_say_what_they_said(arguments, sent) -> None:
    """A number of 22 digits that is read and written anew is another one."""
    call = {**CALL, "function": {"name": "weather", "arguments": arguments}}
    message = body_of(LOCAL, {**CALLED, "tool_calls": [call]}, RESULT)["messages"][0]
    assert message["tool_calls"][0]["function"]["arguments"] == sent


@pytest.mark.parametrize(
    ("kind", "base_url", "kept"),
    [
        (OPENROUTER, "https://openrouter.ai/api/v1", {"reasoning", "reasoning_details"}),
        (OPENAI, "https://api.deepseek.com/v1", {"reasoning_content"}),
        (OPENAI, "https://api.openai.com/v1", set()),
        (LOCAL, "http://127.0.0.1:1/v1", {"reasoning_content"}),
    ],
)
def test_thoughts_go_back_to_those_who_take_them(kind, base_url, kept) -> None:
    thoughts = {"reasoning": "hm", "reasoning_details": [{"type": "x"}], "reasoning_content": "hm"}
    message = {"role": "assistant", "content": "Chào", **thoughts, "provider_specific_fields": {"x": 1}}
    sent = body_of(kind, message, HELLO, base_url=base_url)["messages"][0]
    assert sent.keys() - {"role", "content"} == kept


def test_empty_and_missing_fields_are_left_out_but_for_the_content() -> None:
    message = {"role": "assistant", "content": None, "name": None, "tool_calls": []}
    assert body_of(OPENAI, HELLO, message)["messages"][1] == {"role": "assistant", "content": None}


def test_local_templates_know_no_developer() -> None:
    developer = {"role": "developer", "content": "Luật"}
    assert body_of(LOCAL, developer, HELLO)["messages"][0]["role"] == "system"
    assert body_of(OPENAI, developer, HELLO)["messages"][0]["role"] == "developer"


def test_pictures_sound_and_files_go_out_as_they_came() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
    ]
    assert body_of(OPENAI, {"role": "user", "content": parts})["messages"][0]["content"] == parts


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"role": "user", "content": None}, ""),
        ({"role": "user", "content": []}, ""),
        ({"role": "user", "content": ["Chào"]}, [{"type": "text", "text": "Chào"}]),
        ({"role": "system"}, ""),
        ({"role": "assistant", "content": []}, ""),
        ({"role": "assistant", "content": None, "refusal": "Không."}, None),
    ],
)
def test_content_that_openai_refuses_and_google_takes_is_written_as_both_take_it(message, content) -> None:
    assert body_of(OPENAI, message, HELLO)["messages"][0]["content"] == content


def test_a_tool_result_of_nothing_is_an_empty_text() -> None:
    messages = body_of(OPENAI, HELLO, CALLED, {**RESULT, "content": None})["messages"]
    assert messages[-1]["content"] == ""


def test_what_a_library_notes_in_a_function_is_not_sent() -> None:
    """OpenAI's own SDK puts `parsed_arguments` there, and OpenAI refuses them."""
    noted = {**CALL, "function": {**CALL["function"], "parsed_arguments": {"city": "Huế"}}}
    sent = body_of(OPENAI, HELLO, {**CALLED, "tool_calls": [noted]}, RESULT)["messages"][1]
    assert sent["tool_calls"][0]["function"].keys() == {"name", "arguments"}
