"""A config carries the budget of a run to every call inside of it."""

import asyncio

import pytest
from langchain_core.runnables import RunnableLambda, RunnableParallel

from orchestrator import Orchestrator
from orchestrator.core.errors import BudgetExceededError, InvalidRequestError
from orchestrator.core.money import nano_usd
from orchestrator.langchain.run_budget import AROUND_KEY, RUN_KEY, run_around, run_config


def spent_on(orchestrator: Orchestrator, run: str) -> int:
    standing = orchestrator.run_standing(run, tenant="acme")
    return 0 if standing is None else standing.spent


def test_every_call_inside_counts_for_the_run_of_the_config(practised: Orchestrator):
    """Tools that ask a model, parallel branches and streams: none of them is told of the run."""
    chat = practised.chat_model("customer_service", tenant="acme", cache_use="off")
    tool = RunnableLambda(lambda question: chat.invoke(question).content)
    agent = RunnableParallel(tool=tool, answer=chat) | RunnableLambda(lambda _: list(chat.stream("Xin chào")))
    config = run_config("thread-42", max_cost_usd=0.5)
    agent.invoke("Đơn hàng DH1 ở đâu?", config=config)
    asyncio.run(chat.ainvoke("Xin chào", config=run_config("thread-42/researcher")))
    chat.invoke("Xin chào")
    costs = [row.cost_nusd for row in practised.requests(tenant="acme")]
    assert len(costs) == 5
    standing = practised.run_standing("thread-42", tenant="acme")
    assert (standing.limit, standing.spent, standing.held) == (nano_usd("0.5"), sum(costs) - costs[0], 0)
    assert spent_on(practised, "thread-42/researcher") == costs[1]


def test_a_run_that_is_used_up_refuses_and_says_so(practised: Orchestrator):
    chat = practised.chat_model("customer_service", tenant="acme")
    with pytest.raises(BudgetExceededError, match="the run budget of run:small allows .* begin another run"):
        chat.invoke("Xin chào", config=run_config("small", max_cost_usd="0.0000001"))
    assert practised.run_standing("small", tenant="acme") is None


def test_the_run_of_a_call_comes_before_that_of_its_config_and_that_before_the_models(
    practised: Orchestrator,
):
    chat = practised.chat_model("customer_service", tenant="acme", run="model", max_cost_usd=0.000000001)
    chat.invoke("Một", config=run_config("config"))
    chat.invoke("Hai", config=run_config("config", max_cost_usd=0.000000001), run="call")
    assert [spent_on(practised, name) > 0 for name in ("model", "config", "call")] == [False, True, True]


@pytest.mark.parametrize(("run", "limit"), [("", 1), ("a/", 1), ("r", 0), ("r", "much")])
def test_what_is_no_run_is_refused_where_the_config_is_made(run, limit):
    with pytest.raises(InvalidRequestError):
        run_config(run, max_cost_usd=limit)


@pytest.mark.parametrize(
    "limits", [5, None, "ab", [["x"]], [["x", "a"]], [["x", -5]], [["x", None]], {"a": 1}]
)
def test_limits_in_metadata_that_run_config_never_writes_are_refused(limits):
    with pytest.raises(InvalidRequestError, match=AROUND_KEY):
        run_around({"metadata": {RUN_KEY: "thread-42/a", AROUND_KEY: limits}})
