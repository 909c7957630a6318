"""What our chat model promises beyond LangChain's own suites."""

from typing import Any

import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import InvalidRequestError, UnavailableError
from orchestrator.practice import Fault, PracticeServer


class Order(BaseModel):
    """An order of a customer."""

    order_id: str
    quantity: int


def test_a_message_says_who_answered_and_what_it_cost(practised: Orchestrator) -> None:
    message = practised.chat_model("customer_service", tenant="acme").invoke("Xin chào")
    metadata = message.response_metadata
    assert metadata["latency_s"] > metadata["queued_s"] >= 0
    assert metadata["model"] == "gpt-6.1-sol"
    assert metadata["deployment"] == "openrouter/gpt-6.1-sol"
    assert metadata["provider"] == "openrouter"
    assert metadata["cost_nusd"] > 0
    assert metadata["cached"] == "miss"
    assert (metadata["degraded"], metadata["degraded_kinds"]) == (None, [])
    assert len(metadata["attempts"]) == 1
    assert metadata["request_id"]


def test_a_tool_of_a_vendors_own_is_refused_and_not_taken_for_a_function(practised: Orchestrator) -> None:
    chat = practised.chat_model("customer_service")
    for kind in ("web_search_20250305", "code_interpreter", "builtin_function"):
        with pytest.raises(InvalidRequestError, match=f"'{kind}' is a vendor's own and billed by use"):
            chat.bind_tools([{"type": kind, "name": "web_search"}])
    with pytest.raises(InvalidRequestError, match="only functions are taken"):
        chat.bind_tools(
            [{"type": ["object", "null"], "title": "find", "description": "Finds.", "properties": {}}]
        )


def test_the_last_chunk_of_a_stream_carries_usage_and_origin(practised: Orchestrator) -> None:
    chunks = list(practised.chat_model("customer_service").stream("Xin chào"))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 0
    assert whole.response_metadata["deployment"] == "openrouter/gpt-6.1-sol"


def test_a_cached_message_counts_no_tokens(practised: Orchestrator) -> None:
    """LangChain's own cache counts the tokens of hits again; ours does not."""
    counted = UsageMetadataCallbackHandler()
    model = practised.chat_model("customer_service")
    model.invoke("Giờ mở cửa?", config={"callbacks": [counted]})
    paid = dict(counted.usage_metadata)
    again = model.invoke("Giờ mở cửa?", config={"callbacks": [counted]})
    assert again.response_metadata["cached"] == "hit"
    assert {name: usage["total_tokens"] for name, usage in counted.usage_metadata.items()} == {
        name: usage["total_tokens"] for name, usage in paid.items()
    }


