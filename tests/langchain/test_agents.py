"""An agent of LangChain keeps within the budget of its run: its calls, its tools', and other agents' inside."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from orchestrator import Orchestrator
from orchestrator.core.errors import BudgetExceededError, InvalidRequestError
from orchestrator.core.formatting import usd_text
from orchestrator.core.money import format_usd, nano_usd
from orchestrator.langchain.agents import RunBudgetMiddleware
from orchestrator.langchain.run_budget import run_config
from orchestrator.practice.answers import Piece, PracticeRequest, PracticeToolCall
from orchestrator.providers.in_memory import InMemoryTransport

ASKED = {"messages": [{"role": "user", "content": "Please plan the visit to our customer Lan."}]}


class Planner:
    """Calls the first tool `rounds` times, `calls` at once, then says that it is done."""

    def __init__(self) -> None:
        self.rounds, self.calls, self.more = 1, 1, ""

    async def answer(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        rounds = sum(bool(message.get("tool_calls")) for message in request.messages)
        if request.tools and rounds < self.rounds:
            for number in range(self.calls):
                arguments = f'{{"topic": "topic {number}"}}'
                yield PracticeToolCall(request.tools[0]["name"], arguments, id=f"call_{rounds}_{number}")
        else:
            yield "Done. " + self.more


@pytest.fixture
def planner() -> Planner:
    return Planner()


@pytest.fixture
def desk(make_config, clock, listed_prices, planner):
    transport = InMemoryTransport(clock=clock, prices=listed_prices, answerer=planner)
    with Orchestrator(make_config({"cache": {"enabled": False}}), clock=clock, transport=transport) as opened:
        yield opened


def chat_of(desk: Orchestrator, **fields):
    return desk.chat_model("customer_service", tenant="acme", max_tokens=50, **fields)


def spent(desk: Orchestrator, run: str) -> int:
    standing = desk.run_standing(run, tenant="acme")
    assert standing is None or standing.held == 0
    return 0 if standing is None else standing.spent


def booked(desk: Orchestrator) -> int:
    return sum(row.cost_nusd for row in desk.requests(tenant="acme"))


def test_all_that_an_agent_and_its_tools_ask_counts_for_the_run(desk) -> None:
    """A tool's chat model with a run of its own, `complete`, embeddings of both kinds, a stream, an agent."""
    inner = create_agent(
        chat_of(desk), [], middleware=[RunBudgetMiddleware(run="researcher", max_cost_usd=0.2)]
    )

    @tool
    def research(topic: str) -> str:
        """Research a topic."""
        chat_of(desk, run="other").invoke(topic)
        desk.complete(topic, tenant="acme")
        desk.embed([topic], tenant="acme")
        desk.embeddings(tenant="acme").embed_query(f"{topic}?")
        list(chat_of(desk).stream(topic))
        return inner.invoke(ASKED)["messages"][-1].text

    agent = create_agent(
        chat_of(desk), [research], middleware=[RunBudgetMiddleware(run="visit", max_cost_usd=0.5)]
    )
    result = agent.invoke(ASKED)
    assert result["messages"][-1].text.startswith("Done.")
    assert len(desk.requests(tenant="acme")) == 8
    assert spent(desk, "visit") == booked(desk) > spent(desk, "visit/researcher") > 0
    assert desk.run_standing("visit", tenant="acme").limit == nano_usd("0.5")
    assert desk.run_standing("visit/researcher", tenant="acme").limit == nano_usd("0.2")
    assert spent(desk, "other") == spent(desk, "researcher") == 0
    chat_of(desk).invoke("Xin chào")
    assert booked(desk) > spent(desk, "visit"), "after the agent nothing counts for its run"


async def test_an_asynchronous_agent_and_its_tools_count_for_the_run_too(desk) -> None:
    @tool
    async def research(topic: str) -> str:
        """Research a topic."""
        chunks = [chunk.text async for chunk in chat_of(desk).astream(topic)]
        replies = await asyncio.gather(*(desk.acomplete(topic + end, tenant="acme") for end in "ab"))
        await desk.aembed(topic, tenant="acme")
        return "".join([*chunks, *(reply.text for reply in replies)])

    @tool
    def look_up(topic: str) -> str:
        """Look a topic up."""
        return chat_of(desk).invoke(topic).text

    for tools in ([research], [look_up]):
        agent = create_agent(chat_of(desk, streaming=True), tools, middleware=[RunBudgetMiddleware()])
        pieces = [
            part async for part in agent.astream(ASKED, config=run_config("visit"), stream_mode="messages")
        ]
        assert "Done." in "".join(piece.text for piece, _ in pieces)
    assert len(desk.requests(tenant="acme")) == 6 + 3
    assert spent(desk, "visit") == booked(desk)


