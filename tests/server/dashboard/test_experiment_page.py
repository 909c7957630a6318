"""Experiments are shown with both sides, what that proves and the commands that decide, in both languages."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from orchestrator.access.api_keys import Role
from orchestrator.core.language import Language
from orchestrator.core.money import NanoUsd
from orchestrator.experiments.comparison import Finding, MeasuredArms, MetricComparison
from orchestrator.experiments.confidence import ConfidenceInterval, Sample
from orchestrator.experiments.decision import DecidedBy, Verdict, decided
from orchestrator.experiments.experiment import ExperimentState, experiment_from
from orchestrator.experiments.settings import ExperimentMode, ExperimentSettings, Metric
from orchestrator.experiments.standing import ExperimentStanding
from orchestrator.ledger.periods import Window
from orchestrator.ledger.records import BudgetStatus
from orchestrator.server.dashboard.experiment_page import ShownExperiment, experiments, shadow_budgets
from orchestrator.server.dashboard.viewer import Viewer
from orchestrator.server.dashboard.words import DASHBOARD_EN, DASHBOARD_VI

NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
LUNA = "openrouter/gpt-6-luna"
SETTINGS = ExperimentSettings.model_validate(
    {"use_case": "customer_service", "candidate": LUNA, "mode": "ab", "share": 0.25, "metric": "rating"}
)
ENGLISH = Viewer(None, frozenset(), Language.EN, ZoneInfo("UTC"))
VIETNAMESE = replace(ENGLISH, language=Language.VI)


def standing(finding=Finding.WORSE, state=ExperimentState.RUNNING, *, verdict=None, never=False):
    decision = verdict and decided("faq", verdict, candidate="c", at=NOW, by=DecidedBy.RULE, reason="why")
    experiment = experiment_from("faq", SETTINGS, live=(), decision=None)
    comparison = MetricComparison(
        Metric.RATING,
        Sample(150, 4.5, 0.1),
        Sample(149, 3.25, 0.1),
        ConfidenceInterval(-1.25, -1.5, -1.0),
        finding,
    )
    measured = MeasuredArms(300, 299, (comparison,), {LUNA: 0 if never else 299}, never_answered=never)
    return ExperimentStanding(replace(experiment, decision=decision), state, measured)


def page(viewer, *standings, budgets=()):
    return "".join(experiments(viewer, [ShownExperiment(each, budgets) for each in standings]))


@pytest.mark.parametrize(("viewer", "verdict"), [(ENGLISH, "worse"), (VIETNAMESE, "kém hơn")])
def test_it_shows_sides_n_interval_verdict_and_the_commands(viewer, verdict):
    shown = page(viewer, standing())
    for number in ("4.50", "3.25", "-1.50 … -1.00", "25.0 %"):
        assert viewer.figures.said(number) in shown
    for words in ("(n = 150)", "(n = 149)", verdict, "300 / 299", LUNA):
        assert words in shown
    assert "orchestrator experiment promote faq --anyway" in shown
    assert "orchestrator experiment roll-back faq" in shown


def test_what_is_proven_is_promoted_without_a_word_more_and_what_is_decided_is_said():
    assert "promote faq</pre>" in page(ENGLISH, standing(Finding.BETTER))
    never = page(ENGLISH, standing(Finding.BETTER, never=True))
    assert "--anyway" in never
    assert "has answered no request" in never
    over = page(VIETNAMESE, standing(state=ExperimentState.ROLLED_BACK, verdict=Verdict.ROLLED_BACK))
    assert "đã hoàn tác · do quy tắc · 2026-11-23 05:00:00" in over
    assert "roll-back faq" not in over
    assert "roll-back faq" in page(
        ENGLISH, standing(state=ExperimentState.PROMOTED, verdict=Verdict.PROMOTED)
    )


def test_the_budget_of_its_shadows_is_shown_and_nobody_elses():
    limits = [
        BudgetStatus(
            scope, Window.DAY, "2026-11-23", NanoUsd(2 * 10**9), NanoUsd(10**9), NanoUsd(0), NOW, NOW
        )
        for scope in ("tenant:shadow:faq", "tenant:shadow:faq2", "all")
    ]
    own = shadow_budgets(limits, "faq")
    assert [status.scope for status in own] == ["tenant:shadow:faq"]
    assert "$1.00 / $2.00" in page(ENGLISH, standing(), budgets=own)


def test_every_state_finding_metric_and_mode_has_words_in_both_languages():
    kinds = {
        "state": ExperimentState,
        "finding": Finding,
        "metric": Metric,
        "mode": ExperimentMode,
        "by": DecidedBy,
    }
    for kind, members in kinds.items():
        for member in members:
            assert {DASHBOARD_EN[f"{kind}_{member.value}"], DASHBOARD_VI[f"{kind}_{member.value}"]}


def test_operations_see_it_over_the_server_and_tenants_do_not(serve):
    shadow = {
        "use_case": "customer_service", "candidate": LUNA, "mode": "shadow", "share": 1.0, "metric": "cost",
        "budget": {"day": 1.5},
    }  # fmt: skip
    running = serve({"experiments": {"faq": shadow}})
    keys = [running.make_key(roles=roles) for roles in ((Role.READ,), (Role.READ, Role.OPERATE))]
    running.orchestrator.complete("Hello?")
    answers = []
    for key in keys:
        with running.client(key) as client:
            answers.append(client.get("/dashboard/parts/experiments", params={"lang": "vi"}))
    assert [answer.status_code for answer in answers] == [403, 200]
    assert "hỏi song song" in answers[1].text
    assert "/ $1,50" in answers[1].text
