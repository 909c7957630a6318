"""Which deployments can come into the plan of a request, so that a large catalogue costs a plan no more.

Where a deployment stands hangs on the request only by its price and by what it writes at most. Requests of
about one size (within an eighth) and with the same demands share a shortlist: who may serve them, ordered by
the best place each can have for any of them. For one request the list is walked from its beginning, each
deployment looked at exactly, until no later one can stand before the places that are filled.

The exceptions are looked at always: what the route names, the emergency model, what has a health or counted
tokens of its own, and what may be too dear. So a plan is the same as one for which all were looked at.
"""

import math
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import Excluded
from orchestrator.core.prompt_size import PromptSize
from orchestrator.routing.eligibility import Requirements
from orchestrator.routing.estimate import bound_nusd, bounded_for
from orchestrator.routing.facts import DeploymentFacts
from orchestrator.routing.scoring import Question, Scored, look_at, score_of
from orchestrator.routing.settings import OnLimit
from orchestrator.routing.token_calibration import SAMPLES_MIN

_ENTRIES_MAX = 50_000
"""Of all shortlists of a use case together; about 10 MB. The oldest go first."""
_LISTS_MAX = 256
_SIZE_BITS = 4
"""Sizes that agree in so many leading binary digits are of one kind: they differ by an eighth at most."""

