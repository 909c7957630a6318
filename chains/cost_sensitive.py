"""Bulk work: many short texts, each to one of the caller's own labels, as cheaply as it can be done well.

labels = ("khiếu nại", "hỏi giá", "khen")
chain = cost_sensitive(orchestrator, tenant="acme")
found = chain.batch([BulkItem(text=text, labels=labels) for text in texts], {"max_concurrency": 8})
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from orchestrator.chains import ChainInput, ChainOutput, Line, Percent, Text, make_chain
from orchestrator.core.language import Language


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


def _the_items_labels(item: BulkItem, _language: Language) -> Mapping[str, Sequence[str]]:
    return {"label": item.labels}


cost_sensitive = make_chain(
    "cost_sensitive",
    BulkItem,
    BulkLabel,
    prompts=Path(__file__).with_name("prompts"),
    description="Give each of many short texts one of your labels, cheaply",
    allowed=_the_items_labels,
)
"""From `BulkItem` to `BulkLabel`."""
