"""Whether an answer is what its use case asks for, decided without a model; and if not, why."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from orchestrator.core.json_schema import fits
from orchestrator.core.language import Language, language_of
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.policies.normal_form import label_of, unfenced
from orchestrator.policies.settings import CheckSettings

_CITATION = re.compile(r"\[[^\[\]\n]{1,40}\]")
_TELLING_CHARS = 12
"""Shorter texts tell no language."""


def why_failed(
    answer: ProviderAnswer, checks: Sequence[CheckSettings], *, messages: Sequence[Mapping[str, Any]]
) -> str | None:
    """Return the first check that an answer fails, in words that quote nothing of it; None where it passes.

    `messages` are those of the request. Checks of the caller's own program are not made here.
    """
    return why_text_failed(answer.text, checks, messages=messages)


def why_text_failed(
    text: str, checks: Sequence[CheckSettings], *, messages: Sequence[Mapping[str, Any]]
) -> str | None:
    """Return the first check that the text of an answer fails; see `why_failed`."""
    for check in checks:
        reason = _why(text, check, messages)
        if reason is not None:
            return reason
    return None


def _why(text: str, check: CheckSettings, messages: Sequence[Mapping[str, Any]]) -> str | None:
    length = len(text.strip())
    if check.json_schema is not None and not _fits(text, check.json_schema):
        return "no JSON that fits the schema"
    if check.labels and label_of(text, check.labels) is None:
        return "none of the labels"
    if check.min_chars is not None and length < check.min_chars:
        return f"{length} characters, and at least {check.min_chars} are asked for"
    if check.max_chars is not None and length > check.max_chars:
        return f"{length} characters, and at most {check.max_chars} are asked for"
    if check.language is not None and not _is_in(text, check.language):
        return f"not written in '{check.language}'"
    return _why_uncited(text, messages) if check.citation else None


def _fits(text: str, schema: dict[str, Any]) -> bool:
    try:
        return fits(orjson.loads(unfenced(text)), schema)
    except ValueError:
        return False


def _is_in(text: str, language: Language) -> bool:
    if len(text.strip()) < _TELLING_CHARS:
        return True
    return (language_of(text) is Language.VI) == (language is Language.VI)


def _why_uncited(text: str, messages: Sequence[Mapping[str, Any]]) -> str | None:
    cited = set(_CITATION.findall(text))
    if not cited:
        return "no source is cited"
    prompt = orjson.dumps([message.get("content") for message in messages]).decode()
    unknown = sum(mark not in prompt for mark in cited)
    return f"{unknown} of {len(cited)} cited sources do not stand in the prompt" if unknown else None
