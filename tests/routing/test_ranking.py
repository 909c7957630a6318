"""Which deployments are asked, in which order and why: each rule of the plan, and that none changes another's score."""

from dataclasses import replace
from datetime import date

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.catalog.models import Capability, Mode
from orchestrator.config.loader import embedded_path, load_config
from orchestrator.config.modes import use_cases_of
from orchestrator.core.language import Language
from orchestrator.core.money import NanoUsd, nano_usd
from orchestrator.core.plan import Reason, ReasonKind
from orchestrator.core.prompt_size import InputBound
from orchestrator.core.request import ChatRequest
from orchestrator.ledger.budgets import BudgetTier
from orchestrator.routing.capabilities import needs_of
from orchestrator.routing.eligibility import DeploymentHealth, KnownHealth
from orchestrator.routing.estimate import measure
from orchestrator.routing.facts import facts_of
from orchestrator.routing.ranking import rank
from orchestrator.routing.scoring import RankingContext
from orchestrator.routing.settings import OnLimit, OnLimitSettings, RouteOrder, Weights
from orchestrator.routing.shortlist import Shortlists
from orchestrator.routing.token_calibration import TokenRatio
from tests.routing.plain_ranking import plain_rank

TODAY = date(2026, 11, 23)
CONFIG = load_config(
    embedded_path(),
    today=TODAY,
    environment={"OPENROUTER_API_KEY": "a", "GEMINI_API_KEY": "b", "OPENAI_API_KEY": "c"},
)
DEPLOYMENTS = tuple(CONFIG.catalog.deployments.values())
NAMES = [one.name for one in DEPLOYMENTS]
USE_CASES = use_cases_of(CONFIG.settings, Mode.CHAT)
LOCAL = "local/smollm2-135m-instruct"
SOL = "openrouter/gpt-6.1-sol"
LUNA = "openrouter/gpt-6-luna"


def plan_of(
    prompt="Đơn hàng của tôi ở đâu?",
    *,
    deployments=DEPLOYMENTS,
    health=None,
    rules=None,
    settings=None,
    plain=False,
    **wanted,
):
    """Rank as the client does; `rules` and `settings` replace fields of the rules and of the use case."""
    request = ChatRequest.of(prompt, **{"use_case": "customer_service", **wanted})
    use_case = CONFIG.settings.use_cases[request.use_case].model_copy(update=settings or {})
    usual_rules = RankingContext(
        use_case_name=request.use_case,
        use_case=use_case,
        routing=CONFIG.settings.routing.model_copy(update={"max_candidates": len(DEPLOYMENTS)}),
        needs=needs_of(request),
        ceiling=None,
        today=TODAY,
    )
    applied = usual_rules._replace(**(rules or {}))
    if plain:
        return plain_rank(request, deployments, size=measure(request), rules=applied, vitals=health or {})
    facts = facts_of(deployments, use_case_name=request.use_case, use_case=use_case, today=applied.today)
    return rank(
        request,
        facts.values(),
        size=measure(request),
        rules=applied,
        health=KnownHealth(health or {}),
        shortlists=Shortlists(facts),
    )


def order_of(plan):
    return [one.deployment for one in plan.candidates]


def reasons_of(plan):
    return {one.deployment: one.reason.text for one in plan.excluded}


def texts_of(candidate):
    return [reason.text for reason in candidate.reasons]


# ---- the order


@pytest.mark.parametrize("use_case", ["customer_service", "content_generation", "data_analysis"])
def test_the_route_of_a_use_case_is_its_order_and_every_place_says_why(use_case):
    plan = plan_of(use_case=use_case)
    route = CONFIG.settings.use_cases[use_case].route
    hosted = [step for step in route if step.deployment != LOCAL]
    assert order_of(plan)[: len(hosted)] == [step.deployment for step in hosted]
    for step, candidate in zip(hosted, plan.candidates, strict=False):
        assert candidate.reasons[0] == Reason(ReasonKind.ROUTE, step.reason)


@pytest.mark.parametrize("use_case", USE_CASES)
def test_the_emergency_model_is_last_whatever_its_score(use_case):
    """It is free and fast, so its score is high, and its answers are poor."""
    for order in RouteOrder:
        assert order_of(plan_of(use_case=use_case, settings={"order": order}))[-1] == LOCAL


