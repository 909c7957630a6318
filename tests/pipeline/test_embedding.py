"""Embeddings pass the budgets, the ledger and the fallback of every request, part by part."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from orchestrator import CacheState, ChatRequest, Orchestrator
from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    IdempotencyConflictError,
    InvalidRequestError,
    PromptTooLargeError,
    UnavailableError,
)
from orchestrator.core.money import to_usd
from orchestrator.core.reply import DegradationKind, Outcome
from orchestrator.practice import Fault
from orchestrator.practice.wire_embeddings import vector_of
from orchestrator.providers.in_memory import InMemoryTransport

FIRST, SECOND = "openrouter/text-embedding-3-small", "openai/text-embedding-3-small"
TEXTS = ["Giao hàng mất bao lâu?", "How long does delivery take?", "Chính sách đổi trả"]
NO_RETRY = {"retry_profiles": {"interactive": {"retry_on": [], "jitter": 0, "max_recovery_wait_s": 0}}}


class Desk:
    """An orchestrator in front of practice providers in memory, with their bill and its own books."""

    def __init__(self, orchestrator: Orchestrator, transport: InMemoryTransport) -> None:
        self.orchestrator = orchestrator
        self.embed = orchestrator.embed
        self.faults, self.bill = transport.faults, transport.bill

    def rows(self, columns: str, table: str = "operations", order: str = "started_at, id") -> list[tuple]:
        with closing(sqlite3.connect(Path(self.orchestrator.config.settings.ledger.path))) as connection:
            query = f"SELECT {columns} FROM {table} ORDER BY {order}"  # noqa: S608 -- words of this file
            return connection.execute(query).fetchall()

    def booked_nusd(self) -> int:
        return sum(cost for (cost,) in self.rows("cost_nusd", "attempts", "operation_id, number"))


@pytest.fixture
def desk(make_config, clock, listed_prices) -> Iterator:
    desks = []

    def make(changes=None) -> Desk:
        transport = InMemoryTransport(clock=clock, prices=listed_prices)
        config = make_config({**NO_RETRY, **(changes or {})})
        desks.append(Desk(Orchestrator(config, clock=clock, transport=transport), transport))
        return desks[-1]

    yield make
    for each in desks:
        each.orchestrator.close()


def test_each_text_gets_its_vector_in_order_and_the_cost_is_the_bill(desk) -> None:
    here = desk()
    reply = here.embed(TEXTS, tenant="acme", user="lan", tags=["search"], dimensions=64)
    assert reply.vectors == tuple(vector_of(text, 64) for text in TEXTS)
    assert (reply.model, reply.deployment, reply.dimensions) == ("text-embedding-3-small", FIRST, 64)
    assert reply.cost_nusd == here.bill.total_nusd() == here.booked_nusd() > 0
    assert reply.usage.input_tokens == here.bill.charges[0].input_tokens
    assert (reply.cached, reply.degraded, len(reply.attempts)) == (CacheState.MISS, None, 1)
    columns = "id, tenant, user, use_case, outcome, cached, model, attempts, cost_nusd, output_tokens"
    expected = (
        reply.request_id,
        "acme",
        "lan",
        "embedding",
        "succeeded",
        "miss",
        reply.model,
        1,
        reply.cost_nusd,
        0,
    )
    assert here.rows(columns) == [expected]


def test_it_works_from_any_event_loop(desk) -> None:
    reply = asyncio.run(desk().orchestrator.aembed("Xin chào", dimensions=8))
    assert reply.vectors == (vector_of("Xin chào", 8),)


def test_what_was_embedded_for_a_tenant_costs_nothing_again_and_only_for_that_tenant(desk) -> None:
    here = desk()
    first = here.embed(TEXTS[:2], tenant="acme", dimensions=64)
    again = here.embed(TEXTS[:2], tenant="acme", dimensions=64)
    assert again.vectors == first.vectors
    assert (again.cached, again.cached_texts, again.cost_nusd) == (CacheState.HIT, 2, 0)
    partly = here.embed([TEXTS[2], TEXTS[0], TEXTS[2]], tenant="acme", dimensions=64)
    assert partly.vectors == tuple(vector_of(text, 64) for text in (TEXTS[2], TEXTS[0], TEXTS[2]))
    assert (partly.cached, partly.cached_texts) == (CacheState.MISS, 1)
    assert "1 of 3 texts had their vectors in the cache" in partly.notices
    assert here.bill.count() == 2
    assert here.embed(TEXTS[:2], tenant="other", dimensions=64).cached_texts == 0
    assert here.embed(TEXTS[:2], tenant="acme", dimensions=32).cached_texts == 0
    assert (
        here.embed(TEXTS[:2], tenant="acme", dimensions=64, model="text-embedding-3-large").cached_texts == 0
    )
    assert here.embed(TEXTS[:2], tenant="acme", dimensions=64, cache="off").cached_texts == 0
    assert sorted(row[0] for row in here.rows("cached")) == ["hit", *["miss"] * 6]


def test_a_fallback_goes_to_the_same_model_at_another_place_and_the_reply_says_so(desk) -> None:
    here = desk()
    here.faults.add(Fault("openrouter", "status", status=503))
    reply = here.embed(TEXTS, dimensions=16)
    assert (reply.model, reply.deployment) == ("text-embedding-3-small", SECOND)
    assert reply.degraded is not None
    assert reply.degraded.kinds == (DegradationKind.FALLBACK,)
    assert [attempt.outcome for attempt in reply.attempts] == [Outcome.FAILED, Outcome.SUCCEEDED]
    # The vectors are those of the model all the same, so they are kept.
    assert here.embed(TEXTS, dimensions=16).cached is CacheState.HIT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_no_other_model_ever_answers(desk, status) -> None:
    here = desk()
    here.faults.add(Fault("openrouter", "status", status=status), Fault("openai", "status", status=status))
    with pytest.raises(AllProvidersFailedError) as failed:
        here.embed(TEXTS)
    assert [step.deployment for step in failed.value.steps] == [FIRST, SECOND]
    assert here.bill.total_nusd() == here.booked_nusd() == 0
    assert here.rows("outcome, error") == [("failed", "AllProvidersFailedError")]


@pytest.mark.parametrize("vectors", ["missing", "extra", "short", "nan"])
def test_vectors_that_are_not_those_asked_for_are_billed_and_asked_of_the_next(desk, vectors) -> None:
    here = desk()
    here.faults.add(Fault("openrouter", "odd_vectors", vectors=vectors))
    reply = here.embed(TEXTS, dimensions=16)
    assert reply.deployment == SECOND
    assert reply.attempts[0].failure == "malformed"
    assert reply.cost_nusd == here.booked_nusd() == here.bill.total_nusd()


def test_more_texts_than_a_provider_takes_are_sent_in_parts_under_one_request(desk) -> None:
    here = desk()
    texts = [f"sản phẩm {number}" for number in range(250)]
    reply = here.embed(texts, model="gemini-embedding-001", dimensions=8)
    assert reply.vectors == tuple(vector_of(text, 8) for text in texts)
    assert here.rows("operation_id, number", "attempts", "number") == [
        (reply.request_id, n) for n in (1, 2, 3)
    ]
    assert here.rows("attempts, cost_nusd") == [(3, reply.cost_nusd)]
    assert reply.cost_nusd == here.bill.total_nusd() == sum(a.cost_nusd for a in reply.attempts)
    assert here.rows("COUNT(*)", "holds WHERE 1", "1") == [(0,)]


def test_a_part_that_fails_is_asked_elsewhere_and_the_numbers_go_on(desk) -> None:
    here = desk()
    texts = [f"t{number}" for number in range(2050)]
    here.faults.add(Fault("openrouter", "status", status=500, times=1))
    reply = here.embed(texts, dimensions=8)
    assert [(a.number, a.deployment) for a in reply.attempts] == [(1, FIRST), (2, SECOND), (3, FIRST)]
    assert reply.deployment == SECOND
    assert reply.vectors[-1] == vector_of(texts[-1], 8)


def test_what_was_paid_before_a_part_failed_is_booked_kept_and_told(desk) -> None:
    here = desk()
    texts = [f"t{number}" for number in range(150)]
    before = here.embed(texts[100:], model="gemini-embedding-001", dimensions=8, tenant="other").cost_nusd
    calls = count(1)

    def second_fails(*_, **__) -> Fault | None:
        return Fault("google", "status", status=503) if next(calls) == 2 else None

    here.faults.take = second_fails  # type: ignore[method-assign]
    with pytest.raises(
        UnavailableError, match="1 of its 2 batches were answered before; they are booked"
    ) as failed:
        here.embed(texts, model="gemini-embedding-001", dimensions=8)
    assert failed.value.cost_nusd == here.bill.total_nusd() - before > 0
    assert here.booked_nusd() == here.bill.total_nusd()
    again = here.embed(texts, model="gemini-embedding-001", dimensions=8)
    assert again.cached_texts == 100
    assert again.vectors == tuple(vector_of(text, 8) for text in texts)


def test_a_limit_for_one_request_counts_all_its_parts(desk) -> None:
    here = desk()
    texts = ["x" * 900] * 10
    one_nusd = here.embed(texts[:1], dimensions=8, cache="off").attempts[0].cost_nusd
    with pytest.raises(BudgetExceededError) as refused:
        here.embed([f"{n}{text}" for n, text in enumerate(texts)], dimensions=8, max_cost_nusd=one_nusd * 5)
    assert refused.value.window == "request"
    assert "max_tokens" not in str(refused.value)
    assert "Send fewer texts, or shorter ones, choose a cheaper model" in str(refused.value)
    assert here.bill.count() == 1
    assert sorted(here.rows("outcome")) == [("refused",), ("succeeded",)]


def test_a_budget_is_never_passed_by_the_providers_own_bill_however_many_ask_at_once(desk) -> None:
    limit_usd = 0.0001
    here = desk({"budgets": {"limits": [{"scope": "use_case:embedding", "day": limit_usd}]}})

    async def ask(number: int) -> bool:
        try:
            await here.orchestrator.aembed(
                f"câu hỏi số {number} " * 20, tenant=f"t{number % 7}", dimensions=8
            )
        except BudgetExceededError as refused:
            assert "max_tokens" not in str(refused)
            return False
        return True

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(ask(number) for number in range(80)))

    answered = asyncio.run(all_at_once())
    assert True in answered
    assert False in answered
    assert here.bill.total_nusd() == here.booked_nusd() <= limit_usd * 1e9
    assert here.bill.count() == sum(answered)


def test_a_run_has_one_budget_for_chats_and_vectors(desk) -> None:
    here = desk()
    texts = [f"câu hỏi số {number} " * 20 for number in range(3)]
    task = {"tenant": "acme", "run": "thread-42"}
    chat = here.orchestrator.complete("Xin chào", **task, max_cost_usd="0.1")
    costs = [chat.cost_nusd, here.embed(texts, **task).cost_nusd]
    costs.append(here.embed(texts[0], **{**task, "run": "thread-42/search"}, dimensions=8).cost_nusd)
    standing = here.orchestrator.run_standing("thread-42", tenant="acme")
    assert (standing.spent, standing.held) == (sum(costs), 0)
    assert min(costs) > 0
    with pytest.raises(BudgetExceededError) as refused:
        here.embed(texts, **task, dimensions=9, max_cost_usd=to_usd(standing.spent + 1))
    assert refused.value.scope == "run:thread-42"
    # What the cache has is no send, and no limit is asked.
    assert here.embed(texts, **task, max_cost_usd=to_usd(standing.spent + 1)).cost_nusd == 0


def test_a_run_is_passed_by_no_number_of_embeddings_at_once(desk) -> None:
    here = desk()
    limit_usd = "0.0001"

    async def ask(number: int) -> bool:
        try:
            await here.orchestrator.aembed(
                f"câu {number} " * 60, tenant="acme", run="thread-42", max_cost_usd=limit_usd, dimensions=8
            )
        except BudgetExceededError:
            return False
        return True

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(ask(number) for number in range(80)))

    answered = asyncio.run(all_at_once())
    assert {True, False} == set(answered)
    assert here.bill.total_nusd() == here.booked_nusd() <= float(limit_usd) * 1e9


def test_a_key_gets_its_vectors_once_more_and_is_charged_once(desk) -> None:
    here = desk()
    first = here.embed(TEXTS, idempotency_key="k1", dimensions=16, cache="off")
    again = here.embed(TEXTS, idempotency_key="k1", dimensions=16, cache="off")
    assert again.vectors == first.vectors
    assert (again.request_id, again.cached, again.cost_nusd) == (first.request_id, CacheState.REPLAYED, 0)
    assert here.bill.count() == 1
    with pytest.raises(IdempotencyConflictError):
        here.embed(TEXTS, idempotency_key="k1", dimensions=32)
    with pytest.raises(IdempotencyConflictError):
        here.orchestrator.complete(TEXTS[0], idempotency_key="k1")


@pytest.mark.parametrize(
    ("texts", "fields", "error", "words"),
    [
        (["a", "từ " * 9000], {}, PromptTooLargeError, "text 1 takes about .* split it"),
        ("a", {"dimensions": 1537}, InvalidRequestError, "vectors of 1536 dimensions, not of 1537"),
    ],
)
def test_what_the_model_cannot_do_is_refused_before_it_costs(desk, texts, fields, error, words) -> None:
    here = desk()
    with pytest.raises(error, match=words):
        here.embed(texts, **fields)
    assert here.bill.count() == 0


def test_a_chat_and_an_embedding_never_take_each_others_way(desk) -> None:
    here = desk()
    with pytest.raises(InvalidRequestError, match=r"goes to embed\(\)"):
        here.orchestrator.complete(EmbeddingRequest.of("a", use_case="embedding"))
    with pytest.raises(InvalidRequestError, match="texts must be a text or a list of texts, not ChatRequest"):
        here.embed(ChatRequest.of("a", use_case="customer_service"))
    assert here.embed(EmbeddingRequest.of("a", use_case="embedding", dimensions=8)).dimensions == 8
    assert here.bill.count() == 1


def test_without_any_key_the_error_says_what_to_set(make_config, clock) -> None:
    config = make_config(OPENAI_API_KEY="", OPENROUTER_API_KEY="", GEMINI_API_KEY="")
    with (
        Orchestrator(config, clock=clock) as orchestrator,
        pytest.raises(UnavailableError, match="no key is set for openrouter, openai: set OPENROUTER_API_KEY"),
    ):
        orchestrator.embed("a")


def test_the_deadline_ends_a_request_and_its_open_part_is_booked(desk) -> None:
    here = desk()
    here.faults.add(Fault("openrouter", "silence"), Fault("openai", "silence"))
    with pytest.raises(UnavailableError):
        here.embed(TEXTS, deadline_s=0.05)
    assert here.rows("COUNT(*)", "holds WHERE 1", "1") == [(0,)]
