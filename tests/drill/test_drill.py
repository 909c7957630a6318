"""What is broken, what a verdict means, and that practice providers stand in for a configuration as it is."""

from dataclasses import replace

import pytest

from orchestrator.config.loader import embedded_path
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import AllProvidersFailedError, RejectedByProviderError, UnknownNameError
from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.reply import ChatReply, Degradation, DegradationKind, Usage
from orchestrator.drill.cases import CLASSES, Case, cases_of, levels_of
from orchestrator.drill.drill import CaseResult, drill, judge
from orchestrator.drill.environment import ANSWER, RESCUED_ANSWER, staged
from orchestrator.practice.odd_answers import HALF_TEXT
from tests.support.prefixed import BEDROCK, CLAUDE, VERTEX, prefixed

CASE = Case("customer_service", "503 at openrouter/gpt-6.1-sol", "503", (), stream=False)
FALLBACK = Degradation((DegradationKind.FALLBACK,), "p/x unavailable")
EMERGENCY = Degradation((DegradationKind.FALLBACK, DegradationKind.EMERGENCY_MODEL), "answered by a poor one")
MISLEADING = Degradation((DegradationKind.PRIMARY_LEFT_OUT,), "p/x left out: like the emergency model")
REPLY = ChatReply("id", ANSWER, "m", "p/m", "p", Usage(), ZERO_NUSD, "stop")


def test_every_class_and_every_level_is_broken_whole_and_streamed(make_config):
    config = make_config()
    cases = list(cases_of(config, "customer_service"))
    levels = levels_of(config, "customer_service")
    assert len(levels) == 5
    for stream in (False, True):
        kinds = [case.kind for case in cases if case.stream is stream]
        assert {*CLASSES} <= {*kinds}
        assert kinds.count("level") == len(levels) - 1
        assert kinds.count("levels") == len(levels) - 1
        assert (kinds.count("provider"), kinds.count("providers")) == (3, 1)


def test_a_level_is_broken_at_its_own_provider_and_model(make_config):
    config = make_config()
    case = next(case for case in cases_of(config, "customer_service") if case.broken.startswith("google/"))
    ((provider, fault),) = case.faults
    assert (provider, fault.model, fault.status) == ("google", "gemini-3.8-flash", 503)


@pytest.mark.parametrize(
    ("case", "end", "late", "verdict"),
    [
        (CASE, replace(REPLY, attempts=(1,)), False, CaseResult.ANSWERED),
        (CASE, replace(REPLY, attempts=(1, 2), degraded=FALLBACK), False, CaseResult.RESCUED),
        (CASE, replace(REPLY, attempts=(1, 2)), False, CaseResult.RESCUED),
        (CASE, replace(REPLY, attempts=(1, 2), degraded=MISLEADING), False, CaseResult.RESCUED),
        (CASE, replace(REPLY, text=ANSWER[:-1], attempts=(1,)), False, CaseResult.FAILED),
        (CASE, replace(REPLY, text=RESCUED_ANSWER, attempts=(1, 2), degraded=FALLBACK), False, CaseResult.FAILED),
        (replace(CASE, stream=True), replace(REPLY, text=RESCUED_ANSWER, attempts=(1, 2), degraded=FALLBACK), False, CaseResult.RESCUED),
        (replace(CASE, stream=True), replace(REPLY, text=HALF_TEXT, attempts=(1,)), False, CaseResult.FAILED),
        (CASE, replace(REPLY, text="hm", degraded=EMERGENCY), False, CaseResult.LAST_RESORT),
        (CASE, replace(REPLY, attempts=(1,)), True, CaseResult.FAILED),
        (CASE, AllProvidersFailedError("nobody"), False, CaseResult.FAILED),
        (CASE, ZeroDivisionError("a secret"), False, CaseResult.FAILED),
        (replace(CASE, kind="bad request", wants_error=True), RejectedByProviderError("no"), False, CaseResult.RIGHT_ERROR),
        (replace(CASE, kind="bad request", wants_error=True), AllProvidersFailedError("nobody"), False, CaseResult.FAILED),
        (replace(CASE, kind="bad request", wants_error=True), replace(REPLY, attempts=(1,)), False, CaseResult.FAILED),
    ],
)  # fmt: skip
def test_a_verdict_is_what_the_caller_saw(case, end, late, verdict):
    result, saw = judge(case, end, late=late)
    assert result is verdict
    assert "a secret" not in saw


@pytest.mark.parametrize(
    ("kind", "verdict"), [("providers", CaseResult.LAST_RESORT), ("level", CaseResult.FAILED)]
)
def test_an_apology_is_a_last_resort_only_where_nobody_could_answer(kind, verdict):
    degraded = Degradation((DegradationKind.NO_ANSWER,), "nobody answered: all down")
    end = replace(REPLY, text="Xin lỗi", apology=True, degraded=degraded)
    result, saw = judge(Case("bulk", "all down", kind, (), stream=False), end, late=False)
    assert result is verdict
    assert saw.startswith("an apology")
    assert "not whole" not in saw


