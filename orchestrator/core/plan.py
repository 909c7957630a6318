"""The plan of a request: which deployments are asked, in which order, and why."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, overload

from orchestrator.core.analysis import RequestAnalysis
from orchestrator.core.money import NanoUsd


class ReasonKind(StrEnum):
    """What a reason is about, for programs; its text is for people and may change."""

    PINNED = "pinned"
    """The request named this model or deployment."""
    ROUTE = "route"
    """A place of the use case's route; the text is the one of config.yaml."""
    STRENGTH = "strength"
    """Not in the route, and strong in the use case; the text is the one of config.yaml."""
    BEYOND_ROUTE = "beyond_route"
    """Not in the route; used when that is exhausted."""
    BELOW_QUALITY_FLOOR = "below_quality_floor"
    CLAMPED = "clamped"
    """max_tokens was lowered to fit the limit of a request."""
    HOSTS = "hosts"
    """Which of OpenRouter's hosts may serve it, as config.yaml says."""
    RESERVE = "reserve"
    """Left out for its health alone, and asked when all others failed."""

    OFF = "off"
    """Its provider or the deployment is switched off, or has no key."""
    OTHER_MODEL_PINNED = "other_model_pinned"
    NEVER_DEGRADES = "never_degrades"
    """The emergency model, in a use case that never degrades."""
    BUDGET_TIER = "budget_tier"
    """Kept for a fuller budget."""
    LANGUAGE = "language"
    """It is not known to write the language of the reply, which use case, tenant or class demands."""
    REGION = "region"
    """Prompts are not known to be processed where the use case or the tenant demands."""
    DATA_POLICY = "data_policy"
    """It may learn from prompts or keep them for longer than the use case or the tenant allows."""
    CAPABILITY = "capability"
    CONTEXT = "context"
    """Its context does not hold the request."""
    ENDED = "ended"
    """Switched off by its vendor."""
    TOO_DEAR = "too_dear"
    """Costs more than one request may."""
    RATHER_REFUSED = "rather_refused"
    """The first choice is too dear, and its use case takes no other."""
    CIRCUIT_OPEN = "circuit_open"
    PROVIDER_CIRCUIT_OPEN = "provider_circuit_open"
    LOW_AVAILABILITY = "low_availability"
    BEHIND = "behind"
    """Behind the most deployments that a plan may hold."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a deployment stands where it stands, or is left out: a kind to decide by, and words for people."""

    kind: ReasonKind
    text: str

    def __str__(self) -> str:
        """Return the words."""
        return self.text


FACTORS = ("quality", "cost", "speed", "specialisation")
"""What a score is made of, in this order."""


class Candidate(NamedTuple):
    """One deployment of a plan, with why it stands where it stands."""

    # A tuple, as all that is made anew for each request: a frozen dataclass takes five times as long.
    deployment: str
    score: float
    factors: tuple[float, ...]
    """Of the score, each 0 to 1, in the order of `FACTORS`; empty where nothing is scored."""
    expected_nusd: NanoUsd
    """What the request will probably cost there."""
    bound_nusd: NanoUsd
    """The most the request can cost there."""
    input_expected_tokens: int
    input_bound_tokens: int
    max_tokens: int
    """The most output that is asked for and held, reasoning included."""
    reasons: tuple[Reason, ...]
    pinned: bool = False
    """The request named this model or deployment."""
    clamped_from: int | None = None
    """What max_tokens was before it was lowered to fit the limit of a request; None when it was not."""
    reasoning_tokens: int = 0
    """How many of max_tokens are room for reasoning, on top of the words that the request asks for."""

    @property
    def parts(self) -> Mapping[str, float]:
        """Return the factors of the score by name, as they are shown."""
        return {name: round(factor, 4) for name, factor in zip(FACTORS, self.factors, strict=False)}

    @property
    def words_tokens(self) -> int:
        """Return how many of max_tokens are left for the words of the reply."""
        return self.max_tokens - self.reasoning_tokens


class Excluded(NamedTuple):
    """A deployment that a plan leaves out, with the reason."""

    deployment: str
    reason: Reason
    too_small: bool = False
    """Its context does not hold the request, whatever else speaks against it."""
    needed_nusd: NanoUsd | None = None
    """The least the request can be bounded to there, where that is more than one request may cost."""


