"""The policy of a use case: how its answers are chosen, and when one of them is accepted."""

import math
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from orchestrator.core.json_schema import unknown_keywords
from orchestrator.core.language import Language
from orchestrator.core.settings import Name, Settings, Share
from orchestrator.policies.normal_form import CompareBy, CompareSettings, TellableLabels

_KINDS = ("constant", "score", "agreement", "escalate")


class Weights(Settings):
    """What counts how much in a score; the four add up to 1."""

    quality: Share = 0.4
    """How good the model is at the use case."""
    cost: Share = 0.3
    """How little the request will cost."""
    speed: Share = 0.2
    """How soon the answer is there."""
    specialisation: Share = 0.1
    """Its place in the route, or a stated strength."""

    @cached_property
    def by_factor(self) -> Mapping[str, float]:
        """Return the weights by the names of their factors."""
        # No view of it: plans hold it, and they are pickled.
        return dict(self)

    @model_validator(mode="after")
    def _add_up(self) -> "Weights":
        total = self.quality + self.cost + self.speed + self.specialisation
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            msg = f"the four weights must add up to 1, these add up to {total:g}"
            raise ValueError(msg)
        return self


class Timing(StrEnum):
    """When the models of an agreement are asked."""

    AUTO = "auto"
    """The voters at once, the tie-breakers when they are needed, or at once where the deadline is short."""
    PARALLEL = "parallel"
    """Voters and tie-breakers at once; who is still at work when two agree is cancelled, and paid."""
    SEQUENCE = "sequence"
    """One after the other."""


class AgreementSettings(Settings):
    """Cheap models of different vendors vote; where no two agree the judge decides."""

    voters: Annotated[tuple[Name, ...], Field(min_length=2)]
    """Deployments that are asked first, the best first, each of another vendor."""
    tie_breakers: tuple[Name, ...] = ()
    """Deployments that are asked one after the other until two of all agree, of yet other vendors."""
    judge: Name
    """The deployment whose answer counts where no two agree."""
    compare: CompareSettings
    """What of their answers is compared; free text cannot be."""
    timing: Timing = Timing.AUTO
    """auto, parallel or sequence."""

    @property
    def named(self) -> tuple[str, ...]:
        """Return every deployment of it, in the order in which they are asked."""
        return (*self.voters, *self.tie_breakers, self.judge)

    @model_validator(mode="after")
    def _check(self) -> Self:
        twice = sorted({name for name in self.named if self.named.count(name) > 1})
        if twice:
            msg = f"{', '.join(twice)} stands in it twice: nobody agrees with itself"
            raise ValueError(msg)
        if self.compare.by is CompareBy.LABEL and len(self.compare.labels) < 2:  # noqa: PLR2004 -- one is no choice
            msg = "compare by label needs 'labels', at least two of them"
            raise ValueError(msg)
        return self


def _understood(schema: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(unknown_keywords(schema))
    if unknown:
        msg = f"these keywords of a JSON schema are not checked here: {', '.join(unknown)}; leave them out"
        raise ValueError(msg)
    return schema


class CheckSettings(Settings):
    """What an answer must be; all that is set must hold."""

    json_schema: Annotated[dict[str, Any], AfterValidator(_understood)] | None = None
    """It is JSON that fits this schema."""
    labels: TellableLabels = ()
    """It is one of these, without regard to case and to marks around it."""
    min_chars: PositiveInt | None = None
    """It has at least so many characters."""
    max_chars: PositiveInt | None = None
    """It has at most so many characters."""
    language: Language | None = None
    """It is written in this language, vi or en."""
    citation: bool = False
    """It names at least one source in brackets, such as [2], and only those that stand in the prompt."""
    function: Name | None = None
    """A check of your own program, by the name under which it is handed to the orchestrator."""

    @model_validator(mode="after")
    def _checks_something(self) -> Self:
        if self == CheckSettings.model_construct():
            msg = f"a check needs one of {', '.join(type(self).model_fields)}"
            raise ValueError(msg)
        return self


class EscalateSettings(Settings):
    """The cheapest model answers first; where its answer fails a check, the next one is asked."""

    models: Annotated[tuple[Name, ...], Field(min_length=2)]
    """Deployments in the order in which they are asked, the cheapest first."""
    checks: Annotated[tuple[CheckSettings, ...], Field(min_length=1)]
    """What every answer must pass."""

    @property
    def named(self) -> tuple[str, ...]:
        """Return every deployment of it, in the order in which they are asked."""
        return self.models


class ScoreSettings(Settings):
    """The best weighted score answers: quality, cost on a logarithmic scale, live speed, specialisation."""

    weights: Weights = Weights()
    """What counts how much."""


class PolicySettings(Settings):
    """One of constant, score, agreement and escalate, with a version that every reply names."""

    version: Annotated[str, Field(min_length=1, max_length=64)] = "1"
    """Yours: a number or a date, so that a reply says by which policy it was chosen."""
    constant: Name | None = None
    """This deployment always answers; the route follows where it cannot."""
    score: ScoreSettings | None = None
    """The best score answers."""
    agreement: AgreementSettings | None = None
    """Cheap models vote, and a judge decides where they differ."""
    escalate: EscalateSettings | None = None
    """Cheap first; the next model where an answer fails a check."""
    file: str | None = None
    """A measured policy, as `orchestrator calibrate` writes it: its path beside config.yaml, and no more."""

    @property
    def kind(self) -> str:
        """Return which of the four it is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def named(self) -> tuple[str, ...]:
        """Return the deployments that it names, in the order in which they are asked."""
        if self.constant is not None:
            return (self.constant,)
        chosen = self.agreement or self.escalate
        return chosen.named if chosen is not None else ()

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in _KINDS) != 1:
            msg = f"a policy is exactly one of {', '.join(_KINDS)}, or a file"
            raise ValueError(msg)
        return self
