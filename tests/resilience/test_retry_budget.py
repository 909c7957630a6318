"""In an outage the second attempts end; a success pays for the next ones."""

import random

from orchestrator.resilience.retry_budget import CAPACITY, COST, RetryBudget


def draws(budget: RetryBudget, provider: str = "openrouter") -> int:
    """Draw until nothing is left; return how often it went."""
    times = 0
    while budget.draw(provider):
        times += 1
    return times


def test_an_outage_gets_a_bounded_number_of_second_attempts():
    assert draws(RetryBudget()) == CAPACITY // COST == 100


def test_each_provider_has_a_quota_of_its_own():
    budget = RetryBudget()
    draws(budget)
    assert draws(budget, "google") == 100


def test_a_second_attempt_that_succeeds_costs_nothing_in_the_end():
    budget = RetryBudget()
    for _ in range(1000):
        assert budget.draw("openrouter")
        budget.give_back("openrouter", drew=True)
    assert dict(budget.left()) == {"openrouter": CAPACITY}


def test_after_an_outage_successes_fill_it_again_and_no_higher_than_full():
    budget = RetryBudget()
    draws(budget)
    for _ in range(COST):
        assert budget.give_back("openrouter", drew=False) is None
    assert draws(budget) == 1
    for _ in range(10 * CAPACITY):
        budget.give_back("openrouter", drew=False)
    assert dict(budget.left()) == {"openrouter": CAPACITY}


def test_at_30_percent_faulty_attempts_a_request_makes_at_most_1_45_attempts():
    """Twenty thousand requests with up to three attempts each on one provider."""
    chance, budget, sent = random.Random(4), RetryBudget(), 0  # noqa: S311 -- no secret
    for _ in range(20_000):
        for number in range(3):
            drew = number > 0
            if drew and not budget.draw("openrouter"):
                break
            sent += 1
            if chance.random() >= 0.3:
                budget.give_back("openrouter", drew=drew)
                break
    assert 20_000 < sent <= 1.45 * 20_000
    assert dict(budget.left())["openrouter"] > COST, "such a load does not use it up"
