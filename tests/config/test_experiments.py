"""Experiments of config.yaml: each mistake with its line and what to do; decisions are followed."""

from datetime import UTC, datetime

import orjson
import pytest

from orchestrator.config.policy_files import measured_under
from orchestrator.core.errors import ConfigError
from orchestrator.experiments.decision import DecidedBy, Verdict, decided, decision_path, write_decision
from orchestrator.experiments.experiment import ExperimentState
from tests.conftest import TODAY

LUNA, SONNET = "openrouter/gpt-6-luna", "openrouter/claude-sonnet-5.5"
AB = {"use_case": "customer_service", "candidate": LUNA, "mode": "ab", "share": 0.2, "metric": "rating"}
SHADOW = {**AB, "mode": "shadow", "metric": "cost", "budget": {"day": 1.5}}


def faq(fields=AB, **changes):
    return {"experiments": {"faq": {**fields, **changes}}}


def judge(deployment=SONNET, *, budget=None):
    return {"deployment": deployment, "budget": {"day": 1} if budget is None else budget}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (faq(share=1.2), "experiments.faq.share: input should be less than or equal to 1"),
        (faq(share=0), "experiments.faq.share: input should be greater than 0"),
        (faq(share=True), "experiments.faq.share: true and false"),
        (faq(share=1), "with a share of 1 nobody is left to compare with"),
        (faq(use_case="customer_servise"), "unknown use case 'customer_servise'. Did you mean 'customer_service'?"),
        (faq(candidate="openrouter/gpt-6-lunar"), "unknown deployment 'openrouter/gpt-6-lunar'. Did you mean"),
        (faq(candidate="gpt-6-luna"), "'gpt-6-luna' is a model: name one of its deployments"),
        (faq(candidate={"escalate": {"models": [LUNA]}}), "experiments.faq.candidate.escalate.models"),
        (faq(candidate={"constant": LUNA, "score": {}}), "a policy is exactly one of"),
        (faq(use_case="embedding"), "makes embeddings, and experiments are on chats"),
        (faq(candidate="openai/text-embedding-3-small"), "makes embeddings, and experiments are on chats"),
        (faq(mode="canary"), "experiments.faq.mode"),
        (faq(metric="happiness"), "experiments.faq.metric"),
        (faq(metric="checks"), "metric 'checks' needs 'checks'"),
        (faq(rule="promote"), "experiments.faq.rule"),
        (faq(start="2026-12-01", end="2026-11-30"), "it ends before it starts"),
        (faq(start="soon"), "experiments.faq.start"),
        (faq(budget={"day": 1}), "'budget' is for shadows"),
        (faq(SHADOW, budget=None), "shadows need a budget of their own"),
        (faq(SHADOW, budget={}), "a budget of shadows or of their judge needs a day, a week or a month"),
        (faq(SHADOW, budget={"day": 0}), "a limit of 0 would refuse everything"),
        (faq(SHADOW, metric="correction_rate"), "nobody corrects what nobody reads"),
        (faq(SHADOW, metric="judge"), "metric 'judge' needs 'judge': who compares, and for how much"),
        (faq(judge=judge()), "'judge' is for shadows; in ab no request has two answers"),
        (faq(SHADOW, judge=judge(LUNA)), "a judge that is the candidate itself prefers its own words"),
        (faq(SHADOW, judge=judge("openrouter/claude-sonet-5.5")), "Did you mean 'openrouter/claude-sonnet-5.5'?"),
        (faq(SHADOW, judge=judge("openai/text-embedding-3-small")), "makes embeddings"),
        (faq(SHADOW, judge={"deployment": SONNET}), "'experiments.faq.judge.budget' is missing"),
        (faq(SHADOW, judge=judge(budget={})), "a budget of shadows or of their judge needs a day"),
        (faq(checks=[{"function": "mine"}]), "a check of your own program would hold answers up"),
        (faq(shares=0.1), "unknown key 'experiments.faq.shares'. Did you mean 'share'?"),
        ({"experiments": {"FAQ test": AB}}, "experiments.FAQ test"),
        ({"experiments": {"faq": {**AB, "candidate": {"file": "policies/none.json"}}}}, "cannot be read"),
        ({"experiments": {"faq": {**AB, "candidate": {"file": "policies/none.json"}}}}, "name another 'candidate'"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_line(make_config, changes, words):
    with pytest.raises(ConfigError) as refused:
        make_config(changes)
    assert words in str(refused.value)
    assert "config.yaml:" in str(refused.value).splitlines()[0]


@pytest.mark.parametrize(
    ("first", "second", "is_refused"),
    [
        ({}, {}, True),
        ({"end": "2026-11-30"}, {"start": "2026-11-30"}, True),
        ({"end": "2026-11-29"}, {"start": "2026-11-30"}, False),
        ({}, {"use_case": "cost_sensitive"}, False),
    ],
)
def test_two_at_the_same_time_on_one_use_case_are_refused(make_config, first, second, is_refused):
    changes = {"experiments": {"first": {**AB, **first}, "second": {**AB, **second}}}
    if not is_refused:
        assert len(make_config(changes).experiments) == 2
        return
    with pytest.raises(ConfigError, match="'second' and 'first' are both on use case 'customer_service'"):
        make_config(changes)


def decide(config, verdict, **changes):
    known = config.experiments[0]
    decision = decided(
        known.name, verdict, candidate=known.candidate, at=datetime(2026, 11, 23, tzinfo=UTC),
        by=DecidedBy.COMMAND, reason="",
    )  # fmt: skip
    path = decision_path(config.path, known.name)
    write_decision(path, decision.model_copy(update=changes))
    return path


def test_a_decision_changes_the_configuration_and_is_watched(make_config):
    before = make_config(faq())
    path = decide(before, Verdict.PROMOTED)
    after = make_config(faq())
    assert path in before.secret_files
    assert after.fingerprint != before.fingerprint
    assert after.experiments[0].state(TODAY) is ExperimentState.PROMOTED


def test_what_is_rolled_back_is_in_nobodys_way_and_what_is_promoted_always_is(make_config):
    second = {"experiments": {"faq": {**AB, "end": "2026-11-01"}, "next": {**AB, "start": "2026-11-20"}}}
    first = make_config(faq(end="2026-11-01"))
    decide(first, Verdict.ROLLED_BACK)
    make_config(second)
    decide(first, Verdict.PROMOTED)
    with pytest.raises(ConfigError, match="both on use case"):
        make_config(second)


def test_a_broken_decision_refuses_the_change_and_says_what_to_do(make_config):
    path = decision_path(make_config().path, "faq")
    path.parent.mkdir()
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="no decision"):
        make_config(faq())


