"""`make_chain`: a typed chain of a team's own, from two pydantic models and a prompt.

    class Ticket(BaseModel):
        text: str

    class Triage(BaseModel):
        queue: Literal["billing", "shipping", "other"]
        reply: str

    triage = make_chain("customer_service", Ticket, Triage, prompts=Path(__file__).with_name("prompts"))
    chain = triage(orchestrator, tenant="acme")
    print(chain.invoke(Ticket(text="Where is my parcel?")).queue)

The shipped chains are made with it too.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic

from pydantic import BaseModel

from orchestrator import Orchestrator
from orchestrator.chains.answer_schema import field_lines
from orchestrator.chains.chain_config import ChainConfig
from orchestrator.chains.guardrails import Guardrail, guards_of
from orchestrator.chains.runnables import StructuredChain, TextChain
from orchestrator.chains.structured import ChainInputT, ChainOutputT, Task
from orchestrator.chains.wording import PromptSource, read_prompts
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.language import Language

_NAME = re.compile(r"[A-Za-z0-9_][\w-]{0,47}", re.ASCII)


@dataclass(frozen=True)
class ChainMaker(Generic[ChainInputT, ChainOutputT]):
    """A chain without an orchestrator yet: call it with one, as often as there are tenants or languages."""

    task: Task[ChainInputT, ChainOutputT]
    description: str = ""

    @property
    def name(self) -> str:
        """The chain's name."""
        return self.task.name

    @property
    def input_model(self) -> type[ChainInputT]:
        """The model of what goes in."""
        return self.task.input_model

    @property
    def output_model(self) -> type[ChainOutputT]:
        """The model of what comes out."""
        return self.task.output_model

    def __call__(
        self,
        orchestrator: Orchestrator,
        *,
        tenant: str = "default",
        language: str | None = None,
        prompts: PromptSource | None = None,
        **overrides: Any,
    ) -> StructuredChain[ChainInputT, ChainOutputT]:
        """Return the chain that answers with the output model; `overrides` as in `Orchestrator.complete`.

        `prompts` replaces the wording: a folder with `NAME.vi.md` and `NAME.en.md`, or texts. Without
        `language` it is Vietnamese, where the prompts have it.

        Raises:
            InvalidRequestError, UnknownNameError: no such language, prompt, request field or profile.
        """
        return StructuredChain(self._config(orchestrator, tenant, language, prompts, overrides))

    def text(
        self,
        orchestrator: Orchestrator,
        *,
        tenant: str = "default",
        language: str | None = None,
        prompts: PromptSource | None = None,
        **overrides: Any,
    ) -> TextChain[ChainInputT, ChainOutputT]:
        """Return the chain that answers with plain text and streams it; nothing of it is validated.

        Raises:
            InvalidRequestError: the prompts have no text form; and what the call raises.
        """
        config = self._config(orchestrator, tenant, language, prompts, overrides)
        config.require_text_form()
        return TextChain(config)

    def _config(
        self,
        orchestrator: Orchestrator,
        tenant: str,
        language: str | None,
        prompts: PromptSource | None,
        overrides: Mapping[str, Any],
    ) -> ChainConfig[ChainInputT, ChainOutputT]:
        task = self.task
        if prompts is not None:
            fields = field_lines(task.output_model)
            task = replace(task, prompts=read_prompts(prompts, name=task.name, fields=fields))
        return ChainConfig(task, orchestrator, tenant=tenant, language=language, overrides=overrides)


def make_chain(  # noqa: PLR0913 -- what a chain is made of
    use_case: str,
    input_model: type[ChainInputT],
    output_model: type[ChainOutputT],
    *,
    prompts: PromptSource,
    guardrails: Iterable[Guardrail] = (),
    name: str | None = None,
    description: str = "",
    prompt_data: Callable[[ChainInputT], Mapping[str, Any]] | None = None,
    allowed: Callable[[ChainInputT, Language], Mapping[str, Sequence[str]]] | None = None,
) -> ChainMaker[ChainInputT, ChainOutputT]:
    """Return the maker of a chain from `input_model` to `output_model`, which belongs to a use case.

    `prompts` is a folder with `NAME.vi.md` and `NAME.en.md` (or one of them), one text, or a text for each
    language; `name` is the use case's, unless it is given. `guardrails` take an answer, or an answer and its
    input, and return why it may not be used. `description` is for lists of chains; without it stands the
    first line of `output_model`'s docstring. `prompt_data` is what the prompt holds of an input, all of it
    without. `allowed` names fields of the answer that may have only some values for an input.

    Raises:
        InvalidRequestError: no pydantic models, no prompts, or a guardrail that cannot be used.
    """
    name = use_case if name is None else name
    _check(name, input_model, output_model)
    return ChainMaker(
        Task(
            use_case,
            input_model,
            output_model,
            prompts=read_prompts(prompts, name=name, fields=field_lines(output_model)),
            prompt_data=prompt_data or _all_of,
            allowed=allowed or _anything,
            guards=guards_of(guardrails),
        ),
        description or _described(input_model, output_model),
    )


def _described(input_model: type[BaseModel], output_model: type[BaseModel]) -> str:
    """Return what a chain does, as far as its models tell: the first line of the answer's docstring."""
    lines = (output_model.__doc__ or "").strip().splitlines()
    return lines[0] if lines else f"{input_model.__name__} to {output_model.__name__}"


def _check(name: Any, *models: Any) -> None:
    """Check what a type checker would, for callers that use none.

    Raises:
        InvalidRequestError: no name, or no models.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequestError(f"a chain's name has letters, digits, - and _, 48 at most; got {name!r}")
    for place, model in zip(("second", "third"), models, strict=True):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise InvalidRequestError(
                f"make_chain: the {place} argument is a pydantic model's class, not {model!r}"
            )


def _all_of(chain_input: BaseModel) -> Mapping[str, Any]:
    return chain_input.model_dump(mode="json", exclude_none=True)


def _anything(_input: BaseModel, _language: Language) -> Mapping[str, Sequence[str]]:
    return {}
