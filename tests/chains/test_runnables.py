"""Chains are runnables like any other: sync and async, in batches, as streams, in pipes, traced."""

import asyncio
import time
from contextlib import aclosing, closing

import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.runnables import RunnableLambda, RunnableParallel

from chains import (
    CHAINS,
    BulkItem,
    ChainResult,
    CustomerAnswer,
    CustomerQuestion,
    cost_sensitive,
    customer_service,
    customer_service_text,
)
from orchestrator import CacheUse, InvalidOutputError, StreamInterruptedError, UnavailableError
from tests.chains.samples import ANSWER, GOOD, ITEM, LABEL, QUESTION, written

TEXTS = ("Giao chậm", "Rất hài lòng", "Giá bao nhiêu?")


@pytest.mark.parametrize("name", CHAINS)
async def test_every_chain_answers_asynchronously(orchestrator, script, name):
    question, answer = GOOD[name]
    script.add(written(answer))
    value = await CHAINS[name](orchestrator).ainvoke(question)
    assert value.model_dump(mode="json") == answer


async def test_repair_and_next_model_work_asynchronously(orchestrator, server, script):
    script.add("no", "no", written(ANSWER))
    result = await customer_service(orchestrator).with_details().ainvoke(QUESTION)
    assert [attempt.stage for attempt in result.tries] == ["first", "repair", "next_model"]
    script.add("no", "no", "no")
    with pytest.raises(InvalidOutputError):
        await customer_service(orchestrator, cache=CacheUse.REFRESH).ainvoke(QUESTION)


async def test_a_synchronous_call_works_inside_a_running_loop_as_in_a_notebook(orchestrator, script):
    script.add("no", "no", written(ANSWER))
    assert customer_service(orchestrator).invoke(QUESTION).intent == "order_status"


def test_a_batch_keeps_its_order(orchestrator, server):
    items = [BulkItem(text=f"{text} {text}", labels=(text, "khác")) for text in TEXTS]
    labels = cost_sensitive(orchestrator).batch(items, {"max_concurrency": 3})
    assert [label.label for label in labels] == list(TEXTS)
    assert len(server.requests) == 3


async def test_an_asynchronous_batch_keeps_its_order(orchestrator, server):
    items = [BulkItem(text=f"{text} {text}", labels=(text, "khác")) for text in TEXTS]
    labels = await cost_sensitive(orchestrator).abatch(items)
    assert [label.label for label in labels] == list(TEXTS)


def test_one_bad_item_does_not_spoil_a_batch(orchestrator, script):
    chain = cost_sensitive(orchestrator)
    script.add(*("no",) * 3)
    outcomes = chain.batch(
        [ITEM, ITEM.model_copy(update={"text": "khen"})], {"max_concurrency": 1}, return_exceptions=True
    )
    assert isinstance(outcomes[0], InvalidOutputError)
    assert outcomes[1].label == "khen"


def test_the_same_text_twice_in_a_batch_is_paid_for_once(orchestrator, server):
    cost_sensitive(orchestrator).batch([ITEM] * 8)
    assert len(server.requests) == 1


def test_chains_pipe_into_each_other_and_take_mappings(orchestrator, script):
    script.add(written(LABEL), written(ANSWER))
    chain = (
        cost_sensitive(orchestrator)
        | RunnableLambda(lambda label: {"question": f"Đơn DH1001: {label.label}"})
        | customer_service(orchestrator)
        | RunnableLambda(lambda answer: answer.answer)
    )
    assert chain.invoke({"text": "Giao chậm quá!", "labels": ["khen", "khiếu nại"]}) == ANSWER["answer"]


async def test_chains_run_side_by_side(orchestrator):
    both = RunnableParallel(
        vi=customer_service(orchestrator), en=customer_service(orchestrator, language="en")
    )
    results = await both.ainvoke(QUESTION)
    assert isinstance(results["vi"], CustomerAnswer)
    assert isinstance(results["en"], CustomerAnswer)


def test_a_structured_chain_streams_its_one_answer(orchestrator, script):
    script.add(written(ANSWER))
    assert [answer.intent for answer in customer_service(orchestrator).stream(QUESTION)] == ["order_status"]


def test_a_text_chain_streams_piece_by_piece(orchestrator, server, script):
    script.add("Dạ, đơn DH1001 đang giao ạ.")
    pieces = list(customer_service_text(orchestrator).stream(QUESTION))
    assert "".join(pieces) == "Dạ, đơn DH1001 đang giao ạ."
    assert len(pieces) > 3
    assert server.requests[-1].body["stream"] is True


async def test_a_text_chain_streams_asynchronously_through_a_pipe(orchestrator, script):
    script.add("one two three four")
    shout = customer_service_text(orchestrator, language="en") | RunnableLambda(_shouted)
    assert "".join([piece async for piece in shout.astream(QUESTION)]) == "ONE TWO THREE FOUR"


