"""The same exchanges on our wire and on LiteLLM's path: where they differ, and who is right.

A difference that is not listed fails, and so does one that is listed and gone: then LiteLLM has changed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.sampling import Sampling
from orchestrator.providers.wire.building import wire_request_of
from orchestrator.providers.wire.outbound import OutboundRequest
from orchestrator.providers.wire.thought_signatures import PLACEHOLDER_SIGNATURE
from tests.providers.wire import gemini_exchanges as gemini
from tests.providers.wire import openai_exchanges as openai
from tests.providers.wire.exchange import Exchange, json_bytes
from tests.providers.wire.litellm_path import MODELS, LiteLlmPath, Recorded, meaning_of
from tests.providers.wire.misbehaving import Exchanged, serving
from tests.providers.wire.outbound_requests import CALL, CALLED, HELLO, RESULT, WEATHER_TOOL

_BAD_GEMINI = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "FINISH_REASON_UNSPECIFIED", "OTHER", "MISSING_THOUGHT_SIGNATURE", "NOT_YET_INVENTED")  # fmt: skip

OURS_IS_RIGHT: Mapping[str, tuple[str, ...]] = {
    "an unknown finish is no `stop`": (
        *(f"openai whole-finish-{reason}-with-text" for reason in openai.BAD_FINISHES),
        *(f"openai stream-finish-{reason}" for reason in ("error", "abort", "insufficient_system_resource", "wat")),
        *(f"gemini whole-{reason}-with-text" for reason in _BAD_GEMINI),
        *(f"gemini whole-{reason}-without-text" for reason in _BAD_GEMINI),
        *(f"gemini stream-{reason}-after-text" for reason in _BAD_GEMINI),
        "openai whole-finish-null",
        "openai whole-finish-error-without-text",
        "openai whole-finish-number",
        "openai whole-finish-model_length",
        "gemini whole-finish-number",
        "gemini whole-finish-missing",
        "gemini stream-malformed-call-first",
    ),
    "an error beside an answer, or in its place, is one, and its code says which": (
        "openai whole-error-beside-text",
        "openai stream-choice-error-after-text",
        "openai whole-error-429",
        "openai whole-error-context",
        "openai whole-error-object-vllm",
        "openai stream-error-first",
        "openai stream-named-error-event",
        "gemini whole-error-503",
        "gemini whole-error-429",
        "gemini whole-error-by-name",
        "gemini stream-error-first-429",
    ),
    "after the first words or thoughts an error may be billed": (
        "openai stream-error-event-after-text",
        "openai stream-openrouter-error-after-text",
        "openai stream-error-after-reasoning",
        "gemini stream-error-after-text",
        "gemini stream-error-after-thought",
    ),
    "what the provider refuses to say is filtered, and no fault of its server": (
        "openai whole-refused",
        "openai stream-refused",
        "gemini whole-blocked-prompt-no-usage",
    ),
    "words that were said before the filter are kept, as in a stream": tuple(
        f"gemini whole-{reason}-with-text"
        for reason in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY")
    ),
    "a 200 without an answer may be billed, which a status of LiteLLM's own denies": (
        "openai whole-empty-object",
        "openai whole-null-choices",
        "openai whole-choices-of-text",
        "openai whole-no-message",
        "openai whole-calls-no-list",
        "gemini stream-call-without-name",
    ),
    "an answer is not lost for a field that has nothing to do with its words": (
        "openai whole-no-role",
        "openai whole-usage-a-list",
        "openai whole-usage-fraction",
        "openai whole-usage-nan",
        "openai stream-null-error",
        "gemini whole-usage-missing",
        "gemini whole-usage-null",
        "gemini whole-usage-text",
        "gemini whole-usage-no-object",
    ),
    "a careless encoder, and content in parts, are read": (
        "openai whole-bad-utf8",
        "openai whole-raw-newline-in-text",
        "openai whole-content-parts",
        "openai whole-thinking-part",
        "openai stream-half-emoji",
        "openai stream-split-emoji",
        "openai stream-split-emoji-between-empty-pieces",
        "openai stream-split-emoji-lost",
        "openai stream-split-utf8",
        "openai stream-split-cesu8",
        "openai stream-split-emoji-in-thought",
        "openai stream-split-emoji-in-arguments",
        "gemini stream-split-emoji",
        "openai stream-content-parts",
    ),
    "a chunk without a word is skipped": (
        "openai stream-chunk-without-choices",
        "openai stream-null-choices",
        "openai stream-null-delta",
    ),
    "lines and events are those of the standard": (
        "openai stream-bom",
        "openai stream-multi-line-data",
        "openai stream-line-separator",
        "gemini stream-bom",
        "gemini stream-comments",
        "gemini stream-multi-line-data",
        "gemini stream-line-separator",
    ),
    "the usage is the provider's own, whatever stands before it": (
        "openai stream-comment-before-usage",
        "openai stream-event-line-before-usage",
        "gemini stream-usage-after-the-finish",
    ),
    "behind its finish nothing takes an answer back": (
        "openai stream-usage-torn",
        "openai stream-garbage-behind-finish",
        "openai stream-garbage-behind-usage",
    ),
    "half a usage is none": (
        "openai whole-usage-text",
        "openai whole-usage-bool",
        "gemini stream-usage-negative",
    ),
    "parallel calls are told apart by their ids, and by their names": (
        "openai stream-two-calls-index-0",
        "openai stream-two-calls-no-index",
        "openai stream-two-calls-neither-index-nor-id",
        "openai stream-two-calls-index-0-no-id",
    ),
    "a tool call has a name, and arguments that are an object": (
        "gemini whole-call-without-args",
    ),
    "what the limit has cut says so, though it holds a call": ("gemini whole-call-max-tokens",),
}  # fmt: skip
LITELLM_WOULD_DO: Mapping[str, tuple[str, ...]] = {
    "one word for one finish: ours says tool_calls of the older function_call": ("openai whole-call-function-call",),
}  # fmt: skip
LISTED = {name for table in (OURS_IS_RIGHT, LITELLM_WOULD_DO) for names in table.values() for name in names}


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    """Load LiteLLM once, before anything is timed."""
    from orchestrator.providers.litellm.loading import load_litellm

    load_litellm()


async def differing(kind: str, exchanges: tuple[Exchange, ...], *, stream: bool) -> set[str]:
    recorded, path = Recorded(is_stream=stream), LiteLlmPath()
    names = set()
    async with serving(recorded) as server:
        for exchange in exchanges:
            recorded.exchange = exchange
            if await path.read(server, MODELS[kind], stream=stream) != meaning_of(exchange):
                names.add(f"{kind} {exchange.name}")
    await path.close()
    return names


@pytest.mark.parametrize("kind", ["openai", "gemini"])
@pytest.mark.parametrize("stream", [False, True])
async def test_both_read_the_same_but_for_what_is_listed(kind: str, stream: bool) -> None:
    table = {"openai": openai, "gemini": gemini}[kind]
    exchanges = table.STREAMED if stream else table.WHOLE
    expected = {f"{kind} {each.name}" for each in exchanges} & LISTED
    assert await differing(kind, exchanges, stream=stream) == expected


def test_the_list_names_only_exchanges_that_exist_and_each_once() -> None:
    names = {f"openai {each.name}" for each in openai.EXCHANGES} | {
        f"gemini {each.name}" for each in gemini.EXCHANGES
    }
    assert LISTED - names == set()
    tables = [names for table in (OURS_IS_RIGHT, LITELLM_WOULD_DO) for names in table.values()]
    assert sum(map(len, tables)) == len(LISTED)


def test_the_page_that_says_why_counts_right() -> None:
    page = (Path(__file__).parents[3] / "docs/why/wire.md").read_text(encoding="utf-8")
    exchanges = len(openai.EXCHANGES) + len(gemini.EXCHANGES)
    assert f"The same {exchanges} answers" in page
    assert f"They differ in {len(LISTED)}," in page


# Requests to Gemini

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
SYSTEM = {"role": "system", "content": "Luật"}
SIGNED = {**CALLED, "tool_calls": [{**CALL, "id": "call_1__thought__c2ln"}]}
SIGNED_RESULT = {**RESULT, "tool_call_id": "call_1__thought__c2ln"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
STRUCTURED = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}

CONVERSATIONS: Mapping[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "plain": ((HELLO,), {"temperature": 0.3, "top_p": 0.9, "seed": 7, "stop": ("a", "b")}),
    "system": ((SYSTEM, HELLO), {"temperature": 0.3}),
    "turns": ((HELLO, {"role": "assistant", "content": "Chào"}, HELLO), {"temperature": 0.3}),
    "two users": ((HELLO, HELLO), {"temperature": 0.3}),
    "picture": (({"role": "user", "content": [{"type": "text", "text": "Gì đây?"}, PICTURE]},), {"temperature": 0.3}),
    "audio": (({"role": "user", "content": [{"type": "text", "text": "Nghe"}, {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},), {"temperature": 0.3}),
    "file": (({"role": "user", "content": [{"type": "text", "text": "Đọc"}, {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA=="}}]},), {"temperature": 0.3}),
    "json": ((HELLO,), {"temperature": 0.3, "response_format": {"type": "json_object"}}),
    "schema": ((HELLO,), {"temperature": 0.3, "response_format": STRUCTURED}),
    "tool choice": ((HELLO,), {"temperature": 0.3, "tools": (WEATHER_TOOL,), "tool_choice": "required"}),
    "named tool": ((HELLO,), {"temperature": 0.3, "tools": (WEATHER_TOOL,), "tool_choice": {"type": "function", "function": {"name": "weather"}}}),
    "signed call": ((HELLO, SIGNED, SIGNED_RESULT), {"temperature": 0.3}),
    "unsigned call": ((HELLO, CALLED, RESULT), {"temperature": 0.3}),
    "object result": ((HELLO, SIGNED, {**SIGNED_RESULT, "content": '{"t": 25}'}), {"temperature": 0.3}),
    "effort": ((HELLO,), {"temperature": 0.3, "reasoning_effort": "low"}),
    "no temperature": ((HELLO,), {}),
}  # fmt: skip
REQUESTS_DIFFER: Mapping[str, str] = {
    "tool choice": "ours sends the tool's JSON schema as it is, LiteLLM rewrites it into OpenAPI's",
    "named tool": "as above",
    "signed call": "ours calls a text result `output`, as Google's reference does, LiteLLM `content`",
    "unsigned call": "as above",
    "no temperature": "ours leaves the temperature to the model, LiteLLM sets 1.0",
}


def camel(value: Any) -> Any:
    """Return Google's names in one spelling: LiteLLM mixes snake_case in."""
    if isinstance(value, list):
        return [camel(each) for each in value]
    if isinstance(value, dict):
        return {_camel_name(name): camel(each) for name, each in value.items()}
    return value