_Key = tuple[int, int, int | None, Requirements]
_Place = tuple[int | float | str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A deployment that may serve requests of one kind."""

    best: _Place
    """No request of this kind gives it a place before this one."""
    most_nusd: NanoUsd
    """The most that any request of this kind can cost there."""
    facts: DeploymentFacts


@dataclass(frozen=True, slots=True)
class _Shortlist:
    """Who may serve requests of one kind."""

    by_place: tuple[_Entry, ...]
    by_cost: tuple[_Entry, ...]
    """The dearest first."""


class Shortlists:
    """The shortlists of one use case on one day, each made with the first request of its kind."""

    def __init__(self, facts: Mapping[str, DeploymentFacts]) -> None:
        """Keep the facts of all deployments, by name; nothing is computed yet."""
        self._facts = facts
        self._always = [each for each in facts.values() if each.route_reasons or each.is_emergency]
        self._by_model: dict[str, list[DeploymentFacts]] = {}
        for each in facts.values():
            self._by_model.setdefault(each.deployment.model_name, []).append(each)
        self._by_kind: dict[_Key, _Shortlist] = {}
        self._most_lists = max(1, min(_LISTS_MAX, _ENTRIES_MAX // max(1, len(facts))))

    def looked_at(self, question: Question) -> list[Scored | Excluded]:
        """Return the deployments that can come into the plan, each looked at, and some others."""
        shortlist = self._shortlist_for(question)
        looked = {
            name: look_at(facts, question) for name, facts in self._exceptions(question, shortlist).items()
        }
        places = _FilledPlaces(question, looked.values())
        for entry in shortlist.by_place:
            if places.are_before(entry.best):
                break
            name = entry.facts.deployment.name
            if name not in looked:
                looked[name] = look_at(entry.facts, question)
                places.fill(looked[name])
        return list(looked.values())

    def _exceptions(self, question: Question, shortlist: _Shortlist) -> dict[str, DeploymentFacts]:
        """Return the deployments whose place does not hang on the kind of the request alone, by name."""
        return {
            facts.deployment.name: facts
            for facts in (*self._always, *self._with_a_past(question), *_maybe_too_dear(question, shortlist))
        }

    def _with_a_past(self, question: Question) -> Iterator[DeploymentFacts]:
        yield from (self._facts[name] for name in question.health if name in self._facts)
        for model, ratio in question.rules.seen.items():
            if ratio.samples >= SAMPLES_MIN:
                yield from self._by_model.get(model, ())

    def _shortlist_for(self, question: Question) -> _Shortlist:
        size = question.size
        expected, bound = _kind_of(size.input_expected_tokens), _kind_of(size.input_bound_tokens)
        # All files may be as large as the whole bound, so only whether there are any counts.
        files = min(1, size.file_bound_tokens) if size.file_bound_tokens is not None else None
        key = (expected.start, bound.start, files, question.required)
        shortlist = self._by_kind.get(key)
        if shortlist is None:
            if len(self._by_kind) >= self._most_lists:
                self._by_kind.pop(next(iter(self._by_kind)), None)
            least = replace(size, input_expected_tokens=expected.start)
            most = replace(size, input_expected_tokens=expected.stop, input_bound_tokens=bound.stop)
            shortlist = self._by_kind[key] = _shortlist(
                self._facts.values(), question, least=least, most=most
            )
        return shortlist


class _FilledPlaces:
    """The places of a plan that are filled with what was looked at."""

    def __init__(self, question: Question, looked_at: Iterable[Scored | Excluded]) -> None:
        self._ceiling_nusd = (
            question.ceiling_nusd if question.rules.use_case.on_limit.choose is OnLimit.REFUSE else None
        )
        self._places: list[_Place] = []
        emergency = 0
        for each in looked_at:
            emergency += self.fill(each)
        self._room = max(1, question.rules.routing.max_candidates - emergency)

    def fill(self, looked_at: Scored | Excluded) -> bool:
        """Take in what may be a candidate; return whether it is an emergency model: that has one."""
        if isinstance(looked_at, Excluded) or looked_at.unhealthy is not None:
            return False
        if self._ceiling_nusd is not None and looked_at.estimate.bound_nusd > self._ceiling_nusd:
            return False
        if looked_at.facts.is_emergency:
            return True
        insort(self._places, looked_at.order)
        return False

    def are_before(self, place: _Place) -> bool:
        """Return whether all places are filled with what stands before this one."""
        return len(self._places) >= self._room and self._places[self._room - 1] < place


def _shortlist(
    facts: Iterable[DeploymentFacts], question: Question, *, least: PromptSize, most: PromptSize
) -> _Shortlist:
    """Return who may serve requests from `least` to `most`, health and counts unknown."""
    rules = replace(question.rules, ceiling=None, seen={})
    smallest = Question(least, question.required, None, rules, {})
    entries = []
    for each in facts:
        looked_at = look_at(each, smallest)
        if isinstance(looked_at, Scored) and not each.is_emergency:
            most_nusd = _most_nusd(each, most, output_tokens=looked_at.estimate.output.max_tokens)
            entries.append(_Entry(_best_place(looked_at, question, least, most), most_nusd, each))
    return _Shortlist(
        tuple(sorted(entries, key=lambda entry: entry.best)),
        tuple(sorted(entries, key=lambda entry: -entry.most_nusd)),
    )


def _best_place(scored: Scored, question: Question, least: PromptSize, most: PromptSize) -> _Place:
    steps = {
        step for step in scored.facts.price.listed if step.above_input_tokens >= least.input_expected_tokens
    }
    score = scored.score
    if any(step.above_input_tokens < most.input_expected_tokens for step in steps):
        # A price that changes within the kind may be lower for the larger of its requests.
        quality, _, speed, specialisation = scored.parts
        score = score_of((quality, 1.0, speed, specialisation), question.weights)
    return (*scored.order[:-2], -score)


def _most_nusd(facts: DeploymentFacts, most: PromptSize, *, output_tokens: int) -> NanoUsd:
    own = bounded_for(most, facts.deployment.model.most_tokens)
    all_text, all_files = (
        replace(
            own,
            input_bound_tokens=max(own.input_bound_tokens, most.input_bound_tokens),
            file_bound_tokens=files,
        )
        for files in (0, None)
    )
    if not most.has_files:
        return bound_nusd(all_text, facts.price, output_tokens=output_tokens)
    return max(bound_nusd(each, facts.price, output_tokens=output_tokens) for each in (all_text, all_files))


def _maybe_too_dear(question: Question, shortlist: _Shortlist) -> Iterator[DeploymentFacts]:
    ceiling_nusd = math.inf if question.ceiling_nusd is None else question.ceiling_nusd
    for entry in shortlist.by_cost:
        if entry.most_nusd <= ceiling_nusd:
            return
        yield entry.facts


def _kind_of(tokens: int) -> range:
    """Return the numbers that agree with one in their leading digits; `stop` is above the last of them."""
    shift = max(0, tokens.bit_length() - _SIZE_BITS)
    first = tokens >> shift << shift
    return range(first, first + (1 << shift))
