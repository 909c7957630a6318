"""What an odd bill says, and what was charged, in every format that has one."""

import json
from typing import Any

import pytest

from orchestrator.core.money import NanoUsd, nano_usd
from orchestrator.practice import Fault
from orchestrator.practice.odd_bills import OddBill, charged, said_of, tier_of

COST = NanoUsd(36_000_001)
OPENROUTER = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "cost": 0.036, "is_byok": False}
RESPONSES = {"input_tokens": 9, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 0}}
GEMINI = {"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 11}


@pytest.mark.parametrize(
    ("usage", "bill", "said"),
    [
        (OPENROUTER, OddBill.OWN_KEY, {"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.036000001}}),
        (OPENROUTER, OddBill.ZERO_COST, {"cost": 0, "is_byok": False}),
        (OPENROUTER, OddBill.CONTRADICTING, {"prompt_tokens_details": {"cached_tokens": 10}}),
        (OPENROUTER, OddBill.NEGATIVE, {"prompt_tokens": -5, "completion_tokens": -5, "cost": 0.036}),
        (RESPONSES, OddBill.CONTRADICTING, {"input_tokens_details": {"cached_tokens": 10}}),
        (RESPONSES, OddBill.NULL, {"input_tokens": None, "output_tokens": None}),
        (RESPONSES, OddBill.OWN_KEY, RESPONSES),
        (GEMINI, OddBill.CONTRADICTING, {"cachedContentTokenCount": 10}),
        (GEMINI, OddBill.HUGE, {"promptTokenCount": 2**63, "totalTokenCount": 2**63}),
        (GEMINI, OddBill.DEAR_COST, GEMINI),
    ],
)  # fmt: skip
def test_it_is_odd_in_one_way_where_the_format_tells_it(
    usage: dict[str, Any], bill: OddBill, said: dict[str, Any]
) -> None:
    told = said_of(usage, bill, cost=COST)
    assert said.items() <= told.items()
    assert usage.keys() <= told.keys()
    assert said_of(usage, None, cost=COST) == usage


def test_dearer_is_what_a_provider_has_a_dearer_price_for() -> None:
    assert charged(COST, OddBill.PRIORITY, provider="openai") == 90_000_003
    assert tier_of(OddBill.PRIORITY, provider="openai") == "priority"
    assert charged(COST, OddBill.PRIORITY, provider="google") == COST
    assert charged(COST, OddBill.DEAR_COST, provider="openrouter") == nano_usd(1_000_000_000)
    assert charged(COST, OddBill.OWN_KEY, provider="openrouter") == COST


@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_of_that_name_says_it_and_is_whole(caller, stream: bool) -> None:
    caller.server.faults.add("openrouter:odd_bill=own_key,times=1", "openai:odd_bill=priority")
    answers = {
        provider: caller.post(provider, stream=stream, body={"stream_options": {"include_usage": True}})
        for provider in ("openrouter", "openai")
    }
    caller.server.wait_idle()
    own, dear = caller.server.bill.charges
    assert own.own_key
    said = caller.events(answers["openrouter"].text)[-1] if stream else answers["openrouter"].json()
    assert nano_usd(said["usage"]["cost_details"]["upstream_inference_cost"]) == own.cost_nusd
    record = caller.http.get(f"{caller.server.base_url('openrouter')}/generation?id={own.request_id}").json()
    assert record["data"]["is_byok"] is True
    assert record["data"]["total_cost"] == 0
    assert nano_usd(record["data"]["upstream_inference_cost"]) == own.cost_nusd
    tiers = {event.get("service_tier") for event in (
        caller.events(answers["openai"].text) if stream else [answers["openai"].json()]
    )}  # fmt: skip
    assert tiers == {"priority"}
    assert not dear.own_key


def test_an_unknown_bill_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown bill 'free'; known: contradicting"):
        Fault.parse("openai:odd_bill=free")


def test_what_is_said_is_json() -> None:
    for bill in OddBill:
        assert json.loads(json.dumps(said_of(OPENROUTER, bill, cost=COST)))
