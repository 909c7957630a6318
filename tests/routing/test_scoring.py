"""A deployment is looked at for one request; nothing that makes a factor better makes its score worse."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.loader import embedded_path, load_config
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import ReasonKind
from orchestrator.core.request import ChatRequest
from orchestrator.routing.capabilities import needs_of
from orchestrator.routing.eligibility import KnownHealth
from orchestrator.routing.estimate import measure
from orchestrator.routing.scoring import RankingContext, Scored, look_at, question_of, score_of
from orchestrator.routing.settings import Weights

TODAY = date(2026, 11, 23)
CONFIG = load_config(embedded_path(), today=TODAY, environment={"OPENROUTER_API_KEY": "a"})
FACTS = CONFIG.facts_of("customer_service", today=TODAY)["openrouter/gpt-6.1-sol"]
SHARES = st.floats(0, 1)


def question(*, max_cost=None):
    request = ChatRequest.of("Đơn hàng của tôi ở đâu?", use_case="customer_service")
    rules = RankingContext(
        use_case_name="customer_service",
        use_case=CONFIG.settings.use_cases["customer_service"],
        routing=CONFIG.settings.routing,
        needs=needs_of(request),
        ceiling=None if max_cost is None else ("all", NanoUsd(max_cost)),
        today=TODAY,
    )
    return question_of(request, size=measure(request), rules=rules, health=KnownHealth())


def test_what_may_serve_has_a_score_of_its_four_factors():
    looked_at = look_at(FACTS, question())
    assert isinstance(looked_at, Scored)
    assert looked_at.score == score_of(looked_at.parts, Weights())
    assert looked_at.name == "openrouter/gpt-6.1-sol"


def test_what_is_too_dear_is_left_out_with_the_least_it_would_cost():
    left_out = look_at(FACTS, question(max_cost=1))
    assert left_out.reason.kind is ReasonKind.TOO_DEAR
    assert left_out.needed_nusd > 1


@given(st.tuples(SHARES, SHARES, SHARES, SHARES), st.integers(0, 3), SHARES)
def test_a_better_factor_never_makes_a_score_worse(parts, place, other):
    """Shortlists stand on it."""
    better = list(parts)
    better[place] = max(parts[place], other)
    assert score_of(tuple(better), Weights()) >= score_of(parts, Weights())