@pytest.mark.parametrize(
    ("question", "language", "words"),
    [
        (
            "Please plan the visit to our customer Lan.",
            None,
            "I have to stop here, before the task is done: of its budget of $0.001, ",
        ),
        (
            "Lên kế hoạch thăm chị Lan giúp tôi với nhé.",
            None,
            "Tôi phải dừng ở đây dù việc chưa xong: ngân sách cho việc này là $0.001, ",
        ),
        ("Please plan the visit to our customer Lan.", "vi", "Tôi phải dừng ở đây"),
    ],
)
def test_an_agent_whose_money_is_used_up_ends_with_words_that_say_so(
    desk, planner, question, language, words
) -> None:
    planner.rounds = 1_000

    @tool
    def research(topic: str) -> str:
        """Research a topic."""
        return "nothing"

    budget = RunBudgetMiddleware(max_cost_usd="0.001")
    agent = create_agent(chat_of(desk, language=language), [research], middleware=[budget])
    config = run_config("visit") | {"recursion_limit": 10_000}
    streamed = [
        piece
        for piece, _ in agent.stream({"messages": question}, config=config, stream_mode="messages")
        if isinstance(piece, AIMessage) and piece.text
    ]
    assert words in streamed[-1].text
    assert streamed[-1].response_metadata["finish_reason"] == "run_budget"
    facts = streamed[-1].response_metadata["run_budget"]
    assert (facts["scope"], facts["limit_usd"]) == ("run:visit", "0.001")
    assert float(facts["needed_usd"]) > float(facts["left_usd"])
    assert nano_usd(facts["spent_usd"]) == spent(desk, "visit")
    assert format_usd(spent(desk, "visit")) in streamed[-1].text
    assert 0 < spent(desk, "visit") == booked(desk) <= nano_usd("0.001")


def test_or_with_the_error_sync_and_async(desk) -> None:
    budget = RunBudgetMiddleware(run="visit", max_cost_usd="0.0000001", exit_behavior="error")
    agent = create_agent(chat_of(desk), [], middleware=[budget])
    for ask in (agent.invoke, lambda asked: asyncio.run(agent.ainvoke(asked))):
        with pytest.raises(BudgetExceededError) as caught:
            ask(ASKED)
        assert (caught.value.scope, caught.value.window) == ("run:visit", "run")


def test_the_money_of_another_scope_is_always_an_error(make_config, clock, listed_prices) -> None:
    limits = {"budgets": {"limits": [{"scope": "tenant:acme", "day": 0.0000001}]}}
    transport = InMemoryTransport(clock=clock, prices=listed_prices)
    with Orchestrator(make_config(limits), clock=clock, transport=transport) as desk:
        agent = create_agent(chat_of(desk), [], middleware=[RunBudgetMiddleware(run="visit", max_cost_usd=1)])
        with pytest.raises(BudgetExceededError) as caught:
            agent.invoke(ASKED)
    assert caught.value.scope == "tenant:acme"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_parallel_branches_never_pass_their_shares_nor_the_whole(desk, planner, asynchronous) -> None:
    """Eight agents at once in one share, which is enough for two: the others are told so, and the first goes on."""
    planner.calls, planner.more = 8, "All is planned. " * 12
    place = "openrouter/gpt-6.1-sol"
    [candidate] = desk.explain(ASKED["messages"], model=place, max_tokens=50).candidates
    share, whole = usd_text(2 * candidate.bound_nusd), usd_text(4 * candidate.bound_nusd)
    inner = create_agent(
        chat_of(desk, model=place), [], middleware=[RunBudgetMiddleware(run="researcher", max_cost_usd=share)]
    )
    highest = []

    def looked(result):
        standing = desk.run_standing("visit", tenant="acme")
        highest.append(standing.spent + standing.held)
        return result["messages"][-1].text

    @tool
    def research(topic: str) -> str:
        """Research a topic."""
        return looked(inner.invoke(ASKED))

    @tool("research")
    async def research_async(topic: str) -> str:
        """Research a topic."""
        return looked(await inner.ainvoke(ASKED))

    agent = create_agent(
        chat_of(desk),
        [research_async if asynchronous else research],
        middleware=[RunBudgetMiddleware(run="visit", max_cost_usd=whole)],
    )
    result = asyncio.run(agent.ainvoke(ASKED)) if asynchronous else agent.invoke(ASKED)
    answers = [message for message in result["messages"] if isinstance(message, ToolMessage)]
    assert len(answers) == 8
    assert any("I have to stop here" in answer.text for answer in answers)
    assert max(highest) <= nano_usd(whole)
    assert spent(desk, "visit") == booked(desk) <= nano_usd(whole)
    assert 0 < spent(desk, "visit/researcher") <= nano_usd(share)


