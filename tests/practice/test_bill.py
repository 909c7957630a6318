"""The bill: exact sums, from any thread."""

import threading

from orchestrator.core.money import NanoUsd, NanoUsdPerMtok
from orchestrator.practice.bill import (
    DEFAULT_PRICE,
    Bill,
    Delivered,
    PracticeCharge,
    PracticePrice,
    PracticePrices,
    PracticeUsage,
)


def _charge(request_id: str = "gen-1", *, provider: str = "openrouter", cost: int = 7) -> PracticeCharge:
    return PracticeCharge(
        request_id, provider, "m", 10, 0, 5, NanoUsd(cost), streamed=False, delivered=Delivered.WHOLE
    )


def test_a_cost_is_rounded_up_once_and_cached_input_has_its_own_price():
    """3 fresh, 7 cached and 1 output token at 1, 0.1 and 4 dollars: 3000 + 700 + 4000 nano-dollars."""
    price = PracticePrice(NanoUsdPerMtok(10**9), NanoUsdPerMtok(4 * 10**9), NanoUsdPerMtok(10**8))
    assert price.cost_of(PracticeUsage(10, 1, cached_input_tokens=7)) == 7700
    assert PracticePrice(NanoUsdPerMtok(1), NanoUsdPerMtok(1)).cost_of(PracticeUsage(1, 1)) == 1


def test_without_a_cached_price_cached_input_costs_as_much_as_other_input():
    """No price is guessed."""
    price = PracticePrice(NanoUsdPerMtok(10**9), NanoUsdPerMtok(0))
    assert price.cost_of(PracticeUsage(10, 0, cached_input_tokens=5)) == 10_000


def test_a_price_is_found_by_provider_and_model_else_the_default():
    """The same model may cost different prices at two providers."""
    mine = PracticePrice(NanoUsdPerMtok(1), NanoUsdPerMtok(2))
    prices = PracticePrices({("openai", "m"): mine})
    assert prices.price_of("openai", "m") is mine
    assert prices.price_of("google", "m") is DEFAULT_PRICE


def test_the_total_is_kept_per_provider_and_survives_forgotten_charges():
    """Only the last charges are remembered, but every one is in the sum."""
    bill = Bill(kept=2)
    for number in range(5):
        bill.add(_charge(f"gen-{number}"))
    bill.add(_charge("chat-1", provider="openai", cost=100))
    assert (bill.total_nusd("openrouter"), bill.total_nusd("openai"), bill.total_nusd()) == (35, 100, 135)
    assert [charge.request_id for charge in bill.charges] == ["gen-4", "chat-1"]
    assert bill.count() == 6
    charge = bill.find("gen-4")
    assert charge is not None
    assert charge.cost_nusd == 7
    assert bill.find("gen-0") is None
    assert bill.as_json()["providers"]["openrouter"] == {"count": 5, "total_nusd": 35}


def test_many_threads_lose_no_charge():
    """8 threads with 500 charges each make 4,000."""
    bill = Bill()
    threads = [threading.Thread(target=lambda: [bill.add(_charge()) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert bill.wait_for(4000)
    assert bill.total_nusd() == 28_000
    bill.clear()
    assert bill.count() == 0
    assert not bill.wait_for(1, timeout_s=0.01)