@pytest.mark.parametrize("use_case", USE_CASES)
def test_every_deployment_is_a_candidate_when_nothing_speaks_against_it(use_case):
    assert sorted(order_of(plan_of(use_case=use_case))) == sorted(NAMES)


@pytest.mark.parametrize("longest", [1, 2, 6])
@pytest.mark.parametrize("use_case", USE_CASES)
def test_a_plan_keeps_its_first_places_and_the_emergency_model(use_case, longest):
    routing = CONFIG.settings.routing.model_copy(update={"max_candidates": longest})
    whole, short = plan_of(use_case=use_case), plan_of(use_case=use_case, rules={"routing": routing})
    assert order_of(short) == [*order_of(whole)[: max(1, longest - 1)], LOCAL]
    behind = f"stands behind the first {longest} (routing.max_candidates)"
    assert reasons_of(short) == dict.fromkeys(order_of(whole)[max(1, longest - 1) : -1], behind)


def test_with_order_score_the_best_score_is_first():
    plan = plan_of(use_case="cost_sensitive")
    floor = CONFIG.settings.use_cases["cost_sensitive"].quality_floor
    above = [one.score for one in plan.candidates if one.parts["quality"] >= floor]
    assert above == sorted(above, reverse=True)
    assert len(above) > 10


def test_a_model_below_the_quality_floor_is_asked_only_after_all_above_it():
    for order in RouteOrder:
        plan = plan_of(settings={"quality_floor": 0.77, "order": order})
        enough = [one.parts["quality"] >= 0.77 for one in plan.candidates]
        assert enough == sorted(enough, reverse=True)
        assert {True, False} == set(enough)
        low = next(one for one in plan.candidates if one.deployment == LUNA)
        assert "below the quality floor 0.77 of the use case" in texts_of(low)


def test_a_named_model_is_asked_alone_at_its_best_provider_first():
    names = tuple(one.name for one in CONFIG.catalog.named("gpt-6-luna"))
    plan = plan_of(rules={"pinned": names})
    assert order_of(plan) == ["openrouter/gpt-6-luna", "openai/gpt-6-luna"]
    assert {texts_of(one)[0] for one in plan.candidates} == {"asked for by name"}
    assert all(one.pinned for one in plan.candidates)
    assert not any(one.pinned for one in plan_of().candidates)
    assert reasons_of(plan)[SOL] == "another model was asked for by name"


@pytest.mark.parametrize("language", [Language.VI, None])
@pytest.mark.parametrize("use_case", USE_CASES)
def test_the_emergency_model_is_asked_for_no_language_that_it_does_not_write(use_case, language):
    """Words that are none would be worse than an apology; all others write most languages."""
    plan = plan_of(use_case=use_case, rules={"evident_language": language})
    assert order_of(plan) == [name for name in order_of(plan_of(use_case=use_case)) if name != LOCAL]
    left_out = {one.deployment: one.reason for one in plan.excluded}
    assert left_out[LOCAL].kind is ReasonKind.LANGUAGE
    assert left_out[LOCAL].text.endswith("the emergency model writes en alone")


def test_the_emergency_model_that_is_asked_for_by_name_answers_in_any_language():
    assert order_of(plan_of(rules={"pinned": (LOCAL,), "evident_language": Language.VI})) == [LOCAL]


def test_the_emergency_model_writes_a_short_answer_whatever_is_asked_for():
    """On one thread of a busy machine a long one would pass the deadline."""
    local = plan_of(max_tokens=4_000).candidates[-1]
    assert (local.deployment, local.max_tokens) == (LOCAL, 120)


def test_the_emergency_model_is_served_when_it_is_asked_for_by_name():
    assert order_of(plan_of(rules={"pinned": (LOCAL,)})) == [LOCAL]


# ---- the score


def test_the_weights_of_the_source_are_the_default():
    assert CONFIG.settings.routing.weights == Weights(quality=0.4, cost=0.3, speed=0.2, specialisation=0.1)


