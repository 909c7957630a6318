"""Which policies could stand in for the reference, and what each would have done with the recorded rows.

The decisions are those of the policies themselves (`policies.agreement`, `policies.checks`), and every
call that a policy makes is paid.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import Usage
from orchestrator.evaluation.case import Answer
from orchestrator.evaluation.outcomes import Outcomes
from orchestrator.policies.agreement import Accept, Ask, Ballot, Order, decide
from orchestrator.policies.checks import why_failed
from orchestrator.policies.normal_form import CompareSettings, normal_form
from orchestrator.policies.settings import (
    AgreementSettings,
    CheckSettings,
    EscalateSettings,
    PolicySettings,
)

_VOTERS_MAX = 8
"""So many of the best cheap models are tried as voters."""
_CHEAP_SHARE = 0.5
"""A voter or a first step costs at most this share of the reference."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a policy would have done with each row."""

    policy: PolicySettings
    scores: tuple[float, ...]
    costs_nusd: tuple[int, ...]

    @property
    def cost_nusd(self) -> int:
        """Return what all rows cost."""
        return sum(self.costs_nusd)

    @property
    def name(self) -> str:
        """Return the policy in a line."""
        return policy_name(self.policy)


def policy_name(policy: PolicySettings) -> str:
    """Return a policy in a line: `agreement: a, b | c | judge`."""
    if policy.agreement is not None:
        chosen = policy.agreement
        parts = [", ".join(chosen.voters), *chosen.tie_breakers, chosen.judge]
        return f"agreement: {' | '.join(parts)}"
    return f"{policy.kind}: {' > '.join(policy.named)}"


def candidates_of(
    outcomes: Outcomes, *, reference: str, vendors: Mapping[str, str], compare: CompareSettings | None,
    checks: Sequence[CheckSettings], version: str,
) -> list[PolicySettings]:  # fmt: skip
    """Return every policy that is tried: constant models, escalations to the reference, and agreements.

    `vendors` are the vendors of the models' makers, by deployment.
    """
    models = sorted(outcomes.answers, key=outcomes.cost_of)
    policies = [PolicySettings(version=version, constant=name) for name in models]
    most = outcomes.cost_of(reference) * _CHEAP_SHARE
    cheap = [name for name in models if name != reference and outcomes.cost_of(name) <= most]
    if checks:
        policies += [
            PolicySettings(
                version=version, escalate=EscalateSettings(models=(name, reference), checks=tuple(checks))
            )
            for name in cheap
        ]
    if compare is not None:
        policies += [
            PolicySettings(version=version, agreement=settings)
            for settings in _agreements(outcomes, cheap, reference, vendors, compare)
        ]
    return policies


def _agreements(
    outcomes: Outcomes,
    cheap: Sequence[str],
    reference: str,
    vendors: Mapping[str, str],
    compare: CompareSettings,
) -> Iterator[AgreementSettings]:
    # The best first: of equal answers the first one's is given out.
    voters = sorted(cheap, key=lambda name: -sum(outcomes.scores[name]))[:_VOTERS_MAX]
    for pair in combinations(voters, 2):
        if vendors[pair[0]] == vendors[pair[1]]:
            continue
        others = [name for name in voters if vendors[name] not in {vendors[voter] for voter in pair}]
        for tie_breakers in ((), *((name,) for name in others)):
            yield AgreementSettings(voters=pair, tie_breakers=tie_breakers, judge=reference, compare=compare)


def replayed_policy(policy: PolicySettings, outcomes: Outcomes) -> Replayed:
    """Return what a policy would have done with each row, all its calls paid."""
    if policy.agreement is not None:
        decided = _by_agreement(policy.agreement, outcomes)
    elif policy.escalate is not None:
        decided = _by_escalation(policy.escalate, outcomes)
    else:
        decided = [(policy.named, policy.named[0])] * len(outcomes.rows)
    return Replayed(
        policy,
        tuple(outcomes.scores[answer][place] for place, (_, answer) in enumerate(decided)),
        tuple(
            sum(outcomes.answers[name][place].cost_nusd for name in asked)
            for place, (asked, _) in enumerate(decided)
        ),
    )


Decided = tuple[tuple[str, ...], str]
"""Who was asked, and whose answer counts."""


def _by_agreement(settings: AgreementSettings, outcomes: Outcomes) -> list[Decided]:
    order = Order(settings.voters, settings.tie_breakers, settings.judge)
    ballots = {
        name: [_ballot(name, answer, settings.compare) for answer in outcomes.answers[name]]
        for name in settings.named
    }
    return [
        _decided(order, {name: cast[place] for name, cast in ballots.items()})
        for place in range(len(outcomes.rows))
    ]


def _decided(order: Order, ballots: Mapping[str, Ballot]) -> Decided:
    cast: list[Ballot] = []
    while isinstance(step := decide(order, cast), Ask):
        cast += [ballots[name] for name in step.names]
    # Where nobody answered there is nothing to accept, and the judge's row, which is 0, counts.
    return tuple(ballot.name for ballot in cast), step.name if isinstance(step, Accept) else order.judge


def _ballot(name: str, answer: Answer, compare: CompareSettings) -> Ballot:
    form = None if answer.error else normal_form(_as_provider_answer(answer), compare)
    return Ballot(
        name, None if form is None else form.value, is_plain=form is None or form.is_plain,
        answered=not answer.error,
    )  # fmt: skip


def _by_escalation(settings: EscalateSettings, outcomes: Outcomes) -> list[Decided]:
    decided = []
    for place, row in enumerate(outcomes.rows):
        prompt = row.asks if isinstance(row.prompt, str) else row.prompt or ()
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        asked: list[str] = []
        for name in settings.models:
            asked.append(name)
            answer = outcomes.answers[name][place]
            passes = why_failed(_as_provider_answer(answer), settings.checks, messages=messages) is None
            if passes and not answer.error:
                break
        decided.append((tuple(asked), asked[-1]))
    return decided


def _as_provider_answer(answer: Answer) -> ProviderAnswer:
    return ProviderAnswer(answer.text, answer.tool_calls, "stop", Usage(), None, None)
