"""Who is left out before any score, and why: each filter with its reason, whoever was asked for by name."""

import pytest

from orchestrator.catalog.data_policy import DataPolicy, Demands
from orchestrator.core.errors import UnavailableError
from orchestrator.core.plan import ReasonKind
from orchestrator.routing.eligibility import why_not_demanded

SOL, LUNA, FLASH = "openrouter/gpt-6.1-sol", "openai/gpt-6-luna", "google/gemini-3.8-flash"
STATED = {
    "openrouter": {"data_policy": {"region": "us", "training": True, "retention_days": 30}},
    "google": {"data_policy": {"region": "eu-west-4", "training": False, "retention_days": 0}},
}
PICTURE = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
TOOLS = [{"type": "function", "function": {"name": "find_order"}}]


def explained(
    make_orchestrator, *, demands=None, tenants=None, providers=STATED, prompt="Where is it?", **fields
):
    changes = {
        # The one on board, which the tests' environment replaces.
        "local_model": {"base_url": None},
        "providers": providers,
        "use_cases": {"customer_service": {"demands": demands or {}}},
        "routing": {"tenants": tenants or {}},
    }
    return make_orchestrator(changes).explain(prompt, use_case="customer_service", **fields)


@pytest.mark.parametrize(
    ("demands", "kind", "words"),
    [
        ({"regions": ["eu", "vn"]}, ReasonKind.REGION, "in eu or vn, and its region is us"),
        ({"no_training": True}, ReasonKind.DATA_POLICY, "not to be learned from, and there they may be"),
        (
            {"retention_days_max": 7},
            ReasonKind.DATA_POLICY,
            "for 7 days at most, and there they are for 30 days",
        ),
    ],
)
def test_a_use_case_asks_only_whom_its_demands_allow(make_orchestrator, demands, kind, words):
    """What is not stated meets no demand; the model on board sends nothing anywhere, and meets all."""
    plan = explained(make_orchestrator, demands=demands)
    providers = {name.split("/")[0] for name in (step.deployment for step in plan.asked)}
    assert providers == {"google", "local"}
    reason = plan.why_left_out(SOL)
    assert reason.kind is kind
    assert words in reason.text
    assert "not stated" in plan.why_left_out(LUNA).text


def test_a_tenant_demands_beside_its_use_case_and_for_itself_alone(make_orchestrator):
    tenants = {"acme": {"no_training": True}}
    policies = {
        "openrouter": {"data_policy": {"region": "eu", "training": True}},
        "google": {"data_policy": {"region": "us", "training": False}},
        "openai": {"data_policy": {"region": "eu", "training": False}},
    }
    settings = {"demands": {"regions": ["eu"]}, "tenants": tenants, "providers": policies}
    acme = explained(make_orchestrator, **settings, tenant="acme")
    other = explained(make_orchestrator, **settings, tenant="other")
    assert {step.deployment.split("/")[0] for step in acme.asked} == {"openai", "local"}
    assert {step.deployment.split("/")[0] for step in other.asked} == {"openai", "openrouter", "local"}


def test_a_model_by_name_is_no_way_around_a_demand(make_orchestrator):
    with pytest.raises(UnavailableError, match=r"openrouter/gpt-6\.1-sol.*in vn, and its region is us"):
        explained(make_orchestrator, demands={"regions": ["vn"]}, model=SOL)


def test_hosts_that_keep_nothing_meet_what_is_demanded_of_them(make_orchestrator):
    changes = {
        "use_cases": {
            "customer_service": {
                "demands": {"no_training": True, "retention_days_max": 0},
                "openrouter_preferences": {"zdr": True},
            }
        }
    }
    plan = make_orchestrator(changes).explain("Where is it?", use_case="customer_service")
    assert plan.why_left_out(SOL) is None
    assert plan.why_left_out(LUNA).kind is ReasonKind.DATA_POLICY


