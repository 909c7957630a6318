"""The vendors' own clients on our ledger: every send is held, booked, and refused over a budget."""

import unicodedata

import pytest

from orchestrator.core.errors import BudgetExceededError, InvalidRequestError, UnknownNameError
from orchestrator.practice import Fault, PracticeServer

NAMES = ["openai/gpt-6-luna", "google/gemini-3.8-flash", "openrouter/gpt-6-luna"]


def standing(orchestrator, scope: str = "tenant:acme") -> tuple[int, int]:
    standings = [
        status for status in orchestrator.standings() if status.scope == scope and status.window == "day"
    ]
    return (standings[0].spent, standings[0].held) if standings else (0, 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
async def test_every_way_of_asking_is_booked_at_our_price(
    practised, practice: PracticeServer, name: str, how: str
) -> None:
    client = practised.native(name, tenant="acme", temperature=0.1)
    if how == "invoke":
        message = client.invoke("Xin chào")
    elif how == "ainvoke":
        message = await client.ainvoke("Xin chào")
    elif how == "stream":
        message = _joined(list(client.stream("Xin chào")))
    else:
        message = _joined([chunk async for chunk in client.astream("Xin chào")])
    usage = message.usage_metadata
    price = practised.config.catalog.price_of(name)
    paid = price.input * usage["input_tokens"] + price.output * usage["output_tokens"]
    assert standing(practised) == (-(-paid // 1_000_000), 0)
    assert len(practice.requests) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_send_over_the_budget_is_refused_before_it_is_made(
    make_orchestrator, practice: PracticeServer, name: str
) -> None:
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "tenant:acme", "day": 0.000001}]}})
    with pytest.raises(BudgetExceededError):
        orchestrator.native(name, tenant="acme").invoke("Xin chào")
    assert practice.requests == ()


def test_a_request_limit_is_not_undercut_in_secret(make_orchestrator) -> None:
    """The client's own max_tokens stands, so a send that may cost too much is refused."""
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "all", "request": 0.0001}]}})
    with pytest.raises(BudgetExceededError, match="request budget"):
        orchestrator.native("openai/gpt-6.1-sol", max_tokens=100_000).invoke("Xin chào")


def test_a_failure_that_nobody_bills_costs_nothing(practised, practice: PracticeServer) -> None:
    practice.faults.add(Fault.parse("openai:status=503"))
    with pytest.raises(Exception, match="503"):
        practised.native("openai/gpt-6-luna", tenant="acme").invoke("Xin chào")
    assert standing(practised) == (0, 0)
    assert len(practice.requests) == 1


def test_an_abandoned_stream_leaves_nothing_held(practised) -> None:
    pieces = practised.native("openai/gpt-6-luna", tenant="acme").stream("Xin chào")
    next(pieces)
    pieces.close()
    spent, held = standing(practised)
    assert held == 0
    assert spent > 0


def test_names_keys_and_addresses_come_from_the_configuration(practised) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean"):
        practised.native("openai/gpt-6-lunar")
    with pytest.raises(InvalidRequestError, match="config.yaml alone"):
        practised.native("openai/gpt-6-luna", base_url="http://127.0.0.1:9")


def _joined(chunks):
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


def test_a_native_client_pays_for_a_tenant_however_its_name_is_typed(practised):
    practised.native("openai/gpt-6-luna", tenant=unicodedata.normalize("NFD", "Hà Nội")).invoke("Xin chào")
    assert {one.scope for one in practised.standings() if one.scope.startswith("tenant:")} == {
        "tenant:Hà Nội"
    }


def test_a_native_client_of_no_known_use_case_is_refused(practised):
    with pytest.raises(
        UnknownNameError, match="unknown use case 'custmer_service'. Did you mean 'customer_service'"
    ):
        practised.native("openai/gpt-6-luna", use_case="custmer_service")
