"""A shadow is asked behind the live answer, on its own account; who asked the live one feels nothing of it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator import BudgetExceededError, Orchestrator, OrchestratorError
from orchestrator.core.money import NanoUsd
from orchestrator.core.payer import Payer
from orchestrator.ledger.periods import Window
from orchestrator.ledger.records import HoldRequest
from orchestrator.ledger.verify import verify
from orchestrator.pipeline.shadowing import IN_FLIGHT_MAX
from orchestrator.providers.in_memory import InMemoryTransport
from tests.experiments.conftest import (
    CANDIDATE_WORDS,
    LIVE_WORDS,
    LUNA,
    SHADOW,
    SOL,
    eventually,
    experimenting,
    voices,
)

__all__ = ["experimenting", "voices"]
SCOPE = "tenant:shadow:faq"


class Held:
    """The way out of a test: whom the candidate's model is asked of waits until the test lets it go on."""

    def __init__(self, transport: InMemoryTransport) -> None:
        self._transport = transport
        self.is_ready = True
        self.waiting = 0
        self.may_go_on = asyncio.Event()

    async def get_ready(self) -> None:
        pass

    async def let_go(self) -> None:
        self.may_go_on.set()

    async def send(self, source):
        if source.current is not None and source.current.target.name == LUNA:
            self.waiting += 1
            await self.may_go_on.wait()
        return await self._transport.send(source)


@pytest.fixture
def transport(clock, voices, listed_prices):
    return InMemoryTransport(clock=clock, answerer=voices, prices=listed_prices)


def shadows(orchestrator: Orchestrator) -> list[tuple]:
    """Return tenant, use case, user, tags, deployment and cost of the rows of shadows."""
    with closing(sqlite3.connect(Path(orchestrator.config.settings.ledger.path))) as connection:
        return connection.execute(
            "SELECT tenant, use_case, user, tags, deployment, cost_nusd, outcome FROM operations"
            " WHERE tenant LIKE 'shadow:%' ORDER BY id"
        ).fetchall()


def test_the_candidate_is_asked_behind_the_answer_and_booked_once_on_its_own_account(
    experimenting, transport
):
    orchestrator = experimenting(SHADOW, transport=transport)
    reply = orchestrator.complete(
        "Xin chào", tenant="acme", user="u1", tags=["web"], run="r1", max_cost_usd=1
    )
    ((tenant, use_case, user, tags, deployment, cost, outcome),) = eventually(lambda: shadows(orchestrator))
    assert (reply.text, reply.deployment, reply.notices) == (LIVE_WORDS, SOL, ())
    assert (tenant, use_case, user, deployment, outcome) == (
        "shadow:faq",
        "shadow:faq",
        None,
        LUNA,
        "succeeded",
    )
    label = orchestrator.config.experiments[0].label
    assert f'"arm:{label}:of:{reply.request_id}"' in tags
    assert f'"arm:{label}:passed"' in tags
    assert "web" not in tags
    live = orchestrator.request(reply.request_id).request
    assert live.tags == ("web", f"arm:{label}:live", f"arm:{label}:failed")
    ledger = orchestrator._services.ledger
    assert ledger.spent(SCOPE, Window.DAY) == cost > 0
    for scope in ("tenant:acme", "use_case:customer_service", "user:u1", "tag:web"):
        assert ledger.spent(scope, Window.DAY) == live.cost_nusd
    assert orchestrator.run_standing("r1", tenant="acme").spent == live.cost_nusd
    # Whoever is billed for it: all that was sent stands in the ledger, once.
    assert ledger.spent("all", Window.DAY) == transport.bill.total_nusd() == live.cost_nusd + cost
    orchestrator.close()
    with ledger.store.view() as view:
        assert verify(view, now=orchestrator.clock.now()).counters_are_right


def test_the_live_answer_waits_for_no_shadow_and_closing_waits_for_none_either(experimenting, transport):
    held = Held(transport)
    orchestrator = experimenting(SHADOW, transport=held)
    replies = [orchestrator.complete("Hi", user=f"u{n}", cache="off") for n in range(IN_FLIGHT_MAX + 4)]
    assert {reply.text for reply in replies} == {LIVE_WORDS}
    eventually(lambda: held.waiting == IN_FLIGHT_MAX)
    assert orchestrator.load().in_flight == 0
    orchestrator.close()
    # What was sent and left is booked: it may have been billed.
    assert [row[-1] for row in shadows(orchestrator)] == ["cancelled"] * IN_FLIGHT_MAX


def test_shadows_never_spend_more_than_their_budget_at_any_concurrency(experimenting, transport):
    bound = experimenting(SHADOW).estimate("Hi", model=LUNA).bound_nusd
    held = Held(transport)
    orchestrator = experimenting({**SHADOW, "budget": {"day": 2.5 * bound / 1e9}}, transport=held)
    for number in range(IN_FLIGHT_MAX):
        orchestrator.complete("Hi", user=f"u{number}", cache="off")
    # Of eight at once two have their money, and hold it; the others are dropped.
    standing = eventually(
        lambda: next(
            (each for each in orchestrator.standings() if (each.scope, each.held) == (SCOPE, 2 * bound)), None
        )
    )
    assert standing.held + standing.spent <= standing.limit
    orchestrator.begin(held.let_go())
    eventually(lambda: len(shadows(orchestrator)) >= 2)
    orchestrator.close()
    # One that came after those two were paid may have found money again; who was dropped has left no row.
    rows = shadows(orchestrator)
    spent = orchestrator._services.ledger.spent(SCOPE, Window.DAY)
    assert spent == sum(row[5] for row in rows) <= standing.limit
    assert {row[-1] for row in rows} == {"succeeded"}