LeftOutKinds = tuple[tuple[tuple[str, ReasonKind], ...], int]
"""Deployments with the kind of a reason why they are left out, and how many more stand behind a full plan."""


class LeftOut(Sequence[Excluded]):
    """All deployments that a plan leaves out, put together when somebody looks: a call seldom does."""

    def __init__(
        self,
        look: Callable[[], Iterable[Excluded]],
        *,
        noted: Iterable[Excluded],
        others: Callable[[], LeftOutKinds] = lambda: ((), 0),
    ) -> None:
        """Keep how to put them together, and some that are known already; `look` is called once at most.

        `others` says of those that are not noted, without a look at each, of what kind their reasons are.
        """
        self._look = look
        self.noted = {excluded.deployment: excluded for excluded in noted}
        """Some of them, by deployment."""
        self._others = others

    @cached_property
    def _all(self) -> tuple[Excluded, ...]:
        return tuple(self._look())

    def behind(self, first: tuple[Excluded, ...]) -> "LeftOut":
        """Return these with others in front."""
        if not first:
            return self
        return LeftOut(lambda: (*first, *self), noted=(*first, *self.noted.values()), others=self._others)

    @property
    def kinds(self) -> LeftOutKinds:
        """Return each with the kind of a reason that is true of it, and how many stand behind a full plan.

        It costs no look at each. A whole look may name another reason that is true as well.
        """
        others, behind = self._others()
        return (*_kinds_of(self.noted.values()), *others), behind

    @overload
    def __getitem__(self, index: int) -> Excluded: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Excluded, ...]: ...
    def __getitem__(self, index: int | slice) -> Excluded | tuple[Excluded, ...]:
        """Return one or some of them, in their order."""
        return self._all[index]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    def __eq__(self, other: object) -> bool:
        """Return whether the same are left out for the same reasons."""
        return isinstance(other, LeftOut | tuple) and self._all == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # As a list: it stands for what it holds.

    def __reduce__(self) -> "tuple[type[LeftOutKnown], tuple[tuple[Excluded, ...]]]":
        """Put them together for a copy or a pickle: how to do that later cannot be written down."""
        return LeftOutKnown, (self._all,)

    def __repr__(self) -> str:
        """Show them as a tuple is shown."""
        return repr(self._all)


class LeftOutKnown(LeftOut):
    """Deployments that a plan leaves out, put together already: those of a copy."""

    def __init__(self, excluded: tuple[Excluded, ...]) -> None:
        """Keep them."""
        super().__init__(lambda: excluded, noted=excluded)


_NO_WEIGHTS: Mapping[str, float] = {}


class Plan(NamedTuple):
    """The order in which deployments are asked, and why."""

    use_case: str
    candidates: tuple[Candidate, ...]
    excluded: Sequence[Excluded] = ()
    notices: tuple[str, ...] = ()
    reserve: tuple[Candidate, ...] = ()
    """Left out for their health alone; asked when all candidates failed, before the emergency model."""
    analysis: RequestAnalysis | None = None
    """What the request is like."""
    weights: Mapping[str, float] = _NO_WEIGHTS
    """What counts how much in a score, by factor."""

    @property
    def left_out_kinds(self) -> LeftOutKinds:
        """Return who is left out and for what kind of reason, and how many more stand behind a full plan.

        Of a plan that anybody may answer, the reason is one that is true; of an empty one the first.
        """
        if isinstance(self.excluded, LeftOut) and self.candidates:
            return self.excluded.kinds
        return _kinds_of(self.excluded), 0

    @property
    def asked(self) -> tuple[Candidate, ...]:
        """Return every deployment that may be asked, in this order."""
        return (*self.candidates, *self.reserve)

    def why_left_out(self, deployment: str) -> Reason | None:
        """Return why a deployment is left out, None when it is a candidate or nobody knows of it."""
        if any(candidate.deployment == deployment for candidate in self.candidates):
            return None
        if isinstance(self.excluded, LeftOut) and deployment in self.excluded.noted:
            return self.excluded.noted[deployment].reason
        return next((each.reason for each in self.excluded if each.deployment == deployment), None)


def _kinds_of(excluded: Iterable[Excluded]) -> tuple[tuple[str, ReasonKind], ...]:
    return tuple([(each.deployment, each.reason.kind) for each in excluded])