@pytest.mark.parametrize(
    "weights",
    [{"quality": 0.5}, {"quality": 0, "cost": 0, "speed": 0, "specialisation": 0}, {"cost": 0.31}],
)
def test_weights_that_do_not_add_up_to_1_are_refused(weights):
    with pytest.raises(ValidationError, match="must add up to 1, these add up to"):
        Weights(**weights)


def test_weights_may_differ_from_1_by_what_floats_do():
    assert Weights(quality=0.1, cost=0.2, speed=0.3, specialisation=0.4).specialisation == 0.4


shares = st.integers(0, 10)
weights = (
    st.tuples(shares, shares, shares, shares)
    .filter(any)
    .map(
        lambda parts: Weights(
            **dict(zip(Weights.model_fields, (part / sum(parts) for part in parts), strict=True))
        )
    )
)


@hypothesis.settings(max_examples=40)
@given(st.sampled_from(USE_CASES), weights)
def test_a_score_is_the_weighted_sum_of_four_parts_between_0_and_1(use_case, chosen):
    for one in plan_of(use_case=use_case, settings={"weights": chosen}).candidates:
        assert set(one.parts) == set(Weights.model_fields)
        assert all(0 <= part <= 1 for part in one.parts.values())
        expected = sum(part * getattr(chosen, name) for name, part in one.parts.items())
        assert one.score == pytest.approx(expected, abs=2e-4)
        assert 0 <= one.score <= 1


@hypothesis.settings(max_examples=40)
@given(st.sets(st.sampled_from(NAMES), min_size=1), st.sampled_from(USE_CASES))
def test_other_deployments_never_change_a_score_or_the_order_of_the_rest(names, use_case):
    everybody = plan_of(use_case=use_case)
    some = plan_of(use_case=use_case, deployments=[one for one in DEPLOYMENTS if one.name in names])
    assert list(some.candidates) == [one for one in everybody.candidates if one.deployment in names]


def part(name, plan, deployment=LUNA):
    return next(one for one in plan.candidates if one.deployment == deployment).parts[name]


def with_price(usd_per_mtok):
    """Return the deployments, those of Luna at another price."""
    return [
        replace(
            one,
            price=one.price.model_copy(update={"input": 0, "output": nano_usd(usd_per_mtok), "tiers": ()}),
        )
        if one.name == LUNA
        else one
        for one in DEPLOYMENTS
    ]


@pytest.mark.parametrize(
    ("usd_per_request", "score"),
    [("0", 1), ("0.00005", 1), ("0.0001", 1), ("0.001", 2 / 3), ("0.01", 1 / 3), ("0.1", 0), ("5", 0)],
)
def test_the_scale_of_cost_is_logarithmic_from_a_hundredth_of_a_cent_to_ten_cents(usd_per_request, score):
    """An expected 400 output tokens of 1,000 make the cost of the request."""
    per_mtok = float(usd_per_request) / 400 * 1e6
    plan = plan_of(deployments=with_price(per_mtok), max_tokens=1000)
    assert part("cost", plan) == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize(("latency_s", "score"), [(0, 1), (10, 0.5), (30, 0.25)])
def test_the_scale_of_speed_is_one_half_at_ten_seconds(latency_s, score):
    assert part("speed", plan_of(health={LUNA: DeploymentHealth(latency_s=latency_s)})) == pytest.approx(
        score
    )


def test_quality_is_that_of_the_use_case():
    for use_case in USE_CASES:
        quality = CONFIG.catalog.deployments[LUNA].model.quality[use_case]
        assert part("quality", plan_of(use_case=use_case)) == quality


def test_the_place_in_the_route_is_the_specialisation():
    parts = [
        part("specialisation", plan_of(), step.deployment)
        for step in CONFIG.settings.use_cases["customer_service"].route
    ]
    assert parts[0] == 1
    assert parts == sorted(parts, reverse=True)
    assert parts[-1] > 0.5 == part("specialisation", plan_of(), "openrouter/deepseek-v3.2")


# ---- who is left out