def test_a_tool_that_meets_the_limit_of_its_share_stops_and_the_agent_goes_on(desk) -> None:
    inner = create_agent(
        chat_of(desk),
        [],
        middleware=[RunBudgetMiddleware(run="web", max_cost_usd="0.0000001", exit_behavior="error")],
    )

    @tool
    def research(topic: str) -> str:
        """Research a topic."""
        return inner.invoke(ASKED)["messages"][-1].text

    agent = create_agent(chat_of(desk), [research], middleware=[RunBudgetMiddleware(run="visit")])
    messages = agent.invoke(ASKED)["messages"]
    assert messages[-1].text.startswith("Done.")
    assert messages[-2].status == "error"
    assert messages[-2].text.startswith("Stopped: of the budget of")
    assert "run:visit/web" in messages[-2].text


def test_the_whole_has_its_limit_also_where_a_part_of_it_spends_first(desk) -> None:
    """By the config, by a config within another, and by a part that the tool names itself."""
    agent = create_agent(chat_of(desk), [], middleware=[RunBudgetMiddleware(run="writer", max_cost_usd=0.2)])
    agent.invoke(ASKED, config=run_config("a", max_cost_usd=0.5))

    @tool
    def research(topic: str) -> str:
        """Research a topic."""
        chat_of(desk).invoke(topic, config=run_config("b/web", max_cost_usd=0.1))
        desk.complete(topic, tenant="acme", run="b/mail", max_cost_usd=0.1)
        return "nothing"

    with_tool = create_agent(chat_of(desk), [research], middleware=[RunBudgetMiddleware()])
    with_tool.invoke(ASKED, config=run_config("b", max_cost_usd="0.6"))
    limits = {
        name: desk.run_standing(name, tenant="acme").limit
        for name in ("a", "a/writer", "b", "b/web", "b/mail")
    }
    assert limits == {
        "a": nano_usd("0.5"),
        "a/writer": nano_usd("0.2"),
        "b": nano_usd("0.6"),
        "b/web": nano_usd("0.1"),
        "b/mail": nano_usd("0.1"),
    }


def test_one_agent_serves_many_runs_at_once_by_thread_or_config(desk) -> None:
    budget = RunBudgetMiddleware(max_cost_usd=0.5)
    agent = create_agent(chat_of(desk), [], middleware=[budget], checkpointer=InMemorySaver())
    threads = [{"configurable": {"thread_id": f"thread-{number}"}} for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda config: agent.invoke(ASKED, config=config), threads * 2))
    costs = [spent(desk, f"thread-{number}") for number in range(4)]
    assert min(costs) > 0
    assert sum(costs) == booked(desk)
    agent.invoke(ASKED, config=threads[0] | run_config("task"))
    assert spent(desk, "task") > 0, "what the config names comes before the thread"


def test_who_names_no_run_is_told_the_three_ways(desk) -> None:
    agent = create_agent(chat_of(desk), [], middleware=[RunBudgetMiddleware(max_cost_usd=1)])
    with pytest.raises(InvalidRequestError, match=r"run='\.\.\.'.*run_config.*thread_id"):
        agent.invoke(ASKED)
    assert not desk.requests(tenant="acme")


def test_a_model_that_no_budget_holds_is_refused() -> None:
    model = FakeListChatModel(responses=["Hello"])
    agent = create_agent(model, [], middleware=[RunBudgetMiddleware(run="r", max_cost_usd=1)])
    with pytest.raises(InvalidRequestError, match="the agent's model is a FakeListChatModel"):
        agent.invoke(ASKED)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"run": ""}, "'run' must be a name"),
        ({"run": "a//b"}, "part without a name"),
        ({"max_cost_usd": 0}, "dollars greater than 0"),
        ({"run": "r", "max_cost_usd": "much"}, "dollars greater than 0"),
        ({"exit_behavior": "continue"}, "'exit_behavior' must be 'end' or 'error'"),
    ],
)
def test_what_cannot_be_held_is_refused_where_the_middleware_is_made(fields, words) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        RunBudgetMiddleware(**fields)
