"""The wire in front of the practice providers: whole answers, streams, tools, schemas, and each of their faults."""

from typing import Any

import orjson
import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer
from orchestrator.core.reply import Delta
from orchestrator.practice import PracticeServer
from orchestrator.practice.fault_kinds import Fault
from orchestrator.providers.wire.http import WireClient
from tests.providers.wire.outbound_requests import WEATHER_TOOL, outbound

PROVIDERS = {
    "openrouter": (ProviderKind.OPENROUTER, "openai/gpt-6-luna"),
    "openai": (ProviderKind.OPENAI, "gpt-6-luna"),
    "google": (ProviderKind.GOOGLE, "gemini-3.8-flash"),
}
EVERY_PROVIDER = pytest.mark.parametrize("provider", PROVIDERS)
WHOLE_AND_STREAMED = pytest.mark.parametrize("stream", [False, True])
K = FailureKind


async def ask(
    practice: PracticeServer, provider: str, *messages: Any, **changes: Any
) -> tuple[ProviderAnswer, list[Delta]]:
    kind, upstream = PROVIDERS[provider]
    deltas: list[Delta] = []
    client = WireClient()
    try:
        answer = await client.call(
            outbound(
                kind,
                *messages,
                upstream=upstream,
                base_url=practice.base_url(provider),
                api_key=f"practice-key-{provider}",
                **changes,
            ),
            on_sent=lambda: None,
            on_delta=deltas.append,
        )
    finally:
        await client.close()
    return answer, deltas


@EVERY_PROVIDER
@WHOLE_AND_STREAMED
async def test_an_answer_is_whole_and_its_usage_that_of_the_bill(practice, provider, stream) -> None:
    answer, deltas = await ask(practice, provider, stream=stream)
    charge = practice.bill.charges[-1]
    assert "Xin chào" in answer.text
    assert "".join(delta.text for delta in deltas) == (answer.text if stream else "")
    counts = (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.cached_input_tokens)
    assert counts == (charge.input_tokens, charge.output_tokens, charge.cached_input_tokens)
    assert answer.reported_cost_nusd == (charge.cost_nusd if provider == "openrouter" else None)
    assert answer.served_model == PROVIDERS[provider][1]


@EVERY_PROVIDER
@WHOLE_AND_STREAMED
async def test_a_tool_is_called_its_result_goes_back_and_the_answer_follows(
    practice, provider, stream
) -> None:
    question = {"role": "user", "content": "Thời tiết ở Huế?"}
    tools = {"tools": (WEATHER_TOOL,), "tool_choice": "required", "stream": stream}
    answer, _ = await ask(practice, provider, question, **tools)
    (call,) = answer.tool_calls
    assert (answer.finish_reason, call.name, type(orjson.loads(call.arguments))) == (
        "tool_calls",
        "weather",
        dict,
    )
    function = {"name": call.name, "arguments": call.arguments}
    said = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call.id, "type": "function", "function": function}],
    }
    result = {"role": "tool", "tool_call_id": call.id, "content": "25 độ"}
    last, _ = await ask(practice, provider, question, said, result, tools=(WEATHER_TOOL,), stream=stream)
    assert "25 độ" in last.text


@EVERY_PROVIDER
async def test_a_schema_is_kept_to(practice, provider) -> None:
    schema = {"type": "object", "properties": {"tone": {"enum": ["tốt", "xấu"]}}, "required": ["tone"]}
    response_format = {"type": "json_schema", "json_schema": {"name": "tone", "schema": schema}}
    answer, _ = await ask(practice, provider, response_format=response_format)
    assert orjson.loads(answer.text)["tone"] in {"tốt", "xấu"}


BOTH = (
    ("status=429,retry_after_s=7", K.RATE_LIMITED),
    ("status=500", K.SERVER_ERROR),
    ("status=503", K.UNAVAILABLE),
    ("status=529", K.UNAVAILABLE),
    ("status=401", K.UNAUTHORIZED),
    ("status=402", K.NO_CREDIT),
    ("status=404", K.MODEL_NOT_FOUND),
    ("status=400", K.BAD_REQUEST),
    ("status=422", K.BAD_REQUEST),
    ("status=400,reason=context_length", K.CONTEXT_OVERFLOW),
    ("status=400,reason=content_filter", K.CONTENT_FILTERED),
    ("reset", K.DISCONNECTED),
    ("malformed_chunk=3", K.MALFORMED),
    ("malformed_body", K.MALFORMED),
    ("wrong_types", K.MALFORMED),
    ("no_choices", K.MALFORMED),
    ("huge_body=6", K.MALFORMED),
    ("empty_content", K.EMPTY),
    ("error_in_200=502", K.SERVER_ERROR),
)
WHOLE_ALONE = (("cut_stream=3", K.DISCONNECTED),)
STREAMED_ALONE = (
    ("cut_stream=3", K.INTERRUPTED),
    ("end_stream=3", K.INTERRUPTED),
    ("odd_chunk=3", K.MALFORMED),
    ("error_in_200=502,after_chunks=3", K.INTERRUPTED),
)


@EVERY_PROVIDER
@pytest.mark.parametrize(("fault", "kind"), [*BOTH, *WHOLE_ALONE])
async def test_each_fault_of_a_whole_answer_has_its_kind(practice, provider, fault, kind) -> None:
    await expect_failure(practice, provider, fault, kind, stream=False)


@EVERY_PROVIDER
@pytest.mark.parametrize(("fault", "kind"), [*BOTH, *STREAMED_ALONE])
async def test_each_fault_of_a_stream_has_its_kind(practice, provider, fault, kind) -> None:
    await expect_failure(practice, provider, fault, kind, stream=True)


async def expect_failure(
    practice: PracticeServer, provider: str, fault: str, kind: FailureKind, *, stream: bool
) -> None:
    practice.faults.add(Fault.parse(f"{provider}:{fault}"))
    with pytest.raises(AttemptFailedError) as caught:
        await ask(practice, provider, stream=stream)
    assert caught.value.failure.kind is kind
    if "retry_after_s" in fault:
        assert caught.value.failure.retry_after_s == 7
