"""Which parameters a model does not take as OpenAI's format writes them: dropped, or under another name.

What stands here was read in the vendors' documentation. A caller that knows more, from LiteLLM's maps or from
config.yaml, hands in rules of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.catalog.catalog import ProviderKind

_OPENAI_REASONING = re.compile(r"^(?:o\d|gpt-(?:[5-9]|\d\d))(?!.*-chat)")
_GPT_VERSION = re.compile(r"^gpt-(\d+)(?:\.(\d+))?(?=[.-]|$)")
_FIRST_WITH_RESPONSES = (5, 4)
_GEMINI_VERSION = re.compile(r"^gemini-(\d+)")
_GEMINI_LATEST = re.compile(r"^gemini-(?:pro|flash|flash-lite)-latest$")
_OPENAI_PLAIN = re.compile(r"^(?:gpt-[34]|chatgpt-|gpt-\d+(?:\.\d+)?-chat)")
"""These refuse an effort; another server's model of the format may take one."""
_GEMINI_WITHOUT_THOUGHTS = re.compile(r"^gemini-(?:1|2\.0)")
_SAMPLING = frozenset({"temperature", "top_p"})
_PENALTIES = frozenset({"presence_penalty", "frequency_penalty"})
_FIRST_WITHOUT_PENALTIES = 3


@dataclass(frozen=True, slots=True)
class ModelRules:
    """What one model does not take."""

    dropped: frozenset[str] = frozenset()
    """Names of parameters that it refuses."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Names of parameters, and what they are called for it."""
    ignored: frozenset[str] = frozenset()
    """Names of parameters that are sent, and that what stands before the model leaves out without a word."""


class ParameterRules(Protocol):
    """Tells what a model does not take."""

    def __call__(self, kind: ProviderKind, upstream: str, parameters: Mapping[str, Any]) -> ModelRules:
        """Return the rules for a provider's model; `parameters` are those of the request, unchanged."""
        ...


TAKES_ALL = ModelRules()
_CACHE_KEY = frozenset({"prompt_cache_key"})
"""OpenAI's alone."""
TAKES_NO_CACHE_KEY = ModelRules(_CACHE_KEY)


def documented_rules(kind: ProviderKind, upstream: str, parameters: Mapping[str, Any]) -> ModelRules:
    """Return what the vendors' documentation says.

    OpenRouter leaves out by itself what a model does not take, and a local server takes all that it may.
    """
    if kind is ProviderKind.OPENAI:
        return _openai_rules(upstream, parameters)
    if kind is ProviderKind.GOOGLE:
        return _gemini_rules(upstream)
    if kind is ProviderKind.OPENROUTER:
        return _openrouter_rules(upstream, parameters)
    return TAKES_NO_CACHE_KEY


def needs_responses_api(upstream: str, parameters: Mapping[str, Any]) -> bool:
    """Return whether OpenAI itself serves a request through its Responses API alone.

    This wire does not speak that API. From gpt-5.4 on OpenAI refuses function tools beside reasoning in chat
    completions, and these models reason unless they are told not to. Other servers of the format do not.
    """
    version = _GPT_VERSION.match(upstream.rpartition("/")[2])
    if version is None or not parameters.get("tools") or parameters.get("reasoning_effort") == "none":
        return False
    return (int(version[1]), int(version[2] or 0)) >= _FIRST_WITH_RESPONSES


def gemini_major(upstream: str) -> int:
    """Return the generation of a Gemini model, 0 for a model that is none."""
    name = upstream.rpartition("/")[2].lower()
    version = _GEMINI_VERSION.match(name)
    if version:
        return int(version[1])
    return _FIRST_WITHOUT_PENALTIES if _GEMINI_LATEST.match(name) else 0


def _openai_rules(upstream: str, parameters: Mapping[str, Any]) -> ModelRules:
    name = upstream.rpartition("/")[2]
    if not _OPENAI_REASONING.match(name):
        return _NO_EFFORT if _OPENAI_PLAIN.match(name) else TAKES_ALL
    dropped = _PENALTIES | {"stop"}
    # A reasoning model takes them only where it was told not to reason.
    if parameters.get("reasoning_effort") != "none":
        dropped |= {name for name in _SAMPLING if parameters.get(name) not in (None, 1)}
    return ModelRules(dropped, _OUTPUT_LIMIT_RENAMED)


def _gemini_rules(upstream: str) -> ModelRules:
    dropped = _CACHE_KEY | {"parallel_tool_calls"}
    if gemini_major(upstream) >= _FIRST_WITHOUT_PENALTIES:
        dropped |= _PENALTIES
    if _GEMINI_WITHOUT_THOUGHTS.match(upstream.rpartition("/")[2].lower()):
        dropped |= {"reasoning_effort"}
    return ModelRules(dropped)


def _openrouter_rules(upstream: str, parameters: Mapping[str, Any]) -> ModelRules:
    """Return what OpenRouter would leave out without a word: what the model's own vendor does not take."""
    vendor, _, name = upstream.partition("/")
    if vendor == "openai":
        return ModelRules(_CACHE_KEY, ignored=_openai_rules(name, parameters).dropped)
    if vendor == "google" and name.startswith("gemini-"):
        return ModelRules(_CACHE_KEY, ignored=_gemini_rules(name).dropped - _CACHE_KEY)
    return TAKES_NO_CACHE_KEY


_OUTPUT_LIMIT_RENAMED = {"max_tokens": "max_completion_tokens"}
_NO_EFFORT = ModelRules(frozenset({"reasoning_effort"}))