def test_the_candidate_is_the_policy_of_its_use_case_and_of_no_other(make_config):
    config = make_config(faq())
    primary = config.settings.use_cases["customer_service"].route[0].deployment
    changed = config.with_candidate("faq").settings
    assert [changed.use_cases["customer_service"].route[place].deployment for place in (0, 1)] == [
        LUNA,
        primary,
    ]
    assert changed.use_cases["cost_sensitive"] == config.settings.use_cases["cost_sensitive"]
    assert config.with_candidate("faq") is config.with_candidate("faq")


def test_a_measured_policy_is_a_candidate_and_its_conditions_hold_for_it(make_config, tmp_path):
    (tmp_path / "policies").mkdir()
    path = tmp_path / "policies" / "faq.json"
    conditions = measured_under(make_config().settings, "customer_service", (LUNA, SONNET))
    policy = {"version": "9", "escalate": {"models": [LUNA, SONNET], "checks": [{"min_chars": 1}]}}
    content = {"use_case": "customer_service", "policy": policy, "measured": {"conditions": conditions}}
    path.write_bytes(orjson.dumps(content))
    changes = faq(candidate={"file": "policies/faq.json"})
    assert make_config(changes).experiments[0].settings.candidate.escalate.models == (LUNA, SONNET)
    path.write_bytes(orjson.dumps({**content, "measured": {"conditions": {**conditions, "max_tokens": 5}}}))
    with pytest.raises(ConfigError, match="measured with max_tokens 5"):
        make_config(changes)
    path.write_bytes(orjson.dumps({**content, "use_case": "cost_sensitive"}))
    with pytest.raises(ConfigError, match="of use case 'cost_sensitive'"):
        make_config(changes)


def test_no_use_case_has_a_name_of_shadows(make_config, shipped_data):
    support = shipped_data["use_cases"]["customer_service"]
    with pytest.raises(
        ConfigError, match=r"config.yaml:\d+:\d+.*begins with 'shadow:'.*give it another name"
    ):
        make_config({"use_cases": {"shadow:faq": support}})
    assert "shadows" in make_config({"use_cases": {"shadows": support}}).settings.use_cases


def test_the_budget_of_shadows_is_a_limit_of_its_own(make_config):
    limits = make_config(faq(SHADOW)).limits.all_of("tenant:shadow:faq")
    assert {window.value: limit.limit_nusd for window, limit in limits.items()} == {"day": 1_500_000_000}


def test_the_judge_has_a_limit_of_its_own_and_another_judge_begins_anew(make_config):
    judged = make_config(faq(SHADOW, judge=judge(budget={"day": 0.5})))
    limits = judged.limits.all_of("tenant:shadow:faq:judge")
    assert {window.value: limit.limit_nusd for window, limit in limits.items()} == {"day": 500_000_000}
    labels = {each: make_config(faq(SHADOW, **more)).experiments[0].label for each, more in {
        "none": {}, "sonnet": {"judge": judge(budget={"day": 2})}, "sol": {"judge": judge("openrouter/gpt-6.1-sol")},
    }.items()}  # fmt: skip
    assert labels["sonnet"] == judged.experiments[0].label
    assert len(set(labels.values())) == 3