def test_what_a_request_needs_is_read_from_it():
    content = [
        {"type": "text", "text": "Ảnh"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio"},
        {"type": "file"},
    ]
    request = ChatRequest.of(
        [{"role": "user", "content": content}],
        use_case="customer_service",
        tools=[{"type": "function", "function": {"name": "find_order"}}],
        response_format={"type": "json_schema", "json_schema": {"name": "order", "schema": {}}},
    )
    assert needs_of(request) == {
        Capability.VISION,
        Capability.AUDIO,
        Capability.PDF,
        Capability.TOOLS,
        Capability.STRUCTURED_OUTPUT,
    }
    assert needs_of(ChatRequest.of("Xin chào", use_case="customer_service")) == set()


def test_a_model_that_cannot_do_it_is_left_out_with_the_reason():
    plan = plan_of(tools=[{"type": "function", "function": {"name": "find_order"}}])
    assert reasons_of(plan) == {LOCAL: "cannot: tools"}


def test_a_prompt_longer_than_a_context_leaves_that_model_out():
    plan = plan_of("word " * 100_000)
    left_out = reasons_of(plan)
    assert left_out[LOCAL].startswith("needs about 125,1")
    assert left_out[LOCAL].endswith("its context holds 4,096")
    assert "openrouter/claude-haiku-5.5" in left_out
    assert SOL in order_of(plan)


def test_an_open_circuit_leaves_its_deployment_out():
    plan = plan_of(health={SOL: DeploymentHealth(circuit_open=True)})
    assert reasons_of(plan) == {SOL: "circuit open after repeated failures"}


@pytest.mark.parametrize(
    ("availability", "left_out"), [(None, False), (1.0, False), (0.951, False), (0.949, True), (0.0, True)]
)
def test_only_what_is_95_percent_available_is_asked(availability, left_out):
    """E08, D8: with too few samples (None) a deployment counts as available."""
    plan = plan_of(health={SOL: DeploymentHealth(availability=availability)})
    assert (SOL in reasons_of(plan)) is left_out
    assert (SOL in order_of(plan)) is not left_out


def test_d8_is_shipped_with_a_window_and_a_minimum_of_samples():
    routing = CONFIG.settings.routing
    assert (routing.min_availability, routing.min_samples, routing.availability_window_s) == (0.95, 20, 600)


@pytest.mark.parametrize(("today", "left_out"), [(date(2027, 5, 7), False), (date(2027, 5, 8), True)])
def test_a_model_past_its_last_day_is_left_out(today, left_out):
    plan = plan_of(rules={"today": today})
    reason = reasons_of(plan).get("google/gemini-3.1-flash-lite")
    assert reason == ("switched off by its vendor on 2027-05-07" if left_out else None)


def test_the_price_of_the_day_is_used():
    """google/gemini-4-argon doubles on 2026-12-01."""
    before, after = (
        next(
            one
            for one in plan_of(rules={"today": day}).candidates
            if one.deployment == "google/gemini-4-argon"
        )
        for day in (date(2026, 11, 29), date(2026, 12, 1))
    )
    assert after.bound_nusd == 2 * before.bound_nusd


# ---- money steers


@pytest.mark.parametrize("usd", ["0.005", "0.004", "0.001"])
def test_a_low_budget_goes_to_the_cheap_class_before_it_cuts_an_answer_short(usd):
    """E03: under half a cent a request goes to the class of GPT-3.5-turbo."""
    plan = plan_of(max_cost_nusd=nano_usd(usd))
    assert plan.candidates[0].deployment == LUNA
    assert plan.candidates[0].max_tokens == 800
    assert plan.candidates[0].bound_nusd <= nano_usd(usd)


def test_cost_sensitive_work_under_a_cent_goes_to_cheap_models():
    """E02."""
    plan = plan_of(
        use_case="cost_sensitive", rules={"ceiling": ("use_case:cost_sensitive", nano_usd("0.01"))}
    )
    first = [CONFIG.catalog.deployments[one.deployment].model.tier.value for one in plan.candidates[:5]]
    assert first == ["cheap"] * 5


def test_a_place_where_the_money_does_not_reach_for_the_answer_says_how_far_it_does():
    dear = next(one for one in plan_of(max_cost_nusd=nano_usd("0.005")).candidates if one.deployment == SOL)
    assert 16 <= dear.max_tokens < 800
    assert dear.clamped_from == 800
    assert any(reason.startswith("max_tokens lowered from 800 to ") for reason in texts_of(dear))


SHORT_OF_MONEY = nano_usd("0.005")
"""Enough for the whole answer of a cheap model, and not of the first choice."""


def test_on_limit_cheaper_moves_to_a_model_that_may_answer_in_full():
    """The default; the first choice, shortened, comes behind it."""
    plan = plan_of(max_cost_nusd=SHORT_OF_MONEY)
    assert plan.candidates[0].deployment == LUNA
    assert plan.candidates[0].max_tokens == 800
    assert SOL in order_of(plan)


def test_on_limit_clamp_stays_with_the_first_choice_and_shortens_its_answer():
    plan = plan_of(max_cost_nusd=SHORT_OF_MONEY, settings={"on_limit": OnLimitSettings(choose=OnLimit.CLAMP)})
    assert plan.candidates[0].deployment == SOL
    assert plan.candidates[0].max_tokens < 800
    assert plan.candidates[0].clamped_from == 800
    assert ReasonKind.CLAMPED in {reason.kind for reason in plan.candidates[0].reasons}


def test_on_limit_refuse_takes_neither_a_shorter_answer_nor_another_model():
    plan = plan_of(
        max_cost_nusd=SHORT_OF_MONEY, settings={"on_limit": OnLimitSettings(choose=OnLimit.REFUSE)}
    )
    assert plan.candidates == ()
    assert reasons_of(plan)[SOL] == "costs more than one request may"
    assert reasons_of(plan)[LUNA] == "its use case would rather be refused than take another model (on_limit)"
    needed = next(one.needed_nusd for one in plan.excluded if one.deployment == SOL)
    assert needed > SHORT_OF_MONEY


def test_on_limit_refuse_asks_as_usual_where_the_money_reaches():
    settings = {"on_limit": OnLimitSettings(choose=OnLimit.REFUSE)}
    assert order_of(plan_of(settings=settings)) == order_of(plan_of())
    # Enough for the first choice, and not for a dearer model behind it.
    enough = plan_of(max_cost_nusd=plan_of().candidates[0].bound_nusd, settings=settings)
    assert order_of(enough)[0] == SOL
    assert "openrouter/claude-opus-5.5" not in order_of(enough)
    assert all(one.max_tokens == 800 for one in enough.candidates if one.deployment != LOCAL)


def test_a_place_that_costs_more_than_a_request_may_is_left_out():
    plan = plan_of(max_cost_nusd=NanoUsd(50_000))
    assert reasons_of(plan)[SOL] == "costs more than one request may"


def test_the_free_model_is_left_when_there_is_no_money_at_all():
    assert order_of(plan_of(max_cost_nusd=NanoUsd(1))) == [LOCAL]


@given(
    st.none() | st.integers(1, 10**7).map(NanoUsd),
    st.none() | st.integers(1, 10**7).map(NanoUsd),
    st.integers(1, 4000),
    st.sampled_from(USE_CASES),
)
def test_no_candidate_can_cost_more_than_the_tightest_limit_of_a_request(
    max_cost, ceiling, max_tokens, use_case
):
    plan = plan_of(
        use_case=use_case,
        max_tokens=max_tokens,
        max_cost_nusd=max_cost,
        rules={"ceiling": None if ceiling is None else ("all", ceiling)},
    )
    limits = [limit for limit in (max_cost, ceiling) if limit is not None]
    assert all(one.bound_nusd <= min(limits, default=10**18) for one in plan.candidates)
    assert sorted([*order_of(plan), *reasons_of(plan)]) == sorted(NAMES), "everybody is placed or left out"


def test_no_deployment_left_is_an_empty_plan_with_a_reason_for_each():
    plan = plan_of(health={name: DeploymentHealth(circuit_open=True) for name in NAMES})
    assert plan.candidates == ()
    assert set(reasons_of(plan)) == set(NAMES)


# ---- room for reasoning


def with_room(room):
    """Return the deployments with room for reasoning where their model reasons."""
    return tuple(
        replace(one, model=one.model.model_copy(update={"reasoning_tokens": room}))
        if Capability.REASONING in one.model.capabilities
        else one
        for one in DEPLOYMENTS
    )


def named(plan, deployment):
    return next(one for one in plan.candidates if one.deployment == deployment)


def test_a_model_that_reasons_gets_room_for_it_on_top_of_the_words():
    """And the bound, which is what is held, counts all of it."""
    plan, roomy = plan_of(max_tokens=100), plan_of(max_tokens=100, deployments=with_room(1_000))
    for one in roomy.candidates:
        deployment, before = CONFIG.catalog.deployments[one.deployment], named(plan, one.deployment)
        room = 1_000 if Capability.REASONING in deployment.model.capabilities else 0
        assert (one.max_tokens, one.reasoning_tokens, one.words_tokens) == (100 + room, room, 100)
        assert one.bound_nusd == deployment.price.on(TODAY).bound_of(
            input_tokens=one.input_bound_tokens, output_tokens=100 + room
        )
        assert (one.expected_nusd > before.expected_nusd) is (room > 0)
        assert one.expected_nusd <= one.bound_nusd


def test_the_room_is_on_top_of_what_a_low_budget_leaves_of_the_words():
    tier = BudgetTier(above=0.5, best="premium", max_tokens_share=0.25)
    plan = plan_of(deployments=with_room(1_000), rules={"budget_tier": tier})
    assert (named(plan, SOL).words_tokens, named(plan, SOL).max_tokens) == (200, 1_200)


def test_no_more_is_asked_for_than_a_model_writes():
    most = CONFIG.catalog.models["gpt-6.1-sol"].max_output_tokens
    for words, room in ((most - 10, 10), (most, 0), (most + 10, 0)):
        found = named(plan_of(max_tokens=words, deployments=with_room(1_000)), SOL)
        assert (found.max_tokens, found.reasoning_tokens) == (most, room)


def test_a_request_that_switches_reasoning_off_has_no_room_for_it():
    plan = plan_of(max_tokens=100, deployments=with_room(1_000), reasoning_effort="none")
    assert (named(plan, SOL).max_tokens, named(plan, SOL).reasoning_tokens) == (100, 0)


def test_a_limit_shortens_the_words_and_leaves_the_room():
    """What is told is what the caller asked for: words."""
    deployments = with_room(1_000)
    price = CONFIG.catalog.deployments[SOL].price.on(TODAY)
    whole = named(plan_of(deployments=deployments), SOL)
    ceiling = price.bound_of(input_tokens=whole.input_bound_tokens, output_tokens=1_300)
    short = named(
        plan_of(
            deployments=deployments,
            max_cost_nusd=ceiling,
            settings={"on_limit": OnLimitSettings(choose=OnLimit.CLAMP)},
        ),
        SOL,
    )
    assert (short.max_tokens, short.reasoning_tokens, short.clamped_from) == (1_300, 1_000, 1_800)
    assert short.bound_nusd == ceiling
    assert "max_tokens lowered from 800 to 300 to fit the limit of a request" in texts_of(short)


def test_a_limit_that_leaves_no_word_behind_the_reasoning_is_too_low():
    """An answer that is thought alone would be paid for and say nothing."""
    deployments = with_room(1_000)
    price = CONFIG.catalog.deployments[SOL].price.on(TODAY)
    size = named(plan_of(deployments=deployments), SOL).input_bound_tokens
    least = price.bound_of(input_tokens=size, output_tokens=1_016)
    assert named(plan_of(deployments=deployments, max_cost_nusd=least), SOL).words_tokens == 16
    plan = plan_of(deployments=deployments, max_cost_nusd=NanoUsd(least - 1))
    refused = next(one for one in plan.excluded if one.deployment == SOL)
    assert (refused.reason.kind, refused.needed_nusd) == (ReasonKind.TOO_DEAR, least)


def test_a_context_must_hold_the_room_too():
    context = CONFIG.catalog.models["gpt-6.1-sol"].context_tokens
    prompt = "word " * round((context - 1_500) * 4 / 5)
    assert SOL in order_of(plan_of(prompt))
    assert "its context holds 272,000" in reasons_of(plan_of(prompt, deployments=with_room(4_000)))[SOL]


# ---- what is computed once makes no difference


def in_words(plan):
    """Return a plan without what the plain way does not know: the kinds of its reasons, and typed fields."""

    def worded(candidate):
        texts = tuple(str(reason) for reason in candidate.reasons)
        factors = tuple(candidate.parts.values())
        return candidate._replace(reasons=texts, pinned=False, clamped_from=None, factors=factors)

    return plan._replace(
        candidates=tuple(worded(one) for one in plan.candidates),
        reserve=tuple(worded(one) for one in plan.reserve),
        excluded=tuple(one._replace(reason=str(one.reason)) for one in plan.excluded),
    )


healths = st.builds(
    DeploymentHealth,
    availability=st.none() | st.floats(0, 1),
    latency_s=st.none() | st.floats(0, 60),
    circuit_open=st.booleans(),
    provider_open=st.booleans(),
)
ratios = st.builds(
    TokenRatio,
    samples=st.sampled_from([0, 20, 200]),
    expected_tokens=st.just(10_000),
    counted_tokens=st.integers(2_000, 40_000),
    highest_ratio=st.floats(0.2, 4),
)
tiers = st.builds(
    BudgetTier,
    above=st.just(0.5),
    best=st.sampled_from(["premium", "balanced", "cheap"]),
    max_tokens_share=st.sampled_from([0.25, 1.0]),
)
money = st.none() | st.integers(1, 10**8).map(NanoUsd)
applied_rules = st.fixed_dictionaries(
    {
        "today": st.sampled_from([TODAY, date(2026, 11, 30), date(2026, 12, 1), date(2027, 5, 8)]),
        "pinned": st.none()
        | st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).map(tuple),
        "ceiling": st.none() | st.tuples(st.just("all"), st.integers(1, 10**8).map(NanoUsd)),
        "seen": st.dictionaries(st.sampled_from(sorted(CONFIG.catalog.models)), ratios),
        "input_bound": st.sampled_from(InputBound),
        "budget_tier": st.none() | tiers,
        "language": st.none() | st.sampled_from(Language),
        "evident_language": st.none() | st.sampled_from(Language),
        "routing": st.integers(1, 25).map(
            lambda most: CONFIG.settings.routing.model_copy(update={"max_candidates": most})
        ),
    }
)
use_case_settings = st.fixed_dictionaries(
    {
        "order": st.sampled_from(RouteOrder),
        "on_limit": st.sampled_from(OnLimit).map(lambda choose: OnLimitSettings(choose=choose)),
        "never_degrade": st.booleans(),
        "quality_floor": st.sampled_from([0.0, 0.5, 0.77]),
    }
)