@pytest.mark.parametrize(
    ("prompt", "is_asked"),
    [
        ("Where is my order?", True),
        ("Ou est ma commande svp", False),
        ("我的订单在哪里？", False),
        ("DH1001", True),
    ],
)
def test_the_emergency_model_is_asked_where_the_words_show_its_language(make_orchestrator, prompt, is_asked):
    """French looks like English to whoever looks at the letters alone."""
    plan = make_orchestrator().explain(prompt)
    assert any(one.deployment.startswith("local/") for one in plan.asked) is is_asked


def test_a_reply_is_asked_only_of_models_that_list_its_language_where_that_is_demanded(make_orchestrator):
    changes = {
        "models": {"gpt-6.1-sol": {"languages": ["en"]}},
        "use_cases": {"customer_service": {"demands": {"listed_languages": True}}},
    }
    orchestrator = make_orchestrator(changes)
    vietnamese = orchestrator.explain("Đơn hàng của tôi ở đâu?", use_case="customer_service")
    assert vietnamese.why_left_out(SOL).text == "the reply is to be in 'vi', and it lists en alone"
    assert vietnamese.why_left_out(SOL).kind is ReasonKind.LANGUAGE
    english = orchestrator.explain("Where is it?", use_case="customer_service")
    assert english.why_left_out(SOL) is None


@pytest.mark.parametrize(
    ("changed", "fields", "words"),
    [
        ({"capabilities": []}, {"tools": TOOLS}, "cannot: tools"),
        ({"capabilities": []}, {"response_format": SCHEMA}, "cannot: structured_output"),
        ({"capabilities": []}, {"prompt": [{"role": "user", "content": PICTURE}]}, "cannot: vision"),
        ({"context_tokens": 600, "max_output_tokens": 512}, {"max_tokens": 2_000}, "its context holds 600"),
    ],
)
def test_what_a_model_cannot_do_or_hold_leaves_it_out(make_orchestrator, changed, fields, words):
    prompt = fields.pop("prompt", "Where is it? " * 300)
    changes = {"models": {"gpt-6.1-sol": {**changed, "reasoning_tokens": 0}}}
    plan = make_orchestrator(changes).explain(prompt, use_case="customer_service", **fields)
    assert words in plan.why_left_out(SOL).text


def test_the_vendors_own_client_is_no_way_around_a_demand(make_orchestrator):
    changes = {"providers": STATED, "routing": {"tenants": {"acme": {"regions": ["vn"]}}}}
    orchestrator = make_orchestrator(changes)
    with pytest.raises(UnavailableError, match="may not serve .* its region is us"):
        orchestrator.native(SOL, tenant="acme", use_case="customer_service")


def test_embeddings_are_made_only_where_the_demands_allow(make_orchestrator):
    changes = {"use_cases": {"embedding": {"demands": {"no_training": True}}}}
    with pytest.raises(UnavailableError, match="not to be learned from"):
        make_orchestrator(changes).embed(["Where is it?"], use_case="embedding")


def test_another_server_in_the_place_of_the_model_on_board_has_to_say_what_it_does(make_orchestrator):
    changes = {
        "local_model": {"base_url": "http://127.0.0.1:9/v1"},
        "use_cases": {"customer_service": {"demands": {"no_training": True}}},
        "providers": STATED,
    }
    plan = make_orchestrator(changes).explain("Where is it?", use_case="customer_service")
    local = "local/smollm2-135m-instruct"
    assert plan.why_left_out(local).kind is ReasonKind.DATA_POLICY


def test_all_demands_hold_and_the_first_that_is_unmet_is_told():
    policy = DataPolicy(region="eu", training=False, retention_days=3)
    both = (Demands(regions=("eu",)), Demands(retention_days_max=1))
    assert why_not_demanded(policy, both[:1]) is None
    assert why_not_demanded(policy, both).kind is ReasonKind.DATA_POLICY
    assert why_not_demanded(None, both) is None


def test_a_route_that_its_own_use_case_never_asks_is_told_when_the_file_is_read(make_config):
    config = make_config(
        {"providers": STATED, "use_cases": {"customer_service": {"demands": {"regions": ["vn"]}}}}
    )
    assert any(f"use case 'customer_service' never asks {SOL}" in line for line in config.notices)