def test_a_call_overrides_what_the_model_was_made_with(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    model = practised.chat_model(
        "customer_service", tenant="acme", cache=CacheUse.USE, tags=("a",), temperature=0.1
    )
    model.invoke("Xin chào")
    message = model.invoke(
        "Xin chào", cache=CacheUse.OFF, temperature=0.9, request_tags=("b",), tenant="globex"
    )
    assert message.response_metadata["cached"] == "miss"
    assert practice.requests[-1].body["temperature"] == 0.9
    scopes = {standing.scope for standing in practised.standings() if standing.spent}
    assert {"tag:a", "tag:b", "tenant:acme", "tenant:globex"} <= scopes


def test_every_sampling_parameter_of_complete_works_here(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    parameters = {
        "temperature": 0.2,
        "top_p": 0.9,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "seed": 7,
    }
    practised.chat_model("customer_service", stop=["XYZ"], **parameters).invoke("Xin chào")
    body = practice.requests[-1].body
    assert {name: body[name] for name in parameters} == parameters
    assert body["stop"] == ["XYZ"]


@pytest.mark.parametrize(
    "parameters", [{"tenannt": "acme"}, {"base_url": "http://127.0.0.1:9"}, {"temperature": "hot"}]
)
def test_an_unknown_or_wrong_parameter_is_refused_when_the_model_is_made(
    practised: Orchestrator, parameters: dict
) -> None:
    with pytest.raises(InvalidRequestError):
        practised.chat_model("customer_service", **parameters)


def test_an_address_or_key_in_a_call_is_refused(practised: Orchestrator, practice: PracticeServer) -> None:
    """It would send the configured key to somebody else's host."""
    with pytest.raises(InvalidRequestError, match="config.yaml alone"):
        practised.chat_model("customer_service").invoke("Xin chào", api_base="http://127.0.0.1:9/v1")
    assert practice.requests == ()


def test_a_way_to_structured_output_that_is_none_is_refused(practised: Orchestrator) -> None:
    """It was taken for `json_mode`, which tells no schema."""
    with pytest.raises(InvalidRequestError, match="unknown method 'json_shema'. Did you mean 'json_schema'"):
        practised.chat_model().with_structured_output({"title": "t"}, method="json_shema")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output_comes_as_the_class_asked_for(practised: Orchestrator, method: str) -> None:
    prompt = "Trả lời bằng JSON với order_id và quantity: đơn 'DH1001', 3 cái"
    answer = (
        practised.chat_model("customer_service")
        .with_structured_output(Order, method=method, include_raw=True)
        .invoke(prompt)
    )
    assert answer["raw"].response_metadata["cost_nusd"] > 0
    if method != "json_mode":
        assert isinstance(answer["parsed"], Order)


async def test_it_pipes_batches_and_streams_like_any_runnable(practised: Orchestrator) -> None:
    chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | practised.chat_model(
        "cost_sensitive"
    )
    answers = await chain.abatch([{"question": f"Câu {number}"} for number in range(3)])
    assert [bool(answer.content) for answer in answers] == [True] * 3
    assert "".join([chunk.content async for chunk in chain.astream({"question": "Câu 9"})])


def test_a_fallback_is_told_in_the_message(practised: Orchestrator, practice: PracticeServer) -> None:
    practice.faults.add(Fault.parse("openrouter:status=503"))
    metadata = practised.chat_model("customer_service").invoke([HumanMessage("Xin chào")]).response_metadata
    assert metadata["provider"] == "google"
    assert "unavailable" in metadata["degraded"]
    assert metadata["degraded_kinds"] == ["fallback"]
    assert [attempt["failure"] for attempt in metadata["attempts"]] == ["unavailable"] * 3 + [None]


def test_its_profile_is_that_of_the_first_choice(practised: Orchestrator) -> None:
    profile = practised.chat_model("customer_service").profile
    assert profile["tool_calling"]
    assert profile["max_input_tokens"] == practised.config.catalog.models["gpt-6.1-sol"].context_tokens


def test_an_apology_is_told_by_its_metadata_and_never_parsed(make_orchestrator, practice) -> None:
    """A message for those who ask for it; an error for whoever wants a shape or tools."""
    orchestrator = make_orchestrator(
        {
            "local_model": {"enabled": False},
            "retry_profiles": {"interactive": {"max_recovery_wait_s": 0}},
        }
    )
    practice.faults.add(Fault.parse("*:status=503"))
    message = orchestrator.chat_model(graceful=True, language="vi").invoke("Hello")
    assert message.text.startswith("Xin lỗi")
    assert message.response_metadata["apology"] is True
    assert message.response_metadata["finish_reason"] == "unavailable"
    chat = orchestrator.chat_model(graceful=True)
    for method in ("json_schema", "function_calling", "json_mode"):
        with pytest.raises(UnavailableError):
            chat.with_structured_output(Order, method=method).invoke("Hello")
    with pytest.raises(UnavailableError):
        orchestrator.chat_model().invoke("Hello")


def test_a_broken_stream_is_rescued_and_its_chunks_add_up(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    practice.faults.add("openrouter:end_stream=6,times=1")
    whole = sum_of(practised.chat_model("customer_service").stream("Xin chào"))
    assert str(whole.text).endswith("The question was: Xin chào")
    assert "broke off after" in whole.response_metadata["degraded"]


@pytest.mark.parametrize("field", ["tenant", "user", "use_case", "run", "model", "idempotency_key"])
@pytest.mark.parametrize("text", [b"acme", bytearray(b"acme")], ids=["bytes", "bytearray"])
def test_bytes_are_no_text(practised: Orchestrator, field: str, text: object) -> None:
    """Pydantic makes text of them: a tenant of `chat_model` would be one that no other entry takes."""
    with pytest.raises(InvalidRequestError, match=f"'{field}' must be text, got bytes"):
        practised.chat_model(**{field: text})


def test_a_restart_is_refused_because_chunks_only_add_up(practised: Orchestrator) -> None:
    model = practised.chat_model("customer_service", on_break="restart")
    with pytest.raises(InvalidRequestError, match="only add up"):
        list(model.stream("Xin chào"))


def sum_of(chunks) -> AIMessageChunk:
    first, *more = chunks
    for chunk in more:
        first += chunk
    return first


def test_a_models_notes_to_itself_do_not_go_out_again(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """Thoughts and calls of other libraries' messages are no parts of the wire; the words and calls stay."""
    call = {"id": "call_1", "name": "find_order", "args": {"number": "DH1"}, "type": "tool_call"}
    thought = {"type": "thinking", "thinking": "Nguyễn Thị Bí Mật", "signature": "s"}
    history = [
        HumanMessage("Đơn DH1 đâu?"),
        AIMessage([thought, {"type": "text", "text": "Để em xem."}, call], tool_calls=[call]),
        ToolMessage("đang giao", tool_call_id="call_1"),
        AIMessage([{"type": "reasoning", "reasoning": "Nguyễn Thị Bí Mật"}]),
        HumanMessage("Cảm ơn"),
    ]
    assert practised.chat_model("customer_service").invoke(history, cache_use=CacheUse.OFF).text
    sent = practice.requests[-1].body
    assert sent is not None
    assert "Bí Mật" not in str(sent)
    assert sent["messages"][1]["content"] == "Để em xem."
    assert sent["messages"][1]["tool_calls"][0]["function"]["name"] == "find_order"
    assert sent["messages"][3]["content"] == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "fr"),
        ("max_tokens", -1),
        ("deadline_s", 0),
        ("tenant", "a*"),
        ("tags", ["key:a1"]),
        ("top_p", 7),
    ],
)
def test_what_no_request_could_have_is_refused_when_the_model_is_made(
    practised: Orchestrator, field: str, value: object
) -> None:
    with pytest.raises(InvalidRequestError, match=f"'{field}"):
        practised.chat_model("customer_service", **{field: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("max_cost_nusd", value) for value in (True, "0100", "1_000", 5.0)),
        *(("max_tokens", value) for value in (True, "64", 1000.0)),
        *((name, True) for name in ("deadline_s", "timeout", "temperature", "top_p", "seed")),
        *((name, "yes") for name in ("parallel_tool_calls", "graceful", "reasoning_effort")),
        ("user", 5),
    ],
)
def test_a_field_is_read_as_a_request_reads_it(make_orchestrator, name: str, value: Any) -> None:
    """Pydantic made numbers of texts and of True: a limit of "1_000" was one of a thousand."""
    orchestrator = make_orchestrator()
    named = "deadline_s" if name == "timeout" else name
    with pytest.raises(InvalidRequestError, match=named):
        orchestrator.explain("?", **{named: value})
    with pytest.raises(InvalidRequestError, match=named):
        orchestrator.chat_model(**{name: value})
