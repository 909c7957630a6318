"""What a request is like, as far as it can be seen without a model, in a few microseconds."""

from enum import StrEnum
from typing import NamedTuple

from orchestrator.core.money import NanoUsd


class Complexity(StrEnum):
    """How much a request asks of a model, by its form alone."""

    LOW = "low"
    """A short question or text."""
    MEDIUM = "medium"
    """Long, or with tools, a schema or a conversation."""
    HIGH = "high"
    """Several of these, or files."""


class RequestUrgency(StrEnum):
    """How soon an answer is needed."""

    LOW = "low"
    """Nobody waits: its retry profile is a background one."""
    NORMAL = "normal"
    HIGH = "high"
    """Within ten seconds."""


class RequestAnalysis(NamedTuple):
    """What a request is like; models are left out by `needs`, tokens and language before any score."""

    complexity: Complexity
    urgency: RequestUrgency
    budget_nusd: NanoUsd | None
    """The most it may cost, None where nothing limits it."""
    language: str | None
    """What the reply is to be written in; None is a language that nobody here knows."""
    input_tokens: int
    """Expected."""
    output_tokens: int
    """At most."""
    needs: tuple[str, ...]
    """What a model must be able to do beyond text."""
    signs: tuple[str, ...]
    """What the complexity was told by."""
