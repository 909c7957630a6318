"""Content generation: a brief to an e-mail, a short message, a post or a product text."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from orchestrator.chains import ChainInput, ChainOutput, Line, Text, make_chain
from orchestrator.core.language import Language

_SMS_CHARACTERS_MAX = 300


class ContentKind(StrEnum):
    """Where a text will stand."""

    EMAIL = "email"
    SMS = "sms"
    SOCIAL_POST = "social_post"
    PRODUCT_TEXT = "product_text"


class ContentBrief(ChainInput):
    """What is to be written."""

    kind: ContentKind = ContentKind.EMAIL
    goal: Text
    audience: str | None = None
    tone: str | None = None
    key_points: tuple[str, ...] = ()
    must_mention: tuple[str, ...] = ()
    """Phrases that must occur word for word, such as a coupon code."""
    max_words: Annotated[int, Field(ge=5, le=2000)] = 250
    """The most words of the body."""


class ContentDraft(ChainOutput):
    """A text as it may be sent."""

    title: Line
    body: Text
    call_to_action: Line
    language: Language


def _in_the_chains_language(_brief: ContentBrief, language: Language) -> Mapping[str, Sequence[str]]:
    return {"language": (language.value,)}


def _as_the_brief_says(draft: ContentDraft, brief: ContentBrief) -> Sequence[str]:
    mistakes = []
    words = len(draft.body.split())
    if words > brief.max_words:
        mistakes.append(f"body: has {words} words, {brief.max_words} are allowed")
    if brief.kind is ContentKind.SMS and len(draft.body) > _SMS_CHARACTERS_MAX:
        mistakes.append(f"body: has {len(draft.body)} characters, an SMS has {_SMS_CHARACTERS_MAX} at most")
    written = f"{draft.title}\n{draft.body}\n{draft.call_to_action}".casefold()
    missing = [place for place, phrase in enumerate(brief.must_mention) if phrase.casefold() not in written]
    # The phrases are the customer's; the model has them in its prompt, and an error message must not.
    mistakes += [f"body: must_mention[{place}] does not occur in it" for place in missing]
    return mistakes


content_generation = make_chain(
    "content_generation",
    ContentBrief,
    ContentDraft,
    prompts=Path(__file__).with_name("prompts"),
    guardrails=[_as_the_brief_says],
    description="Write an e-mail, a short message, a post or a product text from a brief",
    allowed=_in_the_chains_language,
)
"""From `ContentBrief` to `ContentDraft`."""

content_generation_text = content_generation.text
"""From `ContentBrief` to the finished text alone, for an editor that streams."""
