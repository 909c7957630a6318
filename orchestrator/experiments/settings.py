"""The settings of an experiment: which candidate, for which use case, for whom, compared by what."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.core.payer import JUDGE_PAYER, SHADOW_PAYER
from orchestrator.core.settings import Name, Settings, UsdLimit
from orchestrator.ledger.budgets import LimitSettings
from orchestrator.policies.settings import CheckSettings, PolicySettings

ExperimentName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]
"""A name that is a part of tags, of a scope and of a file's name."""


class ExperimentMode(StrEnum):
    """What becomes of the candidate's answers."""

    SHADOW = "shadow"
    """Nobody reads them: the candidate is asked beside a live answer, when that is delivered."""
    AB = "ab"
    """They are answers: the candidate takes the place of what answers else, always for the same users."""


class Metric(StrEnum):
    """What is compared."""

    RATING = "rating"
    """The score of feedback, 1 to 5."""
    CORRECTION_RATE = "correction_rate"
    """The share of answers that somebody corrected."""
    CHECKS = "checks"
    """The share of requests whose answer passes all checks of the experiment."""
    COST = "cost"
    """Dollars for a request that was sent."""
    LATENCY = "latency"
    """Seconds of an answer."""
    JUDGE = "judge"
    """The share of pairs in which a judge prefers it; where it prefers neither, each has a half."""


class Rule(StrEnum):
    """What is done without a person."""

    ROLL_BACK_WHEN_WORSE = "roll_back_when_worse"
    """The candidate is asked no more when it is proven worse by more than the margin."""


class ShadowBudget(Settings):
    """What shadows, or their judge, may cost, in dollars; it is nobody else's money."""

    day: UsdLimit | None = None
    """The most in a calendar day."""
    week: UsdLimit | None = None
    """The most in a week from Monday on."""
    month: UsdLimit | None = None
    """The most in a calendar month."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.day is None and self.week is None and self.month is None:
            msg = "a budget of shadows or of their judge needs a day, a week or a month"
            raise ValueError(msg)
        return self


class JudgeSettings(Settings):
    """A model that says which is better, the live answer or its shadow, asked twice with the two swapped."""

    deployment: Name
    """One of `deployments`; best of another vendor than the two that it compares."""
    budget: ShadowBudget
    """What it may cost; when that is spent, shadows go on and nobody compares them."""


def _policy(raw: Any) -> Any:
    return {"constant": raw} if isinstance(raw, str) else raw


class ExperimentSettings(Settings):
    """A candidate for a use case, asked beside or instead of what answers."""

    use_case: Name
    """One of `use_cases`."""
    candidate: Annotated[
        PolicySettings, BeforeValidator(_policy, json_schema_input_type=str | PolicySettings)
    ]
    """A deployment, or a policy: constant, score, agreement, escalate, or a measured one's file."""
    mode: ExperimentMode
    """shadow: beside the live answer. ab: instead of it, always for the same users."""
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    """For which part of the requests (shadow, up to 1) or of the users (ab, less than 1)."""
    budget: ShadowBudget | None = None
    """What shadows may cost; ab has none, its answers are paid by who asks."""
    start: date | None = None
    """The first day, in the time zone of the budgets; None is at once."""
    end: date | None = None
    """The last day; None is until it is promoted, rolled back or taken out."""
    metric: Metric
    """What decides: rating, correction_rate, checks, cost, latency or judge."""
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """How much worse is still no worse: points of rating, a share of answers, or of cost and seconds."""
    rule: Rule | None = None
    """roll_back_when_worse: a server looks every minute and rolls back by itself; None only shows."""
    checks: tuple[CheckSettings, ...] = ()
    """What an answer of either side must pass to count as good."""
    judge: JudgeSettings | None = None
    """Who compares each live answer with its shadow; None leaves that out. Not for ab, which has no pairs."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        fault = next((words for words, holds in self._faults() if holds), None)
        if fault is not None:
            raise ValueError(fault)
        return self

    def _faults(self) -> tuple[tuple[str, bool], ...]:
        is_shadow, metric = self.mode is ExperimentMode.SHADOW, self.metric
        return (
            ("shadows need a budget of their own: budget: {day: 1.00}", is_shadow and self.budget is None),
            ("'budget' is for shadows; answers of ab are paid by who asks", not is_shadow and self.budget is not None),
            (
                "with a share of 1 nobody is left to compare with: take less, or promote the candidate",
                not is_shadow and self.share == 1,
            ),
            ("it ends before it starts", None not in {self.start, self.end} and self.end < self.start),  # type: ignore[operator]
            ("metric 'checks' needs 'checks'", metric is Metric.CHECKS and not self.checks),
            ("metric 'judge' needs 'judge': who compares, and for how much", metric is Metric.JUDGE and not self.judge),
            ("'judge' is for shadows; in ab no request has two answers", not is_shadow and self.judge is not None),
            (
                "a judge that is the candidate itself prefers its own words; name another",
                self.judge is not None and self.judge.deployment in self.candidate.named,
            ),
            (
                "nobody corrects what nobody reads: for shadows take checks, cost, latency or rating",
                is_shadow and metric is Metric.CORRECTION_RATE,
            ),
            (
                "a check of your own program would hold answers up; take the others here",
                any(check.function is not None for check in self.checks),
            ),
        )  # fmt: skip


def shadow_limit(name: str, experiment: ExperimentSettings) -> LimitSettings | None:
    """Return the limit of an experiment's shadows, None where it has none."""
    return _limit(name, experiment.budget)


def judge_limit(name: str, experiment: ExperimentSettings) -> LimitSettings | None:
    """Return the limit of an experiment's judge, None where it has none."""
    return None if experiment.judge is None else _limit(f"{name}{JUDGE_PAYER}", experiment.judge.budget)


def _limit(name: str, budget: ShadowBudget | None) -> LimitSettings | None:
    if budget is None:
        return None
    return LimitSettings.model_construct(
        scope=f"tenant:{SHADOW_PAYER}{name}",
        **{window: getattr(budget, window) for window in ("day", "week", "month")},
    )