@pytest.mark.parametrize(
    ("changes", "wants_error"),
    [
        ({}, True),
        ({"use_cases": {"customer_service": {"graceful": True}}}, False),
        ({"models": {"smollm2-135m-instruct": {"languages": ["vi", "en"]}}}, False),
        (
            {
                "models": {"smollm2-135m-instruct": {"languages": ["vi", "en"]}},
                "use_cases": {"customer_service": {"never_degrade": True}},
            },
            True,
        ),
    ],
)
def test_where_nobody_is_left_an_error_is_right_unless_a_last_resort_speaks_the_language(
    make_config, changes, wants_error
):
    cases = list(cases_of(make_config(changes), "customer_service", kinds=["providers"]))
    assert {case.wants_error for case in cases} == {wants_error}
    end = AllProvidersFailedError("all are down")
    verdict = CaseResult.RIGHT_ERROR if wants_error else CaseResult.FAILED
    assert {judge(case, end, late=False)[0] for case in cases} == {verdict}
    # The request is no worse than others: that it was refused for itself would be wrong.
    refused = RejectedByProviderError("no")
    assert {judge(case, refused, late=False)[0] for case in cases} == {CaseResult.FAILED}


def test_practice_providers_stand_in_for_a_configuration_as_it_is(tmp_path, shipped_data):
    """Its routes, prices and limits; only addresses, keys, state and the length of waits are others."""
    with staged(embedded_path(), home=tmp_path, clock=SystemClock(), speed=10) as stage:
        drilled, shipped = stage.config.settings, shipped_data
        assert set(stage.servers) == {"openrouter", "google", "openai"}
        assert {deployment.provider_name for deployment in stage.config.catalog.deployments.values()} == {
            *shipped["providers"]
        }
        assert (
            drilled.providers["openrouter"].timeout_s == shipped["providers"]["openrouter"]["timeout_s"] / 10
        )
        assert drilled.providers["local"].timeout_s == shipped["providers"]["local"]["timeout_s"]
        assert drilled.ledger.path.startswith(str(tmp_path))
        assert list(drilled.use_cases) == list(shipped["use_cases"])
        assert len(drilled.budgets.limits) == len(shipped["budgets"]["limits"])


def test_a_chain_without_a_second_level_fails_the_drill(tmp_path, make_config):
    """What a drill is for: somebody took the fallbacks out."""
    lonely = {"use_cases": {"data_analysis": {"fallbacks": []}}, "routing": {"max_candidates": 1}}
    lonely["local_model"] = {"enabled": False}
    done = drill(make_config(lonely), clock=SystemClock(), use_cases=["data_analysis"], kinds=["503"])
    assert done.exit_code == 1
    assert {result.verdict for result in done.results} == {CaseResult.FAILED}
    assert all("AllProvidersFailedError" in result.saw for result in done.failed)


def test_what_there_is_not_to_drill_is_named(make_config):
    with pytest.raises(UnknownNameError, match="Did you mean 'data_analysis'"):
        drill(make_config(), clock=SystemClock(), use_cases=["data_analysi"])
    with pytest.raises(UnknownNameError, match="unknown class of fault '530'"):
        drill(make_config(), clock=SystemClock(), kinds=["530"])


def test_providers_of_litellm_are_drilled_at_practice_providers_in_their_places(make_config, practice):
    """Their vendors' own wire, at the prices of the file, whatever variable their key stands in."""
    changes = prefixed(practice, CLAUDE, BEDROCK, VERTEX)
    changes["providers"]["anthropic"]["api_key"] = "${ANTHROPIC_API_KEY:-}"
    changes["local_model"] = {"enabled": False}
    config = make_config(changes, ANTHROPIC_API_KEY="a-real-key")
    kinds = ["529", "400 that is HTML", "level"]
    done = drill(config, clock=SystemClock(), use_cases=["customer_service"], kinds=kinds, speed=1)
    ends = [*[CaseResult.RESCUED] * 2, *[CaseResult.ANSWERED] * 2]
    assert [result.verdict for result in done.results] == ends * 2
    assert done.results[0].answered_by == BEDROCK
    assert done.booked_nusd == done.billed_nusd > 0
    assert not practice.requests


def test_who_is_led_elsewhere_billed_oddly_or_told_nothing_of_use_ends_as_he_should(make_config) -> None:
    """The first three cost an attempt, a bill costs none, and who is flagged is told so."""
    verdicts = {
        "redirect": CaseResult.RESCUED,
        "thoughts without an end": CaseResult.RESCUED,
        "spaces without an end": CaseResult.RESCUED,
        "403 that is flagged": CaseResult.RIGHT_ERROR,
        "charged to a customer's own key": CaseResult.ANSWERED,
        "counts that are none": CaseResult.ANSWERED,
    }
    done = drill(make_config(), clock=SystemClock(), use_cases=["customer_service"], kinds=list(verdicts))
    assert len(done.results) == 2 * len(verdicts)
    assert {(result.case.kind, result.verdict) for result in done.results} == set(verdicts.items())
    assert done.booked_nusd >= done.billed_nusd
