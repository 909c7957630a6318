"""The analysis of a request before models are chosen: by its form, without a model and without its meaning.

Complexity is what can be counted: length, tools, a schema, turns, files. It is shown with every plan and
chooses nothing by itself: what a prompt's words foretell of a model's success does not carry over to other
prompts, while a measured policy for each use case does.
"""

from orchestrator.core.analysis import Complexity, RequestAnalysis, RequestUrgency
from orchestrator.core.money import NanoUsd
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.request import ChatRequest
from orchestrator.routing.scoring import RankingContext

_LONG_TOKENS = 2_000
_MANY_TURNS = 6
_MANY_SIGNS = 2
_HURRY_S = 10.0


def analyse(
    request: ChatRequest, size: PromptSize, rules: RankingContext, *, deadline_s: float, background: bool
) -> RequestAnalysis:
    """Return what a request is like; `deadline_s` is what is left for all of it."""
    signs = _signs(request, size)
    limits = (request.max_cost_nusd, rules.ceiling and rules.ceiling[1])
    budgets = [NanoUsd(limit) for limit in limits if limit is not None]
    return RequestAnalysis(
        complexity=_complexity(signs, has_files=size.has_files),
        urgency=_urgency(deadline_s, background=background),
        budget_nusd=min(budgets, default=None),
        language=rules.language.value if rules.language is not None else None,
        input_tokens=size.input_expected_tokens,
        output_tokens=request.max_tokens or rules.use_case.max_tokens,
        needs=tuple(sorted([need.value for need in rules.needs])),
        signs=signs,
    )


def _signs(request: ChatRequest, size: PromptSize) -> tuple[str, ...]:
    tools, turns = len(request.sampling.tools or ()), len(request.messages)
    signs = []
    if size.input_expected_tokens > _LONG_TOKENS:
        signs.append(f"{size.input_expected_tokens:,} tokens")
    if tools:
        signs.append(f"{tools} tools")
    if request.sampling.response_format is not None:
        signs.append("a format for the answer")
    if turns > _MANY_TURNS:
        signs.append(f"{turns} messages")
    if size.has_files:
        signs.append("files")
    return tuple(signs)


def _complexity(signs: tuple[str, ...], *, has_files: bool) -> Complexity:
    if has_files or len(signs) >= _MANY_SIGNS:
        return Complexity.HIGH
    return Complexity.MEDIUM if signs else Complexity.LOW


def _urgency(deadline_s: float, *, background: bool) -> RequestUrgency:
    if background:
        return RequestUrgency.LOW
    return RequestUrgency.HIGH if deadline_s <= _HURRY_S else RequestUrgency.NORMAL
