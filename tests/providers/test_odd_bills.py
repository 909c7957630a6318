"""Whatever a provider says of its bill, no less is booked than it charges; what leads elsewhere leads nowhere."""

import pytest

from orchestrator import CacheUse, ChatReply, Orchestrator
from orchestrator.practice import PracticeServer
from orchestrator.practice.odd_bills import OddBill

MODELS = {
    "openrouter": "openrouter/gpt-6-luna",
    "google": "google/gemini-3.8-flash",
    "openai": "openai/gpt-6-luna",
}
EXACT = {
    "openrouter": {
        OddBill.OWN_KEY: "provider",
        OddBill.ZERO_COST: "price_book",
        OddBill.DEAR_COST: "provider",
        OddBill.PRIORITY: "provider",
        OddBill.CONTRADICTING: "provider",
    },
    "google": dict.fromkeys((OddBill.OWN_KEY, OddBill.ZERO_COST, OddBill.DEAR_COST, OddBill.PRIORITY), "price_book"),
    "openai": dict.fromkeys((OddBill.OWN_KEY, OddBill.ZERO_COST, OddBill.DEAR_COST, OddBill.PRIORITY), "price_book"),
}  # fmt: skip
"""What is booked to the nano-dollar, and by whose word; of the rest as much at least."""
NOTICES = {
    OddBill.DEAR_COST: "charged more than was reserved",
    OddBill.PRIORITY: "service tier 'priority'",
    OddBill.CONTRADICTING: "token counts contradict each other",
}


def ask(orchestrator: Orchestrator, *, stream: bool, **wanted) -> ChatReply:
    wanted |= {"cache": CacheUse.OFF, "max_tokens": 100}
    if not stream:
        return orchestrator.complete("Xin chào", **wanted)
    pieces = orchestrator.stream("Xin chào", **wanted)
    assert "".join(delta.text for delta in pieces) == pieces.reply.text
    return pieces.reply


@pytest.mark.parametrize("provider", MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("bill", OddBill)
def test_an_odd_bill_is_booked_at_what_is_charged(
    practised: Orchestrator, practice: PracticeServer, provider: str, stream: bool, bill: OddBill
) -> None:
    practice.faults.add(f"{provider}:odd_bill={bill}")
    reply = ask(practised, model=MODELS[provider], stream=stream)
    practice.wait_idle()
    assert reply.degraded is None
    billed = practice.bill.total_nusd()
    (row,) = reply.attempts
    exact = EXACT[provider].get(bill)
    if exact is not None:
        assert (row.cost_nusd, row.cost_source) == (billed, exact)
    else:
        assert row.cost_nusd >= billed > 0
    tells = bill in NOTICES and (provider, bill) not in {
        *((other, OddBill.DEAR_COST) for other in ("google", "openai")),
        *((other, OddBill.PRIORITY) for other in ("google", "openrouter")),
    }
    assert any(NOTICES.get(bill, "?") in notice for notice in reply.notices) is tells


def routed(make_orchestrator, *names: str, stall_timeout_s: float = 15) -> Orchestrator:
    first, *others = [{"deployment": name, "reason": "a test"} for name in names]
    route = {"primary": first, "fallbacks": others, "quality_floor": 0}
    orchestrator = make_orchestrator(
        {
            "local_model": {"enabled": False},
            "use_cases": {"customer_service": route},
            "retry_profiles": {"interactive": {"min_turn_s": 1}},
            "providers": {"openrouter": {"stall_timeout_s": stall_timeout_s}},
        }
    )
    orchestrator.warm_up()
    return orchestrator


@pytest.mark.parametrize("provider", MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_is_an_answer_that_may_be_billed_and_leads_nowhere(
    make_orchestrator, practice: PracticeServer, provider: str, stream: bool, status: int
) -> None:
    other = "openai" if provider != "openai" else "google"
    practice.faults.add(f"{provider}:redirect={status}")
    reply = ask(routed(make_orchestrator, MODELS[provider], MODELS[other]), stream=stream)
    first = reply.attempts[0]
    assert (first.failure, first.status, first.cost_source) == ("malformed", status, "bound")
    assert reply.provider != provider
    assert not any(request.path.endswith("/elsewhere") for request in practice.requests)


@pytest.mark.parametrize("useless", ["thoughts", "spaces", "words"])
def test_a_stream_that_is_alive_and_of_no_use_leaves_time_for_the_next(
    make_orchestrator, practice: PracticeServer, useless: str
) -> None:
    practice.faults.add(f"openrouter:useless={useless},every_s=0.5")
    orchestrator = routed(make_orchestrator, MODELS["openrouter"], MODELS["openai"])
    reply = ask(orchestrator, stream=True, deadline_s=10)
    assert reply.provider == "openai"
    assert reply.attempts[0].failure == "timeout"


def test_a_stream_that_stalls_keeps_the_id_by_which_it_is_reconciled(
    make_orchestrator, practice: PracticeServer
) -> None:
    """No answer tells it then, not even a broken one: the id stood in the first event."""
    practice.faults.add("openrouter:stall_stream=2")
    orchestrator = routed(make_orchestrator, MODELS["openrouter"], MODELS["openai"], stall_timeout_s=0.2)
    reply = ask(orchestrator, stream=True)
    stalled, *_ = reply.attempts
    assert (stalled.failure, stalled.cost_source) == ("timeout", "bound")
    billed = [charge.request_id for charge in practice.bill.charges if charge.provider == "openrouter"]
    assert stalled.upstream_id in billed
