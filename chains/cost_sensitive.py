"""Bulk work: many short texts, each to one of the caller's own labels, as cheaply as it can be done well.

labels = ("khiếu nại", "hỏi giá", "khen")
chain = cost_sensitive(orchestrator, tenant="acme")
found = chain.batch([BulkItem(text=text, labels=labels) for text in texts], {"max_concurrency": 8})
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, field_validator

from chains.chain_config import ChainConfig
from chains.fields import ChainInput, ChainOutput, Line, Percent, Text
from chains.runnables import StructuredChain
from chains.structured import Task
from chains.wording import Language
from orchestrator import Orchestrator


class BulkItem(ChainInput):
    """A short text and the labels it may get."""

    text: Text
    labels: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)]

    @field_validator("labels")
    @classmethod
    def _differ(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) < len(labels):
            raise ValueError("must differ from each other")
        return labels


class BulkLabel(ChainOutput):
    """The label of a text."""

    label: Line
    """One of the item's labels."""
    confidence_percent: Percent


def cost_sensitive(
    orchestrator: Orchestrator, *, tenant: str = "default", language: str = "vi", **overrides: Any
) -> StructuredChain[BulkItem, BulkLabel]:
    """Return the chain from `BulkItem` to `BulkLabel`; `overrides` as in `Orchestrator.complete`.

    Raises:
        InvalidRequestError, UnknownNameError: no such language, request field or profile.
    """
    return StructuredChain(
        ChainConfig(_TASK, orchestrator, tenant=tenant, language=language, overrides=overrides)
    )


def _prompt_data(item: BulkItem) -> Mapping[str, Any]:
    return item.model_dump(mode="json")


def _allowed(item: BulkItem, _language: Language) -> Mapping[str, Sequence[str]]:
    return {"label": item.labels}


def _mistakes(_item: BulkItem, _label: BulkLabel) -> Sequence[str]:
    return ()


_TASK = Task(
    "cost_sensitive", BulkItem, BulkLabel, prompt_data=_prompt_data, allowed=_allowed, mistakes=_mistakes
)