@pytest.mark.parametrize("limits", [[], [{"scope": "tenant:*", "day": 20}]])
def test_shadows_under_way_spend_nothing_when_their_experiment_is_taken_out(
    experimenting, make_config, transport, limits
):
    budgets = {"limits": limits, "tiers": []}
    orchestrator = experimenting(SHADOW, transport=transport, budgets=budgets)
    before = orchestrator.config
    orchestrator.complete("Hi", cache="off")
    eventually(lambda: len(shadows(orchestrator)) == 1)
    ledger = orchestrator._services.ledger
    spent = ledger.spent(SCOPE, Window.DAY)
    call = HoldRequest(
        "late", 1, "p/m", "p", "m", Payer.of_shadow("faq").scopes("p", "m"), NanoUsd(1000), "book"
    )
    orchestrator.reload(make_config({"budgets": budgets}))
    with pytest.raises(BudgetExceededError, match="shadow:faq"):
        ledger.hold(call)
    assert ledger.spent(SCOPE, Window.DAY) == spent
    orchestrator.reload(before)
    assert ledger.hold(call).request is call


def test_a_process_that_dies_leaves_its_holds_and_the_next_one_spends_no_more(experimenting, transport):
    bound = experimenting(SHADOW).estimate("Hi", model=LUNA).bound_nusd
    budget = {"day": 1.5 * bound / 1e9}
    dying = experimenting({**SHADOW, "budget": budget}, transport=(held := Held(transport)))
    dying.complete("Hi")
    eventually(lambda: held.waiting == 1)
    # Its hold is all that others see of it, as of a process that was killed.
    following = experimenting({**SHADOW, "budget": budget}, transport=transport)
    assert following.complete("Hi", cache="off").text == LIVE_WORDS
    standing = next(each for each in following.standings() if each.scope == SCOPE)
    assert standing.held == bound
    following.close()
    assert shadows(following) == []


@pytest.mark.parametrize("how", ["hit", "failed"])
def test_what_no_model_answered_now_has_no_shadow(experimenting, transport, how):
    orchestrator = experimenting(SHADOW, transport=transport, local_model={"enabled": False})
    if how == "failed":
        transport.faults.add("*:status=400")
        with pytest.raises(OrchestratorError):
            orchestrator.complete("Hi", deadline_s=2)
    else:
        orchestrator.complete("Hi")
        eventually(lambda: shadows(orchestrator))
        orchestrator.complete("Hi")
    orchestrator.close()
    assert len(shadows(orchestrator)) == (1 if how == "hit" else 0)


def test_a_candidate_that_fails_is_asked_once_and_nobody_in_its_place(experimenting, transport):
    orchestrator = experimenting(SHADOW, transport=transport)
    transport.faults.add("openrouter:status=500,model=openai/gpt-6-luna")
    assert orchestrator.complete("Hi").text == LIVE_WORDS
    ((*_, deployment, _, outcome),) = eventually(lambda: shadows(orchestrator))
    assert (deployment, outcome) == (None, "failed")


def test_demands_of_the_tenant_hold_for_the_shadow_of_its_prompt(experimenting, transport):
    """The prompt is the tenant's, whoever pays: where it may not go, no shadow takes it."""
    demands = {"routing": {"tenants": {"acme": {"regions": ["vn"]}}}}
    providers = {"openrouter": {"data_policy": {"region": "vn"}}}
    deployments = {LUNA: {"data_policy": {"region": "us"}}}
    orchestrator = experimenting(
        SHADOW, transport=transport, **demands, providers=providers, deployments=deployments
    )
    orchestrator.complete("Hi", tenant="acme", user="u")
    orchestrator.complete("Hi", tenant="globex", user="u")
    eventually(lambda: shadows(orchestrator))
    orchestrator.close()
    assert len(shadows(orchestrator)) == 1


def test_prompts_of_shadows_are_kept_where_those_of_their_tenant_are_and_forgotten_with_them(
    experimenting, transport
):
    record = {"mode": "metadata", "tenants": {"acme": "content"}}
    orchestrator = experimenting(SHADOW, transport=transport, record=record)
    orchestrator.complete("Bí mật 4711", tenant="acme")
    orchestrator.complete("Bí mật 4712", tenant="globex")
    eventually(lambda: len(shadows(orchestrator)) == 2)
    rows = [row for row in orchestrator.requests() if row.tenant == "shadow:faq"]
    kept = [content for row in rows if (content := orchestrator.content(row.id)) is not None]
    assert [(content.tenant, content.reply) for content in kept] == [("acme", CANDIDATE_WORDS)]
