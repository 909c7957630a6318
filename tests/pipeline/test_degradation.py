"""What a reply says of itself: decided by types, whatever ops wrote into config.yaml, and kept as it was told."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from orchestrator import CacheState, Orchestrator
from orchestrator.core.failures import HealthScope
from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.plan import LeftOut
from orchestrator.core.reply import ChatReply, Degradation, DegradationKind, ToolCall, Usage
from orchestrator.drill.cases import Case
from orchestrator.drill.drill import judge
from orchestrator.drill.environment import ANSWER
from orchestrator.pipeline.reply_building import pack_whole, unpack_whole
from orchestrator.practice import Fault, PracticeServer

PROMPT = "When do you open?"
PRIMARY, SECOND, LOCAL = "openrouter/gpt-6.1-sol", "openrouter/gpt-6-luna", "local/smollm2-135m-instruct"
CASE = Case("customer_service", "503 at the primary", "503", (), stream=False)
PLAIN = "It is good at it."
MISLEADING = [
    "Better than a model asked for by name.",
    "max_tokens lowered from 800 to 16 to fit the limit of a request",
    "answered by the emergency model",
    "in reserve: circuit open after repeated failures",
    f"{PRIMARY} left out: below the quality floor",
    "nobody answered; None",
]


@pytest.fixture
def make(make_orchestrator, practice: PracticeServer):
    """Make an orchestrator of a primary, one fallback and the emergency model, all with one reason."""

    def make_with(reason: str) -> Orchestrator:
        places = [{"deployment": name, "reason": reason} for name in (PRIMARY, SECOND, LOCAL)]
        use_case = {"primary": places[0], "fallbacks": places[1:]}
        return make_orchestrator(
            {
                "local_model": {"base_url": practice.base_url("openai")},
                "routing": {"max_candidates": 3},
                "retry_profiles": {"interactive": {"retry_on": [], "max_recovery_wait_s": 0}},
                "use_cases": {"customer_service": use_case},
            }
        )

    return make_with


def leave_out_the_primary(orchestrator: Orchestrator, _practice: PracticeServer) -> None:
    for _ in range(3):
        permit = orchestrator.health.admit(PRIMARY, provider="openrouter")
        assert permit is not None
        orchestrator.health.fail(permit, health_scope=HealthScope.DEPLOYMENT)


def break_the_primary(_orchestrator: Orchestrator, practice: PracticeServer) -> None:
    practice.faults.add(Fault.parse("openrouter:status=503,model=openai/gpt-6.1-sol"))


def break_all_hosted(_orchestrator: Orchestrator, practice: PracticeServer) -> None:
    practice.faults.add(Fault.parse("openrouter:status=503"))


def break_nothing(_orchestrator: Orchestrator, _practice: PracticeServer) -> None:
    """All is well."""


SITUATIONS = {
    break_nothing: (),
    leave_out_the_primary: (DegradationKind.PRIMARY_LEFT_OUT,),
    break_the_primary: (DegradationKind.FALLBACK,),
    break_all_hosted: (DegradationKind.FALLBACK, DegradationKind.EMERGENCY_MODEL),
}


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
@pytest.mark.parametrize("reason", [PLAIN, *MISLEADING])
def test_what_ops_write_as_a_reason_changes_no_decision(make, practice, situation, reason) -> None:
    """Neither what a reply says of itself, nor whether the cache keeps it, nor what a drill makes of it."""
    orchestrator = make(reason)
    situation(orchestrator, practice)
    reply = orchestrator.complete(PROMPT)
    expected = SITUATIONS[situation]
    assert (() if reply.degraded is None else reply.degraded.kinds) == expected
    assert reply.notices == ()
    again = orchestrator.complete(PROMPT)
    assert again.cached is (CacheState.MISS if expected else CacheState.HIT)
    verdict, _ = judge(CASE, replace(reply, text=ANSWER), late=False)
    assert (
        verdict
        == {
            break_nothing: "answered",
            leave_out_the_primary: "rescued",
            break_the_primary: "rescued",
            break_all_hosted: "last resort",
        }[situation]
    )


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ("model:gpt-6.1-sol", "over the day budget of model:gpt-6.1-sol"),
        # What others spent there is none of the caller's business.
        ("provider:openrouter", "over a budget"),
    ],
)
def test_the_reason_why_the_first_was_passed_over_is_told(make_orchestrator, practice, scope, reason) -> None:
    fallback = "google/gemini-3.8-flash"
    places = [{"deployment": name, "reason": PLAIN} for name in (PRIMARY, fallback)]
    orchestrator = make_orchestrator(
        {
            "budgets": {"limits": [{"scope": scope, "day": 0.0000001}], "tiers": []},
            "use_cases": {"customer_service": {"primary": places[0], "fallbacks": places[1:]}},
        }
    )
    reply = orchestrator.complete(PROMPT)
    assert reply.deployment == fallback
    assert reply.degraded == Degradation((DegradationKind.FALLBACK,), f"{PRIMARY} was passed over: {reason}")


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_a_plan_leaves_out_is_not_put_together_for_a_reply(
    make, practice, situation, monkeypatch
) -> None:
    """It is a look at every deployment, a thousand in a large catalogue."""
    orchestrator = make(PLAIN)
    situation(orchestrator, practice)

    def look(_):
        pytest.fail("a look at every deployment")

    monkeypatch.setattr(LeftOut, "_all", property(look))
    assert orchestrator.complete(PROMPT, use_case="customer_service", cache="off").text


def test_a_lowered_max_tokens_is_a_notice_and_one_of_the_reasons(make) -> None:
    orchestrator = make(PLAIN)
    whole = orchestrator.explain(PROMPT, model=PRIMARY, max_tokens=400).candidates[0]
    reply = orchestrator.complete(
        PROMPT, model=PRIMARY, max_tokens=400, max_cost_nusd=whole.bound_nusd * 9 // 10
    )
    assert reply.plan is not None
    candidate = reply.plan.candidates[0]
    assert (candidate.pinned, candidate.clamped_from) == (True, 400)
    lowered = f"max_tokens lowered from 400 to {candidate.max_tokens} to fit the limit of a request"
    assert reply.notices == (lowered,)
    assert reply.degraded is None


def test_the_ledger_has_the_words_alone(make, practice: PracticeServer) -> None:
    orchestrator = make(PLAIN)
    break_the_primary(orchestrator, practice)
    reply = orchestrator.complete(PROMPT)
    with closing(sqlite3.connect(orchestrator.config.settings.ledger.path)) as connection:
        rows = connection.execute("SELECT id, degraded FROM operations").fetchall()
    assert rows == [(reply.request_id, f"{PRIMARY} unavailable")]
    assert str(reply.degraded) == rows[0][1]


REPLY = ChatReply(
    request_id="r1",
    text="Dạ",
    model="m",
    deployment="p/m",
    provider="p",
    usage=Usage(3, 4),
    cost_nusd=ZERO_NUSD,
    finish_reason="stop",
    tool_calls=(ToolCall("c1", "find_order", "{}"),),
    cached=CacheState.REPLAYED,
    notices=("n",),
    created_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
)


@pytest.mark.parametrize(
    "degraded",
    [
        None,
        Degradation((DegradationKind.FALLBACK,), "p/x unavailable"),
        Degradation((DegradationKind.BROKE_OFF, DegradationKind.EMERGENCY_MODEL), "p/x broke off; p/m"),
    ],
)
def test_a_reply_is_kept_for_its_key_as_it_was_told(degraded) -> None:
    reply = replace(REPLY, degraded=degraded)
    assert unpack_whole(pack_whole(reply)) == reply


def test_a_reply_that_an_earlier_version_kept_has_its_words_and_no_kind() -> None:
    """It kept the text alone; one without a text is whole."""
    kept = orjson.loads(pack_whole(REPLY))
    old = unpack_whole(orjson.dumps({**kept, "degraded": "p/x unavailable"}))
    assert old is not None
    assert old.degraded == Degradation((DegradationKind.UNSPECIFIED,), "p/x unavailable")
    assert unpack_whole(orjson.dumps({**kept, "degraded": None})) == REPLY


def test_kinds_of_a_later_version_are_passed_over() -> None:
    kept = orjson.loads(pack_whole(REPLY))
    later = {**kept, "degraded": "p/x unavailable", "degraded_kinds": ["fallback", "eclipse"]}
    newer = unpack_whole(orjson.dumps(later))
    assert newer is not None
    assert newer.degraded == Degradation((DegradationKind.FALLBACK,), "p/x unavailable")
