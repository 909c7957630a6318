"""A batch takes the room there is: its rows wait for it, and none is refused for being many."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from orchestrator import BudgetExceededError, Orchestrator
from orchestrator.chains import make_chain
from orchestrator.core.errors import DeadlineExceededError, InvalidOutputError, InvalidRequestError
from orchestrator.langchain.batches import PatientRunnable
from orchestrator.practice import FaultQueue, PracticeRequest, Scripted
from orchestrator.providers.in_memory import InMemoryTransport
from tests.support.traffic import Traffic, traffic, whole
from tests.support.virtual_time import run_virtually

ROWS = 1_000


@pytest.fixture
def make_quick(make_config, clock) -> Callable[..., Orchestrator]:
    """Make orchestrators whose models answer in this process, on a clock of the test's own."""
    opened = []

    def make(changes=None, *, answerer=None, faults=(), latency_s=0.0) -> Orchestrator:
        transport = InMemoryTransport(
            clock=clock, answerer=answerer, faults=FaultQueue(faults), latency_s=latency_s
        )
        opened.append(Orchestrator(make_config(changes), clock=clock, transport=transport))
        return opened[-1]

    yield make
    for orchestrator in opened:
        orchestrator.close()


class Busy(Scripted):
    """Answers each row with its own text, a few turns of the loop later, and counts how many wait at once."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0

    async def answer(self, request: PracticeRequest) -> AsyncIterator[Any]:
        self._now += 1
        self.peak = max(self.peak, self._now)
        for _ in range(5):
            await asyncio.sleep(0)
        self._now -= 1
        yield str(request.messages[-1]["content"])


NARROW = {"overload": {"in_flight": 4, "queue_per_tenant": 5}}


def rows_of(count: int) -> list[str]:
    return [f"row {number}" for number in range(count)]


async def test_a_thousand_rows_are_answered_in_their_order(make_quick):
    """With the limits that are shipped: 200 at once and 500 of a tenant that wait."""
    busy = Busy()
    chat = make_quick(answerer=busy).chat_model("cost_sensitive")
    answers = await chat.abatch(rows_of(ROWS))
    assert [answer.text for answer in answers] == rows_of(ROWS)
    assert 1 < busy.peak <= 160


@pytest.mark.parametrize("kind", ["chat", "structured", "with raw", "chain"])
def test_every_kind_of_batch_takes_no_more_than_the_room_there_is(make_quick, kind):
    """Sync and async; of a structured model and of a chain too."""
    busy = Busy()
    orchestrator = make_quick(NARROW, answerer=busy)
    chat = orchestrator.chat_model("cost_sensitive")
    chain = {
        "chat": chat,
        "structured": chat.with_structured_output({"title": "t", "type": "object"}, method="json_mode"),
        "with raw": chat.with_structured_output(
            {"title": "t", "type": "object"}, method="json_mode", include_raw=True
        ),
        "chain": make_chain("cost_sensitive", Row, Row, prompts="Repeat the text.")(orchestrator),
    }[kind]
    rows: list[Any] = [f'{{"text": "row {number}"}}' for number in range(24)]
    if kind == "chain":
        rows = [Row(text=f"row {number}") for number in range(24)]
    for outputs in (chain.batch(rows), asyncio.run(chain.abatch(rows))):
        texts = [output.text if hasattr(output, "text") else str(output) for output in outputs]
        assert all(f"row {place}" in text for place, text in enumerate(texts))
    assert 1 < busy.peak <= 3


async def test_a_row_that_finds_the_process_full_waits_for_room(make_quick, clock):
    orchestrator = make_quick({"overload": {"in_flight": 1, "queue_per_tenant": 0}}, answerer=Busy())
    chat = orchestrator.chat_model("cost_sensitive")
    batches = [[f"{name} {number}" for number in range(6)] for name in ("a", "b")]
    answers = await asyncio.gather(*map(chat.abatch, batches))
    assert [[answer.text for answer in batch] for batch in answers] == batches
    assert clock.slept_s


async def test_a_limit_per_minute_is_waited_for_and_no_row_fails(make_quick, clock):
    """A hundred rows at twenty a minute, and a deadline of thirty seconds each."""
    limited = {name: {"requests_per_min": 20} for name in ("openrouter", "google", "openai")}
    chat = make_quick({"providers": limited}, answerer=Busy()).chat_model("cost_sensitive")
    began = clock.now()
    answers = await chat.abatch(rows_of(100))
    assert [answer.text for answer in answers] == rows_of(100)
    assert (clock.now() - began).total_seconds() > 60


async def test_a_limit_of_the_provider_is_waited_for(make_quick, clock):
    """It asks for forty seconds, and the deadline is in thirty."""
    faults = ["openai:status=429,retry_after_s=40,times=1"]
    chat = make_quick(answerer=Busy(), faults=faults).chat_model(model="openai/gpt-6-luna", deadline_s=30)
    answers = await chat.abatch(["row 0"])
    assert [answer.text for answer in answers] == ["row 0"]
    assert sum(clock.slept_s) > 30


class Row(BaseModel):
    text: str


async def test_a_budget_that_is_used_up_stops_the_batch_and_keeps_what_has_ended(make_quick):
    """Rows wait for money that others hold; when none is held any more, the rest is not asked."""
    fields: dict[str, Any] = {"model": "openai/gpt-6-luna", "max_tokens": 60}
    first = make_quick(answerer=Busy())
    bound_nusd = first.estimate("row 100", **fields).bound_nusd
    cost_nusd = first.complete("row 100", tenant="probe", **fields).cost_nusd
    limit_usd = (bound_nusd + 11.5 * cost_nusd) / 1e9
    busy = Busy()
    budget = {
        "budgets": {"limits": [{"scope": "tenant:acme", "day": limit_usd}]},
        # What waits is the batch: on a clock of the test's own a wait of each request would take all its time.
        "use_cases": {"customer_service": {"on_limit": {"choose": "cheaper", "wait_s": 0}}},
    }
    orchestrator = make_quick(budget, answerer=busy)
    chat = orchestrator.chat_model(tenant="acme", **fields)
    rows = [f"row {number}" for number in range(100, 180)]
    outcomes = await chat.abatch(rows, return_exceptions=True)
    kept = [place for place, outcome in enumerate(outcomes) if isinstance(outcome, AIMessage)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, BudgetExceededError)]
    assert (len(kept), len(refused)) == (12, 68)
    assert all(outcomes[place].text == rows[place] for place in kept)
    assert len({id(error) for error in refused}) == 1, "the rest was not even asked"
    standing = next(each for each in orchestrator.standings() if each.scope == "tenant:acme" and each.limit)
    assert 12 * cost_nusd == standing.spent <= standing.limit
    assert standing.held == 0
    for again in (chat.abatch(rows[::-1]), asyncio.to_thread(chat.batch, rows[::-1])):
        with pytest.raises(BudgetExceededError):
            await again


def test_a_limit_of_a_single_request_is_that_rows_own(make_quick):
    chat = make_quick(answerer=Busy()).chat_model("cost_sensitive", max_cost_nusd=20_000_000)
    outcomes = chat.batch(["short", "long " * 60_000, "short again"], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [AIMessage, BudgetExceededError, AIMessage]


async def test_the_first_error_is_raised_where_none_is_asked_for(make_quick):
    chat = make_quick(answerer=Busy()).chat_model("cost_sensitive")
    rows = ["good", [], "good too"]
    with pytest.raises(InvalidRequestError):
        await chat.abatch(rows)
    outcomes = await chat.abatch(rows, return_exceptions=True)
    assert [outcome.text for outcome in outcomes[::2]] == ["good", "good too"]
    assert isinstance(outcomes[1], InvalidRequestError)


def test_fewer_at_once_where_the_caller_says_so(make_quick):
    busy = Busy()
    chat = make_quick(answerer=busy).chat_model("cost_sensitive")
    assert len(chat.batch(rows_of(6), {"max_concurrency": 1})) == 6
    assert busy.peak == 1
    assert chat.batch([]) == []


async def test_results_come_as_they_end_and_a_batch_may_be_left(make_quick):
    orchestrator = make_quick(NARROW, answerer=Busy())
    chat = orchestrator.chat_model("cost_sensitive")
    seen = {place: message.text async for place, message in chat.abatch_as_completed(rows_of(9))}
    assert seen == dict(enumerate(rows_of(9)))
    for place, message in chat.batch_as_completed([f"{row} again" for row in rows_of(24)]):
        assert message.text == f"row {place} again"
        break
    async with aclosing(chat.abatch_as_completed([f"{row} left" for row in rows_of(24)])) as batch:
        await anext(batch)
    assert len(orchestrator.requests(limit=100)) < 57


class Late(PatientRunnable[str, str]):
    """Has no time left to ask anybody for the first `late` times that a row comes."""

    def __init__(self, asks: Orchestrator, *, late: int) -> None:
        self._orchestrator, self._late, self.came = asks, late, 0

    def _asks(self) -> Orchestrator:
        return self._orchestrator

    def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:  # noqa: A002 -- LangChain's name
        self.came += 1
        if self.came <= self._late:
            raise DeadlineExceededError("no time left to ask anybody", nothing_sent=True)
        return input


@pytest.mark.parametrize("many", ["batch", "abatch"])
def test_a_row_whose_time_went_by_before_anybody_was_asked_is_asked_again(make_quick, many):
    """On the clock of the fixtures a wait of one row takes the time of all that are under way."""
    late = Late(make_quick(answerer=Busy()), late=3)
    assert (late.batch(["row"]) if many == "batch" else asyncio.run(late.abatch(["row"]))) == ["row"]
    assert late.came == 4


async def test_a_row_that_never_has_time_to_ask_ends_in_its_error(make_quick):
    chat = make_quick(answerer=Busy()).chat_model("cost_sensitive", deadline_s=0.001)
    outcomes = await chat.abatch(rows_of(2), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DeadlineExceededError] * 2


async def test_a_row_of_a_chain_that_has_paid_is_not_asked_again_for_its_time(make_quick, clock):
    """The repair of its answer has no time left to ask anybody, but the answer is booked."""

    class Slow(Busy):
        async def answer(self, request: PracticeRequest) -> AsyncIterator[Any]:
            clock.advance(9.9995)
            yield "no JSON"

    orchestrator = make_quick({"cache": {"enabled": False}}, answerer=Slow())
    chain = make_chain("customer_service", Row, Row, prompts="Repeat the text.")(orchestrator, deadline_s=10)
    (outcome,) = await chain.abatch([Row(text="row")], return_exceptions=True)
    assert isinstance(outcome, InvalidOutputError)
    assert sum(request.attempts for request in orchestrator.requests()) == 1


class Asked(PatientRunnable):
    """A runnable whose rows pass the whole pipeline, in virtual time."""

    def __init__(self, running: Traffic, profile: str) -> None:
        self.clock, self.config = running.clock, running.config
        self._running, self._profile = running, profile

    def _asks(self):
        return self

    def invoke(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def ainvoke(self, row: int, *_: Any, **__: Any) -> Any:
        ended = await self._running.ask(row, profile=self._profile)
        if isinstance(ended, Exception):
            raise ended
        return ended


def answered(config: Any, *, latency_s: float, profile: str = "interactive", batches: int = 1) -> list[Any]:
    """Return the whole answers of batches of a hundred rows each that are asked for at once."""

    async def main(clock: Any) -> list[Any]:
        with traffic(config, clock, latency_s=latency_s) as running:
            asked = [
                Asked(running, profile).abatch(
                    [batch * 100 + row for row in range(100)], return_exceptions=True
                )
                for batch in range(batches)
            ]
            return [row for rows in await asyncio.gather(*asked) for row in rows]

    return whole(run_virtually(main))


@pytest.mark.parametrize(
    ("profile", "per_min"), [("interactive", 60), ("interactive", 120), ("background", 10)]
)
@pytest.mark.parametrize("latency_s", [0.5, 6])
def test_no_row_is_sent_so_late_that_its_answer_cannot_come(make_config, profile, per_min, latency_s):
    """Its moment in the provider's minute may lie just before its deadline: it waits for a later one."""
    limits = {"providers": {"openrouter": {"requests_per_min": per_min}}}
    alone = {"GEMINI_API_KEY": "", "OPENAI_API_KEY": ""}
    config = make_config({**limits, "local_model": {"enabled": False}}, **alone)
    assert len(answered(config, latency_s=latency_s, profile=profile)) == 100


@pytest.mark.parametrize("latency_s", [1.5, 9])
def test_batches_that_crowd_a_process_are_answered_to_the_last_row(make_config, latency_s):
    """A slot that comes late is no use, nor is half of a short rest of time for one that answers slowly."""
    config = make_config({"overload": {"in_flight": 20, "queue_per_tenant": 100}})
    assert len(answered(config, latency_s=latency_s, batches=5)) == 500
