"""A plan of the few that were looked at is the plan of all, and in a large catalogue few are looked at."""

import random
from dataclasses import replace
from datetime import date

import pytest

from orchestrator.catalog.models import ModelClass
from orchestrator.catalog.price import Price
from orchestrator.config.loader import embedded_path, load_config
from orchestrator.core.language import Language
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import LeftOut, ReasonKind
from orchestrator.core.request import ChatRequest
from orchestrator.ledger.kept_plan import packed_plan, unpacked_plan
from orchestrator.routing import ranking
from orchestrator.routing.capabilities import needs_of
from orchestrator.routing.eligibility import DeploymentHealth, KnownHealth
from orchestrator.routing.estimate import measure
from orchestrator.routing.facts import facts_of
from orchestrator.routing.ranking import rank
from orchestrator.routing.scoring import RankingContext, question_of
from orchestrator.routing.settings import OnLimit, OnLimitSettings, RouteOrder, Weights
from orchestrator.routing.shortlist import Shortlists
from orchestrator.routing.token_calibration import TokenRatio

TODAY = date(2026, 11, 23)
CONFIG = load_config(
    embedded_path(),
    today=TODAY,
    environment={"OPENROUTER_API_KEY": "a", "GEMINI_API_KEY": "b", "OPENAI_API_KEY": "c"},
)
KNOWN = tuple(CONFIG.catalog.deployments.values())
USE_CASE = "customer_service"
TOOLS = [{"type": "function", "function": {"name": "find_order"}}]
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def random_price(chance):
    """Return a price, of which every third is another for long prompts."""
    data = {"input": chance.choice([0.0, 0.1, 1, 15]), "output": chance.choice([0.4, 2, 60])}
    data |= {"date": "2026-11-01", "source": "a test"}
    if chance.random() < 0.3:
        tier = {"above_input_tokens": chance.choice([8, 20, 300]), "input": chance.choice([0.05, 30])}
        data["tiers"] = [{**tier, "output": chance.choice([0.1, 90])}]
    return Price.model_validate(data)


def random_catalogue(chance, size):
    """Return facts of the deployments of config.yaml and of others like them: some twins, some unlike all."""
    deployments = list(KNOWN)
    for number in range(size):
        like = chance.choice(deployments)
        model = like.model.model_copy(
            update={
                "quality": {USE_CASE: chance.choice([0.1, 0.5, 0.52, 0.9])},
                "context_tokens": chance.choice([600, 4_000, 200_000]),
                "speed_tokens_per_s": chance.choice([5.0, 80.0, 300.0]),
                "tier": chance.choice([*ModelClass, ModelClass.BALANCED]),
                "ends": chance.choice([None, None, date(2026, 1, 1)]),
            }
        )
        unlike = {"model": model, "price": random_price(chance)} if chance.random() < 0.7 else {}
        deployments.append(replace(like, name=f"x/{number}", model_name=f"model-{number}", **unlike))
    use_case = CONFIG.settings.use_cases[USE_CASE].model_copy(
        update={
            "order": chance.choice(list(RouteOrder)),
            "on_limit": OnLimitSettings(choose=chance.choice(list(OnLimit))),
            "quality_floor": chance.choice([0.0, 0.5, 0.8]),
            "never_degrade": chance.random() < 0.2,
        }
    )
    return use_case, facts_of(deployments, use_case_name=USE_CASE, use_case=use_case, today=TODAY)


def random_health(chance):
    return DeploymentHealth(
        availability=chance.choice([None, 0.5, 1.0]),
        latency_s=chance.choice([None, 0.1, 20.0]),
        circuit_open=chance.random() < 0.3,
        provider_open=chance.random() < 0.1,
    )


