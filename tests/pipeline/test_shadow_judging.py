"""A judge compares live answers with their shadows, on money of its own, and nobody waits for it."""

import json
import sqlite3
from contextlib import closing

import pytest

from orchestrator.core.arms import Preferred, read_tags
from orchestrator.core.money import NanoUsd
from orchestrator.ledger.periods import Window
from orchestrator.ledger.verify import verify
from orchestrator.providers.in_memory import InMemoryTransport
from tests.experiments.conftest import (
    CANDIDATE_WORDS,
    LIVE_WORDS,
    LUNA,
    SHADOW,
    eventually,
    experimenting,
    voices,
)
from tests.support.voices import Voices

__all__ = ["experimenting", "voices"]
JUDGE = "openrouter/claude-sonnet-5.5"
JUDGED = {**SHADOW, "metric": "judge", "judge": {"deployment": JUDGE, "budget": {"day": 1.0}}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


class JudgingVoices(Voices):
    """A judge that knows its favourite in either place, or says the same word whatever stands there."""

    def __init__(self, favourite: str = "", word: str = "") -> None:
        super().__init__({"gpt-6-luna": CANDIDATE_WORDS, "": LIVE_WORDS})
        self._favourite, self._word = favourite, word
        self.compared: list[dict[str, object]] = []

    async def answer(self, request):
        if request.model.endswith("claude-sonnet-5.5"):
            compared = json.loads(request.messages[0]["content"].partition("\n\n")[2])
            self.compared.append(compared)
            yield self._word or ("A" if compared["A"] == self._favourite else "B")
            return
        async for piece in super().answer(request):
            yield piece


@pytest.fixture
def judged(experimenting, clock, listed_prices):
    """Let one question be answered, shadowed and judged; says what stands in the ledger, and who was asked."""

    def ask(models, *, prompt="Xin chào", rows, **changes):
        transport = InMemoryTransport(clock=clock, answerer=models, prices=listed_prices)
        orchestrator = experimenting({**JUDGED, **changes}, transport=transport)
        reply = orchestrator.complete(prompt, tenant="acme", user="u1", tags=["web"])
        eventually(lambda: len(own_rows(orchestrator)) == rows)
        return orchestrator, transport, reply

    return ask


def own_rows(orchestrator):
    """Return tenant, tags, deployment and cost of what was sent on accounts of the experiment."""
    with closing(sqlite3.connect(orchestrator.config.settings.ledger.path)) as connection:
        rows = connection.execute(
            "SELECT tenant, tags, deployment, cost_nusd FROM operations WHERE tenant LIKE 'shadow:%' ORDER BY tenant, length(tags)"
        ).fetchall()
    return [(tenant, tuple(json.loads(tags)), deployment, cost) for tenant, tags, deployment, cost in rows]


def said(orchestrator):
    label = orchestrator.config.experiments[0].label
    return [read_tags(tags, label).preferred for _, tags, _, _ in own_rows(orchestrator)]


@pytest.mark.parametrize(
    ("models", "preferred"),
    [
        (JudgingVoices(favourite=CANDIDATE_WORDS), Preferred.CANDIDATE),
        (JudgingVoices(favourite=LIVE_WORDS), Preferred.LIVE),
        (JudgingVoices(word="A"), Preferred.NEITHER),
        (JudgingVoices(word="Tie."), Preferred.NEITHER),
    ],
)
def test_what_wins_in_both_places_is_preferred_and_the_place_alone_says_nothing(judged, models, preferred):
    orchestrator, _, reply = judged(models, rows=3)
    assert reply.text == LIVE_WORDS
    assert said(orchestrator) == [None, None, preferred]
    assert [(each["A"], each["B"]) for each in models.compared] == [
        (CANDIDATE_WORDS, LIVE_WORDS),
        (LIVE_WORDS, CANDIDATE_WORDS),
    ]
    assert models.compared[0]["request"] == [{"role": "user", "content": "Xin chào"}]
    label = orchestrator.config.experiments[0].label
    assert f"arm:{label}:of:{reply.request_id}" in own_rows(orchestrator)[2][1]


def test_the_judge_pays_from_its_own_budget_and_every_dollar_is_booked_once(judged):
    orchestrator, transport, reply = judged(JudgingVoices(word="TIE"), rows=3)
    ledger, rows = orchestrator._services.ledger, own_rows(orchestrator)
    assert [(tenant, deployment) for tenant, _, deployment, _ in rows] == [
        ("shadow:faq", LUNA),
        ("shadow:faq:judge", JUDGE),
        ("shadow:faq:judge", JUDGE),
    ]
    judging = rows[1][3] + rows[2][3]
    assert ledger.spent("tenant:shadow:faq", Window.DAY) == rows[0][3]
    assert ledger.spent("tenant:shadow:faq:judge", Window.DAY) == judging > 0
    live = orchestrator.request(reply.request_id).request
    for scope in ("tenant:acme", "use_case:customer_service", "user:u1", "tag:web"):
        assert ledger.spent(scope, Window.DAY) == live.cost_nusd
    spent = sum(row[3] for row in rows) + live.cost_nusd
    assert ledger.spent("all", Window.DAY) == transport.bill.total_nusd() == spent
    orchestrator.close()
    with ledger.store.view() as view:
        assert verify(view, now=orchestrator.clock.now()).counters_are_right


def test_a_judge_without_money_is_not_asked_and_its_shadows_go_on(judged):
    models = JudgingVoices(word="TIE")
    little = {"deployment": JUDGE, "budget": {"day": 0.000001}}
    orchestrator, _, _ = judged(models, rows=1, judge=little)
    orchestrator.close()
    assert [row[0] for row in own_rows(orchestrator)] == ["shadow:faq"]
    assert models.compared == []
    assert orchestrator._services.ledger.spent("tenant:shadow:faq:judge", Window.DAY) == NanoUsd(0)


def test_a_word_that_is_no_verdict_is_none_and_is_not_asked_for_again(judged):
    models = JudgingVoices(word="The first one, I think")
    orchestrator, _, _ = judged(models, rows=2)
    orchestrator.close()
    assert said(orchestrator) == [None, None]
    assert len(models.compared) == 1


def test_answers_to_a_picture_are_not_judged_by_whom_does_not_see_it(judged):
    models = JudgingVoices(word="A")
    prompt = [{"role": "user", "content": [{"type": "text", "text": "Gì đây?"}, PICTURE]}]
    orchestrator, _, _ = judged(models, prompt=prompt, rows=1)
    orchestrator.close()
    assert models.compared == []
