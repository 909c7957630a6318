"""Content generation: a brief to an e-mail, a short message, a post or a product text."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from chains.chain_config import ChainConfig
from chains.fields import ChainInput, ChainOutput, Line, Text
from chains.runnables import StructuredChain, TextChain
from chains.structured import Task
from chains.wording import Language
from orchestrator import Orchestrator

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


def content_generation(
    orchestrator: Orchestrator, *, tenant: str = "default", language: str = "vi", **overrides: Any
) -> StructuredChain[ContentBrief, ContentDraft]:
    """Return the chain from `ContentBrief` to `ContentDraft`; `overrides` as in `Orchestrator.complete`.

    Raises:
        InvalidRequestError, UnknownNameError: no such language, request field or profile.
    """
    return StructuredChain(
        ChainConfig(_TASK, orchestrator, tenant=tenant, language=language, overrides=overrides)
    )


def content_generation_text(
    orchestrator: Orchestrator, *, tenant: str = "default", language: str = "vi", **overrides: Any
) -> TextChain[ContentBrief, ContentDraft]:
    """Return the chain from `ContentBrief` to the finished text alone, for an editor that streams.

    Raises:
        InvalidRequestError, UnknownNameError: no such language, request field or profile.
    """
    return TextChain(ChainConfig(_TASK, orchestrator, tenant=tenant, language=language, overrides=overrides))


def _prompt_data(brief: ContentBrief) -> Mapping[str, Any]:
    return brief.model_dump(mode="json", exclude_none=True)


def _allowed(_brief: ContentBrief, language: Language) -> Mapping[str, Sequence[str]]:
    return {"language": (language.value,)}


def _mistakes(brief: ContentBrief, draft: ContentDraft) -> Sequence[str]:
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


_TASK = Task(
    "content_generation",
    ContentBrief,
    ContentDraft,
    prompt_data=_prompt_data,
    allowed=_allowed,
    mistakes=_mistakes,
)
