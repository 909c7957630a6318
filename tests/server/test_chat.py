"""Chat completions with the stock clients of others, against practice providers."""

import socket
import time

import litellm
import openai
import pytest
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from orchestrator.practice import Fault

QUESTION = [{"role": "user", "content": "Đơn DH1001 của tôi ở đâu?"}]
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Find an order.",
        "parameters": {
            "type": "object",
            "properties": {"number": {"type": "string"}},
            "required": ["number"],
        },
    },
}


class Order(BaseModel):
    number: str
    is_late: bool


def stock(running, key="unused", **options) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{running.address}/v1", api_key=key, max_retries=0, **options)


@pytest.fixture
def opened(running):
    """A server with a key."""
    return running, running.make_key()


def test_the_stock_client_gets_a_whole_answer_with_the_replys_facts(opened, practice):
    running, key = opened
    raw = stock(running, key).chat.completions.with_raw_response.create(
        model="customer_service", messages=QUESTION, max_tokens=200
    )
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer.id == f"chatcmpl-{raw.headers['x-nextflow-request-id']}"
    assert answer.model == raw.headers["x-nextflow-model"]
    assert raw.headers["x-nextflow-cache"] == "miss"
    practice.wait_idle()
    assert answer.model_extra["nextflow"]["cost_nusd"] == practice.bill.total_nusd() > 0


def test_the_stock_client_reads_a_stream_to_its_end_with_usage_and_facts(opened):
    running, key = opened
    chunks = list(
        stock(running, key).chat.completions.create(
            model="customer_service", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
    )
    assert len({chunk.id for chunk in chunks}) == 1
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    *_, last, usage = chunks
    assert last.choices[0].finish_reason == "stop"
    assert last.model_extra["nextflow"]["request_id"] in last.id
    assert usage.choices == []
    assert usage.usage.total_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_the_stock_client_gets_tool_calls(opened, streamed):
    running, key = opened
    client = stock(running, key)
    asked = {"model": "customer_service", "messages": QUESTION, "tools": [TOOL], "tool_choice": "required"}
    if streamed:
        with client.chat.completions.stream(**asked) as stream:
            message = stream.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(**asked).choices[0].message
    (call,) = message.tool_calls
    assert call.function.name == "find_order"
    back = [
        *QUESTION,
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "sent"},
    ]
    assert client.chat.completions.create(model="customer_service", messages=back, tools=[TOOL]).choices[0]


def test_the_stock_client_parses_structured_output(opened):
    running, key = opened
    answer = stock(running, key).chat.completions.parse(
        model="data_analysis", messages=QUESTION, response_format=Order
    )
    assert isinstance(answer.choices[0].message.parsed, Order)


def test_a_picture_reaches_a_model(opened):
    running, key = opened
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    answer = stock(running, key).chat.completions.create(
        model="customer_service", messages=[{"role": "user", "content": parts}]
    )
    assert answer.choices[0].message.content


def test_model_names_a_use_case_a_model_or_a_deployment(opened):
    running, key = opened
    client = stock(running, key)
    listed = {entry.id: entry.model_extra["kind"] for entry in client.models.list()}
    assert listed["customer_service"] == "use_case"
    for name in ("gpt-6-luna", "openai/gpt-6-luna"):
        assert name in listed
        assert client.models.retrieve(name).id == name
        answer = client.chat.completions.create(model=name, messages=QUESTION)
        assert answer.model == "gpt-6-luna"
    assert answer.model_extra["nextflow"]["deployment"] == "openai/gpt-6-luna"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-6-lunar", messages=QUESTION)
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-6-lunar")


def test_langchains_model_answers_streams_calls_tools_and_structures(opened):
    running, key = opened

    @tool
    def find_order(number: str) -> str:
        """Find an order."""
        return number

    model = ChatOpenAI(base_url=f"{running.address}/v1", api_key=key, model="customer_service", max_retries=0)
    assert model.invoke("Where is DH1001?").usage_metadata["total_tokens"] > 0
    assert "".join(chunk.text for chunk in model.stream("Where is DH1001?"))
    assert model.bind_tools([find_order], tool_choice="any").invoke("DH1001?").tool_calls
    assert isinstance(model.with_structured_output(Order).invoke("DH1001?"), Order)


@pytest.mark.parametrize("streamed", [False, True])
def test_litellm_answers(opened, streamed):
    running, key = opened
    answer = litellm.completion(
        model="openai/customer_service", api_base=f"{running.address}/v1", api_key=key, messages=QUESTION,
        stream=streamed, num_retries=0,
    )  # fmt: skip
    if streamed:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in answer)
    else:
        text = answer.choices[0].message.content
    assert text


def test_an_idempotency_key_gets_the_same_answer_once_more_for_nothing(opened, practice):
    running, key = opened
    asked = {
        "model": "customer_service",
        "messages": QUESTION,
        "extra_headers": {"Idempotency-Key": "order-1"},
    }
    client = stock(running, key)
    first, again = (client.chat.completions.create(**asked) for _ in range(2))
    assert again.id == first.id
    assert again.model_extra["nextflow"]["cache"] == "replayed"
    practice.wait_idle()
    assert len(practice.bill.charges) == 1
    with pytest.raises(openai.UnprocessableEntityError) as conflict:
        client.chat.completions.create(**{**asked, "max_tokens": 7})
    assert conflict.value.code == "idempotency_key_reused"


