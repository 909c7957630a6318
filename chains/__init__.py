"""Chains: the CRM's use cases as typed LangChain runnables.

    from chains import CustomerQuestion, customer_service

    chain = customer_service(orchestrator, tenant="acme", language="vi")
    answer = chain.invoke(CustomerQuestion(question="Đơn DH1001 đâu rồi?", facts=("DH1001: đang giao",)))

Pydantic in, pydantic out, both frozen; they pipe, batch and stream like every runnable. An answer
is validated, repaired once, then asked of the next model; `chain.with_details()` tells how it went.
`CHAINS` names them all.
"""

from collections.abc import Mapping
from types import MappingProxyType

from chains.content_generation import (
    ContentBrief,
    ContentDraft,
    ContentKind,
    content_generation,
    content_generation_text,
)
from chains.cost_sensitive import BulkItem, BulkLabel, cost_sensitive
from chains.customer_service import (
    CustomerAnswer,
    CustomerQuestion,
    Intent,
    Turn,
    Urgency,
    customer_service,
    customer_service_text,
)
from chains.data_analysis import DataFinding, DataQuestion, Figure, data_analysis, data_analysis_text
from chains.runnables import DetailedChain, StructuredChain, TextChain
from chains.spec import ChainSpec
from chains.structured import ChainAttempt, ChainResult, Stage
from orchestrator.core.language import Language

__all__ = [
    "CHAINS",
    "BulkItem",
    "BulkLabel",
    "ChainAttempt",
    "ChainResult",
    "ChainSpec",
    "ContentBrief",
    "ContentDraft",
    "ContentKind",
    "CustomerAnswer",
    "CustomerQuestion",
    "DataFinding",
    "DataQuestion",
    "DetailedChain",
    "Figure",
    "Intent",
    "Language",
    "Stage",
    "StructuredChain",
    "TextChain",
    "Turn",
    "Urgency",
    "content_generation",
    "content_generation_text",
    "cost_sensitive",
    "customer_service",
    "customer_service_text",
    "data_analysis",
    "data_analysis_text",
]

_SPECS = (
    ChainSpec(
        "customer_service",
        "Answer a customer's question from what the CRM knows, with intent and urgency",
        CustomerQuestion,
        CustomerAnswer,
        build=customer_service,
        build_text=customer_service_text,
    ),
    ChainSpec(
        "content_generation",
        "Write an e-mail, a short message, a post or a product text from a brief",
        ContentBrief,
        ContentDraft,
        build=content_generation,
        build_text=content_generation_text,
    ),
    ChainSpec(
        "data_analysis",
        "Answer a question about a table, with the figures that prove it",
        DataQuestion,
        DataFinding,
        build=data_analysis,
        build_text=data_analysis_text,
    ),
    ChainSpec(
        "cost_sensitive",
        "Give each of many short texts one of your labels, cheaply",
        BulkItem,
        BulkLabel,
        build=cost_sensitive,
    ),
)

CHAINS: Mapping[str, ChainSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
"""The chains by the name of their use case."""
