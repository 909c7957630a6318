"""The real clients of the providers understand the practice providers.

Some of these tests pin what LiteLLM makes of a reply, so that we notice the day it changes.
"""

import json

import pytest

from orchestrator.core.money import NanoUsdPerMtok, nano_usd
from orchestrator.practice import PracticePrice, PracticeServer

MODELS = {
    "openrouter": "openrouter/openai/gpt-4o-mini",
    "openai": "openai/gpt-4o-mini",
    "google": "gemini/gemini-2.5-flash",
}
PROVIDERS = list(MODELS)
WEATHER = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather", "parameters": WEATHER},
}
ASK = {"role": "user", "content": "What is the weather in Hà Nội?"}
# No price of LiteLLM's own map, so that a cost it computed itself would be seen.
PRICE = PracticePrice(NanoUsdPerMtok(7_000_000_000), NanoUsdPerMtok(9_000_000_000))


@pytest.fixture
def server():
    """A server with prices that only it knows."""
    with PracticeServer(default_price=PRICE) as running:
        yield running


async def _complete(server: PracticeServer, provider: str, **settings):
    import litellm

    litellm.suppress_debug_info = True
    return await litellm.acompletion(
        model=MODELS[provider],
        api_base=server.base_url(provider),
        api_key="practice",
        messages=settings.pop("messages", [ASK]),
        num_retries=0,
        max_retries=0,
        timeout=300,
        **settings,
    )


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_litellm_reads_an_answer_its_usage_and_its_finish(server, provider):
    """With `api_base` set to the server's base URL of the provider."""
    reply = await _complete(server, provider)
    charge = server.bill.charges[-1]
    assert "weather" in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    assert reply.id == charge.request_id
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (
        charge.input_tokens,
        charge.output_tokens,
    )
    short = await _complete(server, provider, max_tokens=4)
    assert short.choices[0].finish_reason == "length"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_litellm_reads_a_stream_and_its_usage(server, provider):
    """Only when `stream_options` asks for it, even of OpenRouter."""
    chunks = [
        chunk
        async for chunk in await _complete(
            server, provider, stream=True, stream_options={"include_usage": True}
        )
    ]
    assert "Hà Nội" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    (usage,) = [chunk.usage for chunk in chunks if getattr(chunk, "usage", None)]
    assert usage.completion_tokens == server.bill.charges[-1].output_tokens
    unasked = [chunk async for chunk in await _complete(server, provider, stream=True)]
    assert not any(getattr(chunk, "usage", None) for chunk in unasked)


async def test_litellm_tells_openrouters_cost_whole_and_streamed(server):
    """`usage.cost` is what the provider charged."""
    reply = await _complete(server, "openrouter")
    assert nano_usd(reply.usage.cost) == server.bill.charges[-1].cost_nusd
    options = {"include_usage": True}
    chunks = [
        chunk async for chunk in await _complete(server, "openrouter", stream=True, stream_options=options)
    ]
    cost = next(chunk.usage.cost for chunk in chunks if getattr(chunk, "usage", None))
    assert nano_usd(cost) == server.bill.charges[-1].cost_nusd


@pytest.mark.parametrize("provider", ["openai", "google"])
async def test_litellm_invents_a_cost_in_streams_of_providers_that_tell_none(server, provider):
    """`usage.cost` of a stream is then from LiteLLM's own price map, and not what was charged."""
    options = {"include_usage": True}
    chunks = [chunk async for chunk in await _complete(server, provider, stream=True, stream_options=options)]
    cost = next(chunk.usage.cost for chunk in chunks if getattr(chunk, "usage", None))
    assert nano_usd(cost) != server.bill.charges[-1].cost_nusd
    assert getattr((await _complete(server, provider)).usage, "cost", None) is None


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_litellm_does_a_round_of_tools(server, provider):
    """Call, result, answer; whole and streamed."""
    reply = await _complete(server, provider, tools=[TOOL])
    message = reply.choices[0].message
    (call,) = message.tool_calls
    assert reply.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments) == {"location": "Hà Nội"}
    result = {"role": "tool", "tool_call_id": call.id, "name": "get_weather", "content": "It's sunny."}
    answer = await _complete(server, provider, tools=[TOOL], messages=[ASK, message.model_dump(), result])
    assert "It's sunny." in answer.choices[0].message.content
    stream = await _complete(server, provider, tools=[TOOL], stream=True)
    calls = [
        call async for chunk in stream if chunk.choices for call in chunk.choices[0].delta.tool_calls or ()
    ]
    assert json.loads("".join(call.function.arguments for call in calls)) == {"location": "Hà Nội"}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_litellm_gets_structured_output(server, provider):
    """By JSON schema."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    reply = await _complete(server, provider, response_format=form)
    assert json.loads(reply.choices[0].message.content) == {"city": "Hà Nội"}


@pytest.mark.parametrize(("provider", "sends"), [("openrouter", 2), ("openai", 1), ("google", 2)])
async def test_litellm_sends_again_behind_our_back_after_a_reset(server, provider, sends):
    """Once, without any retry configured, where it uses its own HTTP client; the hooks see one attempt."""
    server.faults.add(f"{provider}:reset")
    with pytest.raises(Exception, match="onnect"):
        await _complete(server, provider)
    assert len(server.requests) == sends


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_litellm_takes_a_stream_without_an_end_for_finished(server, provider):
    """It says `stop` for a stream that ended early: the end must be checked by ourselves."""
    server.faults.add(f"{provider}:end_stream=2")
    chunks = [chunk async for chunk in await _complete(server, provider, stream=True)]
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_the_openai_sdk_reads_answers_streams_and_errors(server):
    """Also OpenRouter's base URL."""
    import openai

    async with openai.AsyncOpenAI(
        base_url=server.base_url("openrouter"), api_key="practice", max_retries=0
    ) as client:
        reply = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        assert reply.choices[0].message.content
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage is not None
        server.faults.add("openrouter:status=429,retry_after_s=1,times=1")
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])


def test_langchains_gemini_client_reads_answers_streams_and_tools(server):
    """`base_url` is the server's address with `/google`, to which the client adds `/v1beta`."""
    from langchain_google_genai import ChatGoogleGenerativeAI
    from pydantic import BaseModel

    class City(BaseModel):
        """A city."""

        name: str

    model = ChatGoogleGenerativeAI(
        model="gemini-2.5-flash", google_api_key="practice", base_url=f"{server.url}/google", max_retries=1
    )
    reply = model.invoke("Hello")
    assert reply.usage_metadata["output_tokens"] == server.bill.charges[-1].output_tokens
    assert "Hello" in "".join(str(chunk.text) for chunk in model.stream("Hello"))
    assert model.bind_tools([TOOL["function"]]).invoke("The weather in Huế?").tool_calls[0]["args"] == {
        "location": "Huế"
    }
    assert isinstance(model.with_structured_output(City).invoke("The city 'Huế'"), City)