def test_a_stream_that_fails_before_its_first_piece_has_a_status(serve, practice):
    running = serve({"providers": {"local": {"enabled": False}}, "cache": {"enabled": False}})
    practice.faults.add(Fault.parse("*:status=401"))
    with pytest.raises(openai.InternalServerError) as failed:
        stock(running).chat.completions.create(model="content_generation", messages=QUESTION, stream=True)
    assert failed.value.status_code == 503
    assert failed.value.code == "no_provider_answered"
    assert failed.value.response.headers["x-should-retry"] == "false"


def test_a_stream_that_fails_later_ends_in_an_error_and_not_in_done(serve, practice):
    running = serve({"cache": {"enabled": False}, "local_model": {"enabled": False}})
    practice.faults.add(Fault.parse("openrouter:cut_stream=2"))
    with running.client() as client:
        body = {"model": "openrouter/gpt-6-luna", "messages": QUESTION, "stream": True}
        text = client.post("/v1/chat/completions", json=body).text
    assert '"error"' in text.split("\n\n")[-2]
    assert "[DONE]" not in text
    with pytest.raises(openai.APIError):
        list(
            stock(running).chat.completions.create(
                model="openrouter/gpt-6-luna", messages=QUESTION, stream=True
            )
        )


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("shape", ["host_failed", "bare_code"])
def test_the_stock_client_takes_no_half_of_an_odd_answer_for_one(serve, practice, shape, streamed):
    running = serve({"local_model": {"enabled": False}})
    practice.faults.add(Fault.parse(f"*:odd_answer={shape}"))
    with pytest.raises(openai.APIError) as failed:
        list(
            stock(running).chat.completions.create(
                model="customer_service",
                messages=QUESTION,
                stream=streamed,
                extra_headers={"x-nextflow-deadline-s": "2"},
            )
        )
    assert failed.value.code in {"stream_interrupted", "no_provider_answered", "deadline_exceeded"}


def test_a_budget_that_is_used_up_is_402_and_tells_nothing_of_others(serve):
    running = serve({"budgets": {"limits": [{"scope": "all", "day": 0.000001}]}})
    with pytest.raises(openai.APIStatusError) as refused:
        stock(running).chat.completions.create(model="cost_sensitive", messages=QUESTION)
    assert refused.value.status_code == 402
    assert refused.value.code == "budget_exceeded"
    assert int(refused.value.response.headers["retry-after"]) > 0
    assert "$" not in refused.value.message


def test_a_run_has_a_budget_over_http_too_and_its_amounts_are_told(serve):
    running = serve()
    headers = {"x-nextflow-run": "thread-42", "x-nextflow-run-max-cost-usd": "0.0000001"}
    with pytest.raises(openai.APIStatusError) as refused:
        stock(running).chat.completions.create(
            model="cost_sensitive", messages=QUESTION, extra_headers=headers
        )
    assert (refused.value.status_code, refused.value.code) == (402, "budget_exceeded")
    assert "the run budget of run:thread-42 allows" in refused.value.message
    assert "keeps the x-nextflow-run-max-cost-usd that was named" in refused.value.message
    assert "retry-after" not in refused.value.response.headers


@pytest.mark.parametrize(
    ("changes", "headers", "words"),
    [
        ({}, {"x-nextflow-max-cost-usd": "0.0000001"}, "or raise x-nextflow-max-cost-usd."),
        (
            {"budgets": {"limits": [{"scope": "tenant:*", "day": 0.000001}]}},
            {},
            "or ask who operates this server",
        ),
    ],
)
def test_a_refusal_names_what_its_caller_can_do(serve, changes, headers, words):
    with pytest.raises(openai.APIStatusError) as refused:
        stock(serve(changes)).chat.completions.create(
            model="cost_sensitive", messages=QUESTION, extra_headers=headers
        )
    assert words in refused.value.message
    assert "max_cost_nusd" not in refused.value.message
    assert "config.yaml" not in refused.value.message


def test_a_refusal_names_window_and_scope_and_an_hour_resets_within_one(serve):
    running = serve({"budgets": {"limits": [{"scope": "model:*", "hour": 0.000001}]}})
    with pytest.raises(openai.APIStatusError) as refused:
        stock(running).chat.completions.create(model="cost_sensitive", messages=QUESTION)
    assert "the hour budget of model:" in refused.value.message
    assert "shares with others" in refused.value.message
    assert 0 < int(refused.value.response.headers["retry-after"]) <= 3600


def test_a_deadline_that_passes_is_504_and_is_not_asked_again(serve, practice):
    running = serve({"local_model": {"enabled": False}})
    practice.faults.add(Fault.parse("*:silence"))
    with pytest.raises(openai.InternalServerError) as late:
        stock(running).chat.completions.create(
            model="customer_service", messages=QUESTION, extra_headers={"x-nextflow-deadline-s": "0.3"}
        )
    assert (late.value.status_code, late.value.code) == (504, "deadline_exceeded")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_leaves_cancels_its_request_which_is_booked(serve, practice, streamed):
    running = serve()
    practice.faults.add(Fault.parse("*:silence"))
    with pytest.raises(openai.APITimeoutError):
        stock(running, timeout=0.5).chat.completions.create(
            model="customer_service", messages=QUESTION, stream=streamed
        )
    running.wait_idle()
    deadline = time.monotonic() + 300
    while any(status.held for status in running.orchestrator.standings()):
        assert time.monotonic() < deadline


def test_a_caller_that_hangs_up_in_the_middle_of_a_stream_ends_it(serve, practice):
    running = serve({"cache": {"enabled": False}})
    practice.faults.add(Fault.parse("*:stall_stream=2"))
    body = b'{"model":"customer_service","stream":true,"messages":[{"role":"user","content":"Hello?"}]}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        assert b"200 OK" in connection.recv(65536)
    running.wait_idle()
