"""What counts of a deployment whatever the request: computed once for a day, and anew for another."""

from datetime import date, timedelta

from orchestrator.config.loader import embedded_path, load_config
from orchestrator.core.plan import Reason, ReasonKind

TODAY = date(2026, 11, 23)
CONFIG = load_config(
    embedded_path(),
    today=TODAY,
    environment={"OPENROUTER_API_KEY": "a", "GEMINI_API_KEY": "b", "OPENAI_API_KEY": "c"},
)
USE_CASE = "customer_service"


def test_the_facts_of_a_day_are_computed_once():
    facts = CONFIG.facts_of(USE_CASE, today=TODAY)
    assert CONFIG.facts_of(USE_CASE, today=TODAY) is facts
    assert CONFIG.facts_of("data_analysis", today=TODAY) is not facts
    assert list(facts) == list(CONFIG.catalog.deployments)


def test_another_day_has_its_own_prices_and_ends():
    """google/gemini-4-argon doubles on 2026-12-01; gemini-3.1-flash-lite ends on 2027-05-07."""
    tokens = {"input_tokens": 1_000, "output_tokens": 1_000}
    before, after = (CONFIG.facts_of(USE_CASE, today=day) for day in (date(2026, 11, 29), date(2026, 12, 1)))
    name = "google/gemini-4-argon"
    assert after[name].price.cost_of(**tokens) == 2 * before[name].price.cost_of(**tokens)
    last = date(2027, 5, 7)
    ends = [
        CONFIG.facts_of(USE_CASE, today=day)["google/gemini-3.1-flash-lite"].has_ended
        for day in (last, last + timedelta(days=1))
    ]
    assert ends == [False, True]


def test_the_words_of_ops_are_reasons_of_their_own_kind():
    facts = CONFIG.facts_of(USE_CASE, today=TODAY)
    route = CONFIG.settings.use_cases[USE_CASE].route
    assert facts[route[0].deployment].route_reasons == (Reason(ReasonKind.ROUTE, route[0].reason),)
    kinds = {each.other_reason.kind for each in facts.values() if not each.route_reasons}
    assert kinds <= {ReasonKind.STRENGTH, ReasonKind.BEYOND_ROUTE}
