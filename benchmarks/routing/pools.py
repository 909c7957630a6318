"""The kinds of work that are measured: their prompts, models, reference, and how answers are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from benchmarks.routing.recorded import Prompt, answer_of
from orchestrator.policies.normal_form import CompareSettings, NormalForm, normal_form

Floats = npt.NDArray[np.float64]

_VENDORS = {
    "gpt": "openai",
    "text-davinci": "openai",
    "claude": "anthropic",
    "gemini": "google",
    "gemma": "google",
    "codegemma": "google",
    "mistral": "mistral",
    "mixtral": "mistral",
    "llama": "meta",
    "command": "cohere",
    "cohere": "cohere",
    "nemotron": "nvidia",
    "dbrx": "databricks",
    "arctic": "snowflake",
    "qwen": "alibaba",
    "yi": "01-ai",
}
TOOLS = CompareSettings.model_validate({"by": "tool_calls", "no_call": "vote"})
NUMBERS = CompareSettings.model_validate({"by": "number", "units": "ignore", "language": "en"})
LETTERS = CompareSettings.model_validate({"by": "label", "labels": ["a", "b", "c", "d"]})
_COMPARED = {
    "bfcl": TOOLS,
    "gem_svamp": NUMBERS,
    "gem_mawpsmultiarith": NUMBERS,
    "gsm8k": NUMBERS,
    "mmlu": LETTERS,
}
"""How the answers of a benchmark are compared; those of others are free text, and never voted on."""


def vendor_of(model: str) -> str:
    """Return who made a model; a name of its own where it is not known."""
    return next((vendor for prefix, vendor in _VENDORS.items() if model.startswith(prefix)), model)


def compare_of(benchmark: str) -> CompareSettings | None:
    """Return how answers of a benchmark are compared, None where nothing can be."""
    return _COMPARED.get(benchmark)


@dataclass(frozen=True)
class Pool:
    """Prompts of one kind with the models that answered all of them."""

    name: str
    prompts: tuple[Prompt, ...]
    models: tuple[str, ...]

    @classmethod
    def of(cls, name: str, prompts: Sequence[Prompt], models: Sequence[str] | None = None) -> "Pool":
        """Make a pool of the prompts that all models answered; without `models` of those of most prompts."""
        known = models or sorted({model for prompt in prompts for model in prompt.outcomes})
        counts = {model: sum(model in prompt.outcomes for prompt in prompts) for model in known}
        whole = tuple(model for model in known if counts[model] >= 0.98 * len(prompts))
        rows = tuple(prompt for prompt in prompts if all(model in prompt.outcomes for model in whole))
        return cls(name, rows, whole)

    def part(self, places: Sequence[int]) -> "Pool":
        """Return some of its prompts, by place."""
        return Pool(self.name, tuple(self.prompts[place] for place in places), self.models)

    @cached_property
    def scores(self) -> Mapping[str, Floats]:
        """Return the score of each model for each prompt; only who measures may look at it."""
        return {
            model: np.array([prompt.outcomes[model].score for prompt in self.prompts])
            for model in self.models
        }

    @cached_property
    def costs(self) -> Mapping[str, Floats]:
        """Return the dollars of each model for each prompt."""
        return {
            model: np.array([prompt.outcomes[model].cost_usd for prompt in self.prompts])
            for model in self.models
        }

    @cached_property
    def forms(self) -> Mapping[str, tuple[NormalForm | None, ...]]:
        """Return what each model said to each prompt, in the project's own normal form."""
        return {model: tuple(form_of(prompt, model) for prompt in self.prompts) for model in self.models}

    @cached_property
    def best(self) -> str:
        """Return the best single model by its scores here; of equals the cheaper one."""
        return max(self.models, key=lambda model: (self.scores[model].mean(), -self.costs[model].sum()))

    @property
    def can_vote(self) -> bool:
        """Return whether all answers can be compared."""
        return all(compare_of(prompt.benchmark) is not None for prompt in self.prompts)


def form_of(prompt: Prompt, model: str) -> NormalForm | None:
    """Return what a model said in one spelling, None where it cannot be compared or was not recorded."""
    key = (prompt.id, model)
    if key not in _FORMS:
        compare, answer = compare_of(prompt.benchmark), answer_of(prompt, model)
        _FORMS[key] = None if compare is None or answer is None else normal_form(answer, compare)
    return _FORMS[key]


_FORMS: dict[tuple[str, str], NormalForm | None] = {}
"""Each answer is read once, however many parts its prompt is in."""