def random_question(chance, use_case, facts):
    """Return a request, and the rules and the health that hold for it."""
    text = chance.choice(["Đơn hàng? ", "order "]) * chance.choice([1, 2, 3, 40, 41, 44, 900])
    content = [{"type": "text", "text": text}, PICTURE] if chance.random() < 0.1 else text
    request = ChatRequest.of(
        [{"role": "user", "content": content}],
        use_case=USE_CASE,
        max_tokens=chance.choice([None, 1, 500, 530, 620, 4_000]),
        tools=TOOLS if chance.random() < 0.2 else None,
    )
    limit = chance.choice([None, None, 10**4, 10**6, 10**7, 10**9])
    tiers = CONFIG.settings.budgets.tiers or (None,)
    names = [name for name in facts if chance.random() < 0.1]
    models = [each.deployment.model_name for each in facts.values() if chance.random() < 0.05]
    rules = RankingContext(
        use_case_name=USE_CASE,
        use_case=use_case,
        routing=CONFIG.settings.routing.model_copy(update={"max_candidates": chance.choice([1, 3, 6, 200])}),
        needs=needs_of(request),
        ceiling=None if limit is None else ("all", NanoUsd(limit)),
        today=TODAY,
        seen={name: TokenRatio(30, 1_000, chance.choice([500, 3_000]), 3.0) for name in models},
        language=chance.choice([None, *Language]),
        evident_language=chance.choice([None, *Language]),
        budget_tier=chance.choice([None, *tiers]),
    )
    well = {name: chance.choice([None, 0.1, 20.0]) for name in facts if chance.random() < 0.1}
    return request, rules, KnownHealth({name: random_health(chance) for name in names}, well)


@pytest.mark.parametrize("seed", range(40))
def test_a_plan_of_few_is_the_plan_of_all(seed):
    """Place by place and reason by reason, for many requests that share the lists of one catalogue."""
    chance = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    use_case, facts = random_catalogue(chance, chance.choice([0, 5, 60]))
    shortlists = Shortlists(facts)
    for _ in range(25):
        request, rules, health = random_question(chance, use_case, facts)
        asked = {"size": measure(request), "rules": rules, "health": health}
        plan, plain = (rank(request, facts.values(), **asked, shortlists=each) for each in (shortlists, None))
        noted = plan.excluded.noted
        assert isinstance(plan.excluded, LeftOut)
        assert plan == plain
        assert all(noted[each.deployment] == each for each in plain.excluded if each.deployment in noted)
        primary = use_case.primary.deployment
        assert plan.why_left_out(primary) == plain.why_left_out(primary)
        named, behind = plan.excluded.kinds
        whole = {each.deployment: each.reason.kind for each in plain.excluded}
        assert len(named) + behind == len(whole)
        # Two may be true of one deployment: that its time is over, and that the request is too long for it.
        assert all(kind in {whole[name], ReasonKind.ENDED} for name, kind in named)
        assert (plan.left_out_kinds == plain.left_out_kinds) or plan.candidates


def spread_catalogue(size):
    """Return facts of a catalogue in which no two deployments are alike."""
    like, deployments = CONFIG.catalog.deployments["openrouter/gpt-6.1-sol"], list(KNOWN)
    price = {"date": "2026-11-01", "source": "a test"}
    for number in range(size):
        share = number / size
        model = like.model.model_copy(
            update={
                "quality": {USE_CASE: 0.3 + 0.6 * share},
                "speed_tokens_per_s": 20 + 300 * (share * 7 % 1),
            }
        )
        cost = 0.1 + 20 * (share * 13 % 1)
        own = Price.model_validate({**price, "input": cost, "output": 4 * cost})
        deployments.append(
            replace(like, name=f"x/{number}", model_name=f"m-{number}", model=model, price=own)
        )
    use_case = CONFIG.settings.use_cases[USE_CASE].model_copy(update={"order": RouteOrder.SCORE})
    return use_case, facts_of(deployments, use_case_name=USE_CASE, use_case=use_case, today=TODAY)


def test_what_is_kept_of_a_plan_needs_no_look_at_all_deployments(monkeypatch):
    use_case, facts = spread_catalogue(1_000)
    request = ChatRequest.of([{"role": "user", "content": "Đơn hàng?"}], use_case=USE_CASE)
    rules = RankingContext(
        use_case_name=USE_CASE,
        use_case=use_case,
        routing=CONFIG.settings.routing,
        needs=needs_of(request),
        ceiling=None,
        today=TODAY,
    )
    shortlists, size = Shortlists(facts), measure(request)
    rank(request, facts.values(), size=size, rules=rules, health=KnownHealth(), shortlists=shortlists)
    plan = rank(request, facts.values(), size=size, rules=rules, health=KnownHealth(), shortlists=shortlists)
    monkeypatch.setattr(ranking, "look_at", None)
    kept = packed_plan(plan)
    assert unpacked_plan(kept.shape, kept.numbers).left_out_more["behind"] > 900


