"""Which deployments can come into the plan of a request, so that a large catalogue costs a plan no more.

Deployments that differ in nothing but their name (one model in many regions) are one kind of place: one of
them is looked at for all. Where a place stands hangs on the request only by its price and by what it writes
at most. Requests of about one size and about one `max_tokens`, with the same demands, share a shortlist: who
may serve them, ordered by the best place each can have for any of them. For one request the list is walked
from its beginning, each place looked at exactly, until no later one can stand before the filled places.

What the route names, the emergency model and what may be ill are looked at always. Where they leave a place,
so are the exceptions: what has a latency or counted tokens of its own, and with `on_limit: clamp` what may be
too dear: a shorter answer may score better. So a plan is the same as one for which all were looked at.
"""

import math
from bisect import insort
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.plan import Excluded, LeftOutKinds, ReasonKind
from orchestrator.core.prompt_size import PromptSize
from orchestrator.policies.settings import Weights
from orchestrator.routing.eligibility import KnownHealth, Requirements
from orchestrator.routing.estimate import bound_nusd, bounded_for, output_limit
from orchestrator.routing.facts import DeploymentFacts
from orchestrator.routing.scoring import Question, Scored, best_place, look_at, score_of
from orchestrator.routing.settings import OnLimit
from orchestrator.routing.token_calibration import SAMPLES_MIN

_ENTRIES_MAX = 50_000
"""Of all shortlists of a use case together; about 10 MB. The oldest go first."""
_LISTS_MAX = 256
_SIZE_BITS = 4
"""Sizes that agree in so many leading binary digits are of one kind: they differ by an eighth at most."""
_WORDS_BITS = 2
"""Likewise for what the words of a reply may take: they differ by a half at most."""

