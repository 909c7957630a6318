"""Whole answers with an odd bill: what is charged is dearer than the list, or not what the answer says."""

from collections.abc import Mapping
from enum import StrEnum

from orchestrator.core.money import NanoUsd, nano_usd, share_nusd, to_usd
from orchestrator.practice.json_types import JsonObject, JsonValue


class OddBill(StrEnum):
    """What is odd about a bill; where a format tells nothing of it, it stays as ever."""

    OWN_KEY = "own_key"
    """OpenRouter with a key of the customer's own: a cost of 0, and beside it what that key was charged."""
    ZERO_COST = "zero_cost"
    """OpenRouter says a cost of 0 and charges all the same."""
    DEAR_COST = "dear_cost"
    """OpenRouter charges a billion dollars."""
    PRIORITY = "priority"
    """OpenAI answers in its class `priority`, at two and a half times the list."""
    CONTRADICTING = "contradicting"
    """More cached tokens than the prompt has; none of them was cheap."""
    NEGATIVE = "negative"
    """Counts below zero."""
    NULL = "null"
    """Counts of null."""
    HUGE = "huge"
    """Counts of 2^63."""


_PRIORITY_PERCENT, _LIST_PERCENT = 250, 100
_DEAR = nano_usd(1_000_000_000)
_COUNTS = (
    *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens"),
    *("promptTokenCount", "candidatesTokenCount", "totalTokenCount"),
)
_NO_COUNTS: Mapping[OddBill, JsonValue] = {OddBill.NEGATIVE: -5, OddBill.NULL: None, OddBill.HUGE: 2**63}


def charged(cost: NanoUsd, bill: OddBill | None, *, provider: str) -> NanoUsd:
    """Return what a provider charges for an answer of a price."""
    if bill is OddBill.DEAR_COST and provider == "openrouter":
        return _DEAR
    if tier_of(bill, provider=provider) == OddBill.PRIORITY:
        return share_nusd(cost, numerator=_PRIORITY_PERCENT, denominator=_LIST_PERCENT)
    return cost


def tier_of(bill: OddBill | None, *, provider: str) -> str:
    """Return the class of service that an answer was given in."""
    return "priority" if bill is OddBill.PRIORITY and provider == "openai" else "default"


def said_of(usage: JsonObject, bill: OddBill | None, *, cost: NanoUsd) -> JsonObject:
    """Return the usage object of an answer as it is said, whatever was charged for it."""
    if bill is None:
        return usage
    if bill in _NO_COUNTS:
        return {**usage, **dict.fromkeys(usage.keys() & set(_COUNTS), _NO_COUNTS[bill])}
    if bill is OddBill.CONTRADICTING:
        return {**usage, **_more_cached_than_asked(usage)}
    if "cost" not in usage or bill not in {OddBill.OWN_KEY, OddBill.ZERO_COST}:
        return usage
    return {**usage, "cost": 0, **(own_key(cost) if bill is OddBill.OWN_KEY else {})}


def own_key(cost: NanoUsd) -> JsonObject:
    """Return how OpenRouter tells what a key of the customer's own was charged."""
    return {"is_byok": True, "cost_details": {"upstream_inference_cost": float(to_usd(cost))}}


def _more_cached_than_asked(usage: JsonObject) -> JsonObject:
    for asked, details in (
        ("prompt_tokens", "prompt_tokens_details"),
        ("input_tokens", "input_tokens_details"),
    ):
        if asked in usage:
            return {details: {**(usage.get(details) or {}), "cached_tokens": usage[asked] + 1}}
    return {"cachedContentTokenCount": usage["promptTokenCount"] + 1} if "promptTokenCount" in usage else {}