def usual_rules(use_case):
    return RankingContext(
        use_case_name=USE_CASE,
        use_case=use_case,
        routing=CONFIG.settings.routing,
        needs=frozenset(),
        ceiling=("all", NanoUsd(10**9)),
        today=TODAY,
    )


def close_catalogue(size, tier):
    """Return facts of deployments that cost about the same at 1,090 tokens and part on both sides of it."""
    like, deployments = CONFIG.catalog.deployments["openrouter/gpt-6.1-sol"], []
    model = like.model.model_copy(update={"quality": {USE_CASE: 1.0}})
    for number in range(size):
        cost = 0.5 + number / size
        terms = {
            "date": "2026-11-01",
            "source": "a test",
            "tiers": [tier] if tier and number % 5 == 0 else [],
        }
        own = Price.model_validate({**terms, "input": cost, "output": 1_090 * (2 - cost) / 6})
        deployments.append(
            replace(like, name=f"x/{number}", model_name=f"m-{number}", model=model, price=own)
        )
    use_case = CONFIG.settings.use_cases[USE_CASE].model_copy(
        update={"order": RouteOrder.SCORE, "weights": Weights(quality=0, cost=1, speed=0, specialisation=0)}
    )
    return use_case, facts_of(deployments, use_case_name=USE_CASE, use_case=use_case, today=TODAY)


@pytest.mark.parametrize("first", ["the longest", "the shortest"])
@pytest.mark.parametrize("tier", [None, {"above_input_tokens": 1_100, "input": 0.001, "output": 0.001}])
def test_requests_of_one_kind_have_plans_of_their_own(tier, first):
    """Their sizes move the scores past each other, whichever of them the list was made with."""
    use_case, facts = close_catalogue(100, tier)
    shortlists, orders = Shortlists(facts), set()
    for tokens in sorted(range(1_030, 1_140, 10), reverse=first == "the longest"):
        request = ChatRequest.of("word" * tokens, use_case=USE_CASE, max_tokens=16)
        asked = {"size": measure(request), "rules": usual_rules(use_case), "health": KnownHealth()}
        plan, plain = (rank(request, facts.values(), **asked, shortlists=each) for each in (shortlists, None))
        assert plan == plain
        orders.add(tuple(each.deployment for each in plan.candidates))
    assert len(orders) > 1


def test_of_deployments_that_differ_in_their_name_alone_as_many_are_looked_at_as_have_a_place():
    """One list serves every `max_tokens` of about one size, and the plan is that of all."""
    like = CONFIG.catalog.deployments["openrouter/gpt-6.1-sol"]
    twins = [replace(like, name=f"x/{number:04}", model_name=f"m-{number}") for number in range(1_000)]
    use_case = CONFIG.settings.use_cases[USE_CASE].model_copy(update={"order": RouteOrder.SCORE})
    facts = facts_of((*KNOWN, *twins), use_case_name=USE_CASE, use_case=use_case, today=TODAY)
    shortlists, rules = Shortlists(facts), usual_rules(use_case)
    for max_tokens in (400, 450, 500):
        request = ChatRequest.of("Đơn hàng của tôi ở đâu?", use_case=USE_CASE, max_tokens=max_tokens)
        size = measure(request)
        question = question_of(request, size=size, rules=rules, health=KnownHealth())
        assert len(shortlists.looked_at(question)) <= len(KNOWN) + rules.routing.max_candidates
        asked = {"size": size, "rules": rules, "health": KnownHealth()}
        plan, plain = (rank(request, facts.values(), **asked, shortlists=each) for each in (shortlists, None))
        assert plan.candidates == plain.candidates


def test_few_of_a_thousand_are_looked_at_though_the_score_decides():
    use_case, facts = spread_catalogue(1_000)
    request = ChatRequest.of("Đơn hàng của tôi ở đâu? " * 20, use_case=USE_CASE)
    rules = usual_rules(use_case)
    question = question_of(request, size=measure(request), rules=rules, health=KnownHealth())
    assert len(Shortlists(facts).looked_at(question)) <= 60