@given(
    prompt=st.sampled_from(["Đơn hàng của tôi ở đâu?", "word " * 100_000, "word " * 3_000]),
    use_case=st.sampled_from(USE_CASES),
    health=st.dictionaries(st.sampled_from(NAMES), healths),
    rules=applied_rules,
    settings=use_case_settings,
    more=st.fixed_dictionaries(
        {
            "max_tokens": st.none() | st.integers(1, 5_000) | st.just(65_000),
            "max_cost_nusd": money,
            "reasoning_effort": st.sampled_from([None, "none", "low"]),
        }
    ),
    room=st.sampled_from([0, 1_024, 8_000]),
    tools=st.booleans(),
)
def test_a_plan_is_the_one_of_the_plain_way(prompt, use_case, health, rules, settings, more, room, tools):
    """Word for word, its order and its prices included, whatever the request, the health and the money."""
    more = {name: value for name, value in more.items() if value is not None}
    deployments = with_room(room)
    wanted = {"use_case": use_case, "health": health, "rules": rules, "settings": settings, **more}
    if tools:
        wanted["tools"] = [{"type": "function", "function": {"name": "find_order"}}]
    plan = plan_of(prompt, deployments=deployments, **wanted)
    assert in_words(plan) == plan_of(prompt, deployments=deployments, plain=True, **wanted)
    pinned, shown = rules["pinned"] is not None, plan.asked
    assert {one.pinned for one in shown} <= {pinned}
    clamped = {one.deployment for one in shown if one.clamped_from is not None}
    assert clamped == {one.deployment for one in shown if "max_tokens lowered" in "".join(texts_of(one))}