_Key = tuple[Hashable, ...]
_Place = tuple[int | float | str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A kind of place that may serve requests of one kind."""

    best: _Place
    """No request of this kind gives it a place before this one."""
    most_nusd: NanoUsd
    """The most that any request of this kind can cost there; 0 where nothing hangs on it."""
    alike: tuple[DeploymentFacts, ...]
    """Those that differ in nothing but their name, by name."""


@dataclass(frozen=True, slots=True)
class _Shortlist:
    """Who may serve requests of one kind."""

    by_place: tuple[_Entry, ...]
    by_cost: tuple[_Entry, ...]
    """The dearest first."""
    unfit: tuple[tuple[str, ReasonKind], ...]
    """Who may serve no request of this kind, and why not the least of them."""


@dataclass(frozen=True, slots=True)
class _RequestKind:
    """Requests of about one size, between the least and the most of them."""

    least: PromptSize
    most: PromptSize
    required: Requirements
    """Of them all, with the fewest words that one of them asks for."""
    words_below: int
    """All of them ask for fewer."""


class Shortlists:
    """The shortlists of one use case on one day, each made with the first request of its kind."""

    def __init__(self, facts: Mapping[str, DeploymentFacts]) -> None:
        """Keep the facts of all deployments, by name; no list is made yet."""
        self._facts = facts
        self._always = [each for each in facts.values() if each.route_reasons or each.is_emergency]
        self._behind = [each for each in facts.values() if not (each.route_reasons or each.is_emergency)]
        self._best_behind: _Place | None = None
        """No other than those that are always looked at ever stands before this place."""
        self._alike = _alike(each for each in facts.values() if not each.is_emergency)
        self._by_model: dict[str, list[DeploymentFacts]] = {}
        for each in facts.values():
            self._by_model.setdefault(each.deployment.model_name, []).append(each)
        self._by_kind: dict[_Key, _Shortlist] = {}
        self._most_lists = max(1, min(_LISTS_MAX, _ENTRIES_MAX // max(1, len(self._alike))))

    def looked_at(self, question: Question) -> list[Scored | Excluded]:
        """Return the deployments that can come into the plan, each looked at, and some others."""
        looked = {facts.deployment.name: look_at(facts, question) for facts in self._first(question)}
        places = _FilledPlaces(question, looked.values())
        if self._best_behind is None:
            self._best_behind = _best_of(self._behind, question.weights)
        if places.are_before(self._best_behind):
            # As with a whole route: no other can have a place, whatever it costs and however well it is.
            return list(looked.values())
        shortlist = self._shortlist_for(question)
        for facts in (*self._with_a_past(question), *_maybe_too_dear(question, shortlist)):
            if facts.deployment.name not in looked:
                looked[facts.deployment.name] = each = look_at(facts, question)
                places.take(each)
        for entry in shortlist.by_place:
            if places.are_before(entry.best):
                break
            _look_at_alike(entry.alike, question, looked=looked, places=places)
        return list(looked.values())

    def not_looked_at(self, question: Question, looked_at: Collection[str]) -> LeftOutKinds:
        """Return why others than those looked at are left out; who may serve such a request stands behind."""
        unfit = tuple([pair for pair in self._shortlist_for(question).unfit if pair[0] not in looked_at])
        return unfit, len(self._facts) - len(looked_at) - len(unfit)

    def _first(self, question: Question) -> Iterator[DeploymentFacts]:
        """Yield what the route names, the emergency model, and what may be left out for its health."""
        yield from self._always
        yield from (self._facts[name] for name in question.health.doubtful if name in self._facts)

    def _with_a_past(self, question: Question) -> Iterator[DeploymentFacts]:
        """Yield the others whose place does not hang on the kind of the request alone."""
        yield from (self._facts[name] for name in question.health.well_latencies_s if name in self._facts)
        for model, ratio in question.rules.seen.items():
            if ratio.samples >= SAMPLES_MIN:
                yield from self._by_model.get(model, ())

    def _shortlist_for(self, question: Question) -> _Shortlist:
        key = _key_of(question)
        shortlist = self._by_kind.get(key)
        if shortlist is None:
            if len(self._by_kind) >= self._most_lists:
                self._by_kind.pop(next(iter(self._by_kind)), None)
            shortlist = self._by_kind[key] = _shortlist(self._alike, question, _kind_of(question))
        return shortlist


class _FilledPlaces:
    """The places of a plan that are filled with what was looked at."""

    def __init__(self, question: Question, looked_at: Iterable[Scored | Excluded]) -> None:
        self._ceiling_nusd = (
            question.ceiling_nusd if question.rules.use_case.on_limit.choose is OnLimit.REFUSE else None
        )
        self._places: list[_Place] = []
        self._most = question.rules.routing.max_candidates
        self._emergency = 0
        for each in looked_at:
            self.take(each)

    def take(self, looked_at: Scored | Excluded) -> bool:
        """Fill a place with what was looked at, and return True, if it may be a candidate."""
        if isinstance(looked_at, Excluded) or looked_at.unhealthy is not None:
            return False
        if self._ceiling_nusd is not None and looked_at.estimate.bound_nusd > self._ceiling_nusd:
            return False
        # The emergency model has a place of its own.
        if looked_at.facts.is_emergency:
            self._emergency += 1
        else:
            insort(self._places, looked_at.order)
        return True

    def are_before(self, place: _Place) -> bool:
        """Return whether all places are filled with what stands before this one."""
        room = max(1, self._most - self._emergency)
        return len(self._places) >= room and self._places[room - 1] < place


def _best_of(facts: Iterable[DeploymentFacts], weights: Weights) -> _Place:
    return min((best_place(each, weights) for each in facts), default=(math.inf,))


def _alike(facts: Iterable[DeploymentFacts]) -> tuple[tuple[DeploymentFacts, ...], ...]:
    """Return deployments with those that differ from them in nothing but the name, by name."""
    groups: dict[Hashable, list[DeploymentFacts]] = {}
    for each in sorted(facts, key=lambda each: each.deployment.name):
        groups.setdefault(_what_counts(each), []).append(each)
    return tuple(map(tuple, groups.values()))


def _what_counts(facts: DeploymentFacts) -> Hashable:
    """Return all by which `look_at` tells two deployments without health or counts from each other."""
    model = facts.deployment.model
    return (
        *(
            facts.price,
            facts.quality,
            facts.specialisation,
            facts.place,
            facts.class_rank,
            facts.is_emergency,
        ),
        *(facts.is_below_floor, facts.has_ended, facts.data_policy, model.ends),
        *(model.capabilities, model.languages, model.context_tokens, model.most_tokens),
        *(model.max_output_tokens, model.reasoning_tokens, model.speed_tokens_per_s),
    )


def _look_at_alike(
    alike: Sequence[DeploymentFacts],
    question: Question,
    *,
    looked: dict[str, Scored | Excluded],
    places: "_FilledPlaces",
) -> None:
    """Look at deployments that differ in their name alone, as far as they can have a place."""
    first: Scored | None = None
    for facts in alike:
        name = facts.deployment.name
        if name in looked:
            continue
        if first is None:
            looked[name] = each = look_at(facts, question)
            if isinstance(each, Excluded) or not places.take(each):
                # Nor may the others.
                return
            first = each
        else:
            order = (*first.order[:-1], name)
            if places.are_before(order):
                return
            looked[name] = candidate = first.as_of(facts, order)
            places.take(candidate)


def _shortlist(
    alike: Iterable[tuple[DeploymentFacts, ...]], question: Question, kind: _RequestKind
) -> _Shortlist:
    """Return who may serve requests of a kind, health and counts unknown."""
    rules = question.rules._replace(ceiling=None, seen={})
    smallest = Question(kind.least, kind.required, None, rules, KnownHealth(), question.weights)
    entries, unfit = [], []
    for group in alike:
        looked_at = look_at(group[0], smallest)
        if isinstance(looked_at, Excluded):
            unfit += [(facts.deployment.name, looked_at.reason.kind) for facts in group]
        else:
            most_nusd = _most_nusd(group[0], kind) if _shortens(question) else ZERO_NUSD
            entries.append(_Entry(_best_place(looked_at, question, kind.least, kind.most), most_nusd, group))
    return _Shortlist(
        tuple(sorted(entries, key=lambda entry: entry.best)),
        tuple(sorted(entries, key=lambda entry: -entry.most_nusd)),
        tuple(unfit),
    )


def _shortens(question: Question) -> bool:
    """Return whether an answer is shortened where it stands: then it may score better than a whole one."""
    return question.rules.use_case.on_limit.choose is OnLimit.CLAMP


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


def _most_nusd(facts: DeploymentFacts, kind: _RequestKind) -> NanoUsd:
    model, most = facts.deployment.model, kind.most
    words_tokens, reasons = kind.words_below, kind.required.reasons
    output_tokens = output_limit(model, words_tokens=words_tokens, reasons=reasons).max_tokens
    own = bounded_for(most, model.most_tokens)
    all_text, all_files = (
        own._replace(
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
        yield from entry.alike


def _key_of(question: Question) -> _Key:
    """Return what requests have in common that share a shortlist."""
    size, required = question.size, question.required
    return (
        _first_alike(size.input_expected_tokens, bits=_SIZE_BITS),
        _first_alike(size.input_bound_tokens, bits=_SIZE_BITS) if _shortens(question) else 0,
        # All files may be as large as the whole bound, so only whether there are any counts.
        None if size.file_bound_tokens is None else size.file_bound_tokens > 0,
        _first_alike(required.words_tokens, bits=_WORDS_BITS),
        *(required.needs, required.reasons, required.never_degrade, required.budget_tier),
        *(required.language, required.evident_language, required.demands),
    )


def _kind_of(question: Question) -> _RequestKind:
    size, required = question.size, question.required
    expected = _all_alike(size.input_expected_tokens, bits=_SIZE_BITS)
    bound = _all_alike(size.input_bound_tokens, bits=_SIZE_BITS)
    words = _all_alike(required.words_tokens, bits=_WORDS_BITS)
    return _RequestKind(
        least=size._replace(input_expected_tokens=expected.start),
        most=size._replace(input_expected_tokens=expected.stop, input_bound_tokens=bound.stop),
        required=required._replace(words_tokens=words.start),
        words_below=words.stop,
    )


def _first_alike(number: int, *, bits: int) -> int:
    """Return the first number that agrees with one in so many leading binary digits."""
    shift = max(0, number.bit_length() - bits)
    return number >> shift << shift


def _all_alike(number: int, *, bits: int) -> range:
    """Return the numbers that agree with one; `stop` is above the last of them."""
    first = _first_alike(number, bits=bits)
    return range(first, first + (1 << max(0, number.bit_length() - bits)))
