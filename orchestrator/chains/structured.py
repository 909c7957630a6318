"""How a structured answer comes about: asked for, validated, repaired once, then asked of the next model.

    1. The request is asked with the JSON schema of the answer; the plan chooses the deployment.
    2. An invalid answer goes back once to the deployment that gave it, with what is wrong.
    3. Still invalid: the next *model* of the plan is asked afresh, wherever it is served (the same
       model elsewhere would say the same), and the one after it if that one cannot be reached.
    4. Still invalid: InvalidOutputError, which says which deployment made which mistakes.

`conversation` decides this and does no I/O: it yields queries and is sent their answers, so that
synchronous and asynchronous callers share it. Each query is a request of its own for the
orchestrator, which holds, pays and books it.
"""

import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.chains.answer_schema import answer_schema, described
from orchestrator.chains.guardrails import GuardrailCheck
from orchestrator.chains.wording import Prompts
from orchestrator.core.errors import InvalidOutputError, InvalidRequestError, RequestError, UnavailableError
from orchestrator.core.language import Language
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CacheState
from orchestrator.core.request import Message

ChainInputT = TypeVar("ChainInputT", bound=BaseModel)
ChainOutputT = TypeVar("ChainOutputT", bound=BaseModel)

_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(?P<inner>.*?)\n?\s*```\s*\Z", re.DOTALL)
_QUOTED_CHARACTERS_MAX = 2_000
_MISTAKES_MAX = 8
_CUT_OFF = "it was cut off at the limit of output tokens: write less"

_REMEMBERED = frozenset({CacheState.HIT, CacheState.STALE})

NO_ANSWER_ERRORS = (UnavailableError, RequestError)
"""A pinned deployment that raises one of these was no help; another may be."""


@dataclass(frozen=True)
class Task(Generic[ChainInputT, ChainOutputT]):
    """One use case: what goes in, what comes out, and what pydantic alone cannot know."""

    use_case: str
    """The use case in config.yaml."""
    input_model: type[ChainInputT]
    output_model: type[ChainOutputT]
    prompts: Prompts
    prompt_data: Callable[[ChainInputT], Mapping[str, Any]]
    """What the prompt holds of an input, as JSON data."""
    allowed: Callable[[ChainInputT, Language], Mapping[str, Sequence[str]]]
    """Fields of the answer that may have only some values for this input; the schema says so."""
    guards: tuple[GuardrailCheck, ...] = ()
    """What must be true of an answer that fits the schema."""

    @property
    def name(self) -> str:
        """The chain's name, which its prompts have too."""
        return self.prompts.name

    def input_of(self, raw: object) -> ChainInputT:
        """Return an input: as it is, or built from a mapping.

        Raises:
            InvalidRequestError: it is no input of this use case; says which field is wrong.
        """
        if isinstance(raw, self.input_model):
            return raw
        if not isinstance(raw, Mapping):
            kind, expected = type(raw).__name__, self.input_model.__name__
            raise InvalidRequestError(f"the chain {self.name} takes {expected} or a mapping, not {kind}")
        try:
            return self.input_model.model_validate(dict(raw))
        except ValidationError as exc:
            mistakes = "; ".join(_mistakes_of(exc))
            raise InvalidRequestError(f"wrong input for the chain {self.name}: {mistakes}") from None

    def messages(self, chain_input: ChainInputT, system: str) -> tuple[Message, ...]:
        """Return the rules and the input; the input is one JSON object, which no text in it can leave."""
        data = json.dumps(self.prompt_data(chain_input), ensure_ascii=False, default=str)
        return ({"role": "system", "content": system}, {"role": "user", "content": data})

    def response_format(self, chain_input: ChainInputT, language: Language) -> dict[str, Any]:
        """Return the JSON schema of the answer, as it is sent."""
        schema = {**self._schema, "properties": {**self._schema["properties"]}}
        for name, values in self.allowed(chain_input, language).items():
            schema["properties"][name] = {"type": "string", "enum": list(values)}
        return described(self.output_model, schema)

    @cached_property
    def _schema(self) -> dict[str, Any]:
        return answer_schema(self.output_model)

    def judged(
        self, chain_input: ChainInputT, language: Language, answer: "ModelAnswer"
    ) -> tuple[ChainOutputT | None, tuple[str, ...]]:
        """Return the answer, or None and what is wrong with it; nothing of it is quoted."""
        fenced = _FENCE.match(answer.text)
        try:
            value = self.output_model.model_validate_json(fenced["inner"] if fenced else answer.text)
        except ValidationError as exc:
            return None, ((_CUT_OFF,) if answer.cut_off else _mistakes_of(exc))
        mistakes = [
            f"{name}: must be one of the allowed values"
            for name, values in self.allowed(chain_input, language).items()
            if getattr(value, name) not in values
        ]
        mistakes += [reason for guard in self.guards for reason in guard.reasons(value, chain_input)]
        return (None, tuple(mistakes)) if mistakes else (value, ())


class Stage(StrEnum):
    """Why a model was asked."""

    FIRST = "first"
    REPAIR = "repair"
    NEXT_MODEL = "next_model"


@dataclass(frozen=True, slots=True)
class ModelQuery:
    """What a model is to be asked next, and which model."""

    messages: tuple[Message, ...]
    response_format: Mapping[str, Any]
    pinned: str | None = None
    """A deployment or a model; None where the plan decides."""
    refresh: bool = False
    """Past the cache: what it holds was judged invalid."""
    stage: Stage = Stage.FIRST
    """Why it is asked."""
    mistakes: tuple[str, ...] = ()
    """What was wrong with the answer before it."""


@dataclass(frozen=True, slots=True)
class PlanQuery:
    """A question to the router: which models stand in the plan for this query, best first."""

    query: ModelQuery


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model answered, and at what cost."""

    text: str
    deployment: str
    model: str
    cost_nusd: NanoUsd
    cached: CacheState
    cut_off: bool
    """The answer ended at the limit of output tokens."""
    degraded: str | None
    request_id: str


@dataclass(frozen=True, slots=True)
class ChainAttempt:
    """One answer on the way to a result."""

    stage: Stage
    deployment: str
    model: str
    cost_nusd: NanoUsd
    cached: CacheState
    degraded: str | None
    request_id: str
    mistakes: tuple[str, ...] = ()
    """Why the answer was not used; empty for the last of a result."""


@dataclass(frozen=True, slots=True)
class ChainResult(Generic[ChainOutputT]):
    """An answer with the way to it."""

    value: ChainOutputT
    tries: tuple[ChainAttempt, ...]
    """Every answer, in order; the last is the one that was used."""
    prompt_version: str
    """Of the prompt that was answered: `support.vi@2-9f31c0aa`. The ledger has it as a tag."""

    @property
    def cost_nusd(self) -> NanoUsd:
        """What all tries cost together."""
        return NanoUsd(sum(attempt.cost_nusd for attempt in self.tries))

    @property
    def stage(self) -> Stage:
        """How far it had to go: `first` is the good case."""
        return self.tries[-1].stage

    @property
    def model(self) -> str:
        """The model whose answer was used."""
        return self.tries[-1].model

    @property
    def degraded(self) -> str | None:
        """Why the answer is not what the plan's first choice would have given; None when it is."""
        used = self.tries[-1]
        if used.stage is Stage.NEXT_MODEL:
            return f"{self.tries[0].deployment} gave no valid answer"
        # A repair is pinned to one deployment, so only the first query knows whether it was second choice.
        return self.tries[0].degraded


def conversation(
    task: Task[ChainInputT, ChainOutputT], chain_input: ChainInputT, language: Language
) -> Generator[ModelQuery | PlanQuery, Any, ChainResult[ChainOutputT]]:
    """Yield a `ModelQuery` and take a `ModelAnswer`, or a `PlanQuery` and take models, best first.

    Return the result. An error of `NO_ANSWER_ERRORS` may be thrown in for anything but the first query.

    Raises:
        InvalidOutputError: no answer was valid.
    """
    exchange = _Conversation(task, chain_input, language)
    result = yield from exchange.round(refresh=False)
    if result is None and all(attempt.cached in _REMEMBERED for attempt in exchange.tries):
        # A failure that was merely remembered must not last as long as the cache does.
        result = yield from exchange.round(refresh=True)
    if result is None:
        raise _invalid(task.name, exchange.tries)
    return result


class _Conversation(Generic[ChainInputT, ChainOutputT]):
    """One conversation, with what was answered so far."""

    def __init__(
        self, task: Task[ChainInputT, ChainOutputT], chain_input: ChainInputT, language: Language
    ) -> None:
        self.tries: list[ChainAttempt] = []
        self._task, self._chain_input, self._language = task, chain_input, language
        self._wording = task.prompts.wording(language)
        self._messages = task.messages(chain_input, self._wording.to_json)
        self._form = task.response_format(chain_input, language)

    def round(
        self, *, refresh: bool
    ) -> Generator[ModelQuery | PlanQuery, Any, ChainResult[ChainOutputT] | None]:
        """Ask, have it repaired, ask the next model; return None when nothing was valid."""
        query = ModelQuery(self._messages, self._form, refresh=refresh)
        first: ModelAnswer = yield query
        if result := self._judged(Stage.FIRST, first):
            return result
        try:
            again: ModelAnswer = yield self._repair(first, self.tries[-1].mistakes, refresh=refresh)
            if result := self._judged(Stage.REPAIR, again):
                return result
        except NO_ANSWER_ERRORS:
            pass  # it has gone in the meantime; the next model may still answer
        try:
            order: tuple[str, ...] = yield PlanQuery(query)
        except NO_ANSWER_ERRORS:
            return None
        for model in order:
            if model == first.model:
                continue
            try:
                other: ModelAnswer = yield replace(
                    query, pinned=model, stage=Stage.NEXT_MODEL, mistakes=self.tries[-1].mistakes
                )
            except NO_ANSWER_ERRORS:
                continue
            return self._judged(Stage.NEXT_MODEL, other)
        return None

    def _judged(self, stage: Stage, answer: ModelAnswer) -> ChainResult[ChainOutputT] | None:
        value, mistakes = self._task.judged(self._chain_input, self._language, answer)
        self.tries.append(_attempt_of(stage, answer, mistakes))
        return None if value is None else ChainResult(value, tuple(self.tries), self._wording.version)

    def _repair(self, answer: ModelAnswer, mistakes: Sequence[str], *, refresh: bool) -> ModelQuery:
        request = "\n".join([self._wording.repair, *(f"- {mistake}" for mistake in mistakes)])
        quoted = answer.text.strip()[:_QUOTED_CHARACTERS_MAX]
        # Some providers refuse an empty message.
        answered: tuple[Message, ...] = ({"role": "assistant", "content": quoted},) if quoted else ()
        messages = (*self._messages, *answered, {"role": "user", "content": request})
        return ModelQuery(
            messages,
            self._form,
            answer.deployment,
            refresh=refresh,
            stage=Stage.REPAIR,
            mistakes=tuple(mistakes),
        )


def _attempt_of(stage: Stage, answer: ModelAnswer, mistakes: tuple[str, ...]) -> ChainAttempt:
    return ChainAttempt(
        stage,
        deployment=answer.deployment,
        model=answer.model,
        cost_nusd=answer.cost_nusd,
        cached=answer.cached,
        degraded=answer.degraded,
        request_id=answer.request_id,
        mistakes=mistakes,
    )


def _mistakes_of(error: ValidationError) -> tuple[str, ...]:
    """Return `field: what is wrong` for each mistake, without the values, which are the customer's."""
    mistakes = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False)[:_MISTAKES_MAX]:
        # The name of an unknown field is the model's own text.
        where = (
            "an unknown field" if detail["type"] == "extra_forbidden" else ".".join(map(str, detail["loc"]))
        )
        text = detail["msg"].removeprefix("Value error, ")
        mistakes.append(f"{where}: {text}" if where else text)
    return tuple(mistakes)


def _invalid(name: str, tries: Sequence[ChainAttempt]) -> InvalidOutputError:
    answers = ". ".join(
        f"{attempt.deployment} ({attempt.stage}): {'; '.join(attempt.mistakes)}" for attempt in tries
    )
    error = InvalidOutputError(
        f"no valid answer for the chain {name} after repair and the next model. {answers}. "
        "Choose a stronger model for the use case in config.yaml, or pass model=..."
    )
    error.request_id = tries[-1].request_id
    return error