async def _shouted(text: str) -> str:
    return text.upper()


def test_a_text_chain_answers_in_one_piece_too(orchestrator, script):
    script.add("one two")
    assert customer_service_text(orchestrator).invoke(QUESTION) == "one two"


async def test_a_text_chain_answers_in_one_piece_asynchronously_too(orchestrator, script):
    script.add("one two")
    assert await customer_service_text(orchestrator).ainvoke(QUESTION) == "one two"


def _spent_at_the_end(orchestrator):
    """Return what everybody has spent when nothing is held: who leaves a stream does not wait for its booking."""
    while any(standing.held for standing in orchestrator.standings()):
        time.sleep(0.01)
    return [standing.spent for standing in orchestrator.standings() if standing.scope == "all"]


def test_a_stream_that_nobody_reads_on_ends_and_is_booked(orchestrator, server, script):
    script.add("word " * 5000)
    server.faults.add("openrouter:drip=2000")
    with closing(customer_service_text(orchestrator).stream(QUESTION)) as stream:
        assert next(stream)
    server.wait_idle()
    assert min(_spent_at_the_end(orchestrator)) > 0


async def test_an_asynchronous_stream_that_nobody_reads_on_ends_and_is_booked(orchestrator, server, script):
    script.add("word " * 5000)
    server.faults.add("openrouter:drip=2000")
    async with aclosing(customer_service_text(orchestrator).astream(QUESTION)) as stream:
        assert await anext(stream)
    await asyncio.to_thread(server.wait_idle)
    assert min(await asyncio.to_thread(_spent_at_the_end, orchestrator)) > 0


def test_a_stream_that_breaks_off_is_an_error_and_not_a_short_answer(unhurried, server, script):
    script.add("word " * 50)
    server.faults.add("*:cut_stream=3")
    with pytest.raises(StreamInterruptedError):
        list(customer_service_text(unhurried, model="gpt-6.1-sol").stream(QUESTION))


def test_what_a_call_costs_reaches_langchains_own_counters(orchestrator, script):
    script.add("no", written(ANSWER))
    counted = UsageMetadataCallbackHandler()
    result = customer_service(orchestrator).with_details().invoke(QUESTION, {"callbacks": [counted]})
    assert result.stage == "repair"
    assert counted.usage_metadata["gpt-6.1-sol"]["output_tokens"] > 0


async def test_the_models_calls_are_children_of_the_chain_in_a_trace(orchestrator, script):
    script.add("no", written(ANSWER))
    events = [event async for event in customer_service(orchestrator).astream_events(QUESTION)]
    ends = [event for event in events if event["event"] in {"on_chat_model_end", "on_chain_end"}]
    assert [event["event"] for event in ends] == ["on_chat_model_end", "on_chat_model_end", "on_chain_end"]
    assert ends[-1]["name"] == "customer_service"
    assert ends[0]["parent_ids"] == [ends[-1]["run_id"]]


def test_a_chain_knows_its_types(orchestrator):
    chain = customer_service(orchestrator)
    assert chain.InputType is CustomerQuestion
    assert chain.OutputType is CustomerAnswer
    assert "question" in chain.get_input_jsonschema()["properties"]
    assert "urgency" in chain.get_output_jsonschema()["properties"]
    assert customer_service_text(orchestrator).OutputType is str


def test_a_chain_becomes_a_tool_of_an_agent(orchestrator, script):
    script.add(written(ANSWER))
    tool = customer_service(orchestrator).as_tool(name="ask_support", description="Answer a customer")
    assert "question" in tool.args
    assert tool.invoke({"question": "Đơn DH1001 đâu?"}).intent == "order_status"


def test_details_are_the_same_chain_with_the_way_told(orchestrator, script):
    script.add(written(LABEL))
    result = cost_sensitive(orchestrator).with_details().invoke(ITEM)
    assert isinstance(result, ChainResult)
    assert result.model == "gpt-6-luna"
    assert result.degraded is None


async def test_a_customer_reads_an_apology_in_the_chains_language_when_nobody_answers(unhurried, server):
    """A chat window shows what it gets; who must know that it is none asks for the error."""
    server.faults.add("*:status=503")
    chain = customer_service_text(unhurried, language="en")
    assert chain.invoke(QUESTION).startswith("Sorry, we cannot answer just now")
    assert "".join(chain.stream(QUESTION)).startswith("Sorry")
    assert (await chain.ainvoke(QUESTION, language="vi")).startswith("Xin lỗi")
    with pytest.raises(UnavailableError):
        customer_service_text(unhurried, graceful=False).invoke(QUESTION)


def test_no_structured_answer_is_ever_made_of_an_apology(unhurried, server):
    server.faults.add("*:status=503")
    for chain in (customer_service(unhurried), customer_service(unhurried, graceful=True)):
        with pytest.raises(UnavailableError):
            chain.invoke(QUESTION)