def _camel_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_requests_to_gemini_say_the_same_but_for_what_is_listed(name: str) -> None:
    messages, sampling = CONVERSATIONS[name]
    bodies: list[dict[str, Any]] = []

    async def answer(exchanged: Exchanged) -> None:
        bodies.append(orjson.loads(exchanged.body))
        await exchanged.answer(json_bytes(gemini.LAST))

    path = LiteLlmPath()
    async with serving(answer) as server:
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in sampling.items()}
        await path.send(server, MODELS["gemini"], messages=list(messages), max_tokens=100, **plain)
    await path.close()
    sending = OutboundRequest(
        kind=ProviderKind.GOOGLE,
        upstream="gemini-3.8-flash",
        messages=messages,
        max_tokens=100,
        base_url="http://127.0.0.1:9",
        sampling=Sampling(**sampling),
    )
    ours = orjson.loads(wire_request_of(sending).body)
    assert (camel(ours) != camel(bodies[0])) is (name in REQUESTS_DIFFER), (camel(ours), camel(bodies[0]))


def test_the_placeholder_for_a_call_of_another_model_is_the_same_on_both_paths() -> None:
    from litellm.litellm_core_utils.prompt_templates import factory

    assert factory._get_dummy_thought_signature() == PLACEHOLDER_SIGNATURE
