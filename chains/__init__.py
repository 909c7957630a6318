"""Chains: the CRM's use cases as typed LangChain runnables.

    from chains import CustomerQuestion, customer_service

    chain = customer_service(orchestrator, tenant="acme", language="vi")
    answer = chain.invoke(CustomerQuestion(question="Đơn DH1001 đâu rồi?", facts=("DH1001: đang giao",)))

Pydantic in, pydantic out, both frozen; they pipe, batch and stream like every runnable. An answer
is validated, repaired once, then asked of the next model; `chain.with_details()` tells how it went.
`CHAINS` names them all. Where a project has a package `chains` of its own, `orchestrator.chains.shipped()` is
this one; so nothing in here calls it by its name.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from orchestrator.chains import (
    ChainAttempt,
    ChainMaker,
    ChainResult,
    DetailedChain,
    Stage,
    StructuredChain,
    TextChain,
)
from orchestrator.chains.shipped import joined_folders
from orchestrator.core.language import Language

from .content_generation import (
    ContentBrief,
    ContentDraft,
    ContentKind,
    content_generation,
    content_generation_text,
)
from .cost_sensitive import BulkItem, BulkLabel, cost_sensitive
from .customer_service import (
    CustomerAnswer,
    CustomerQuestion,
    Intent,
    Turn,
    Urgency,
    customer_service,
    customer_service_text,
)
from .data_analysis import DataFinding, DataQuestion, Figure, data_analysis, data_analysis_text

__all__ = [
    "CHAINS",
    "BulkItem",
    "BulkLabel",
    "ChainAttempt",
    "ChainMaker",
    "ChainResult",
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

# A folder `chains/` of a project, without an __init__.py, would not be found beside this package.
__path__ = joined_folders(__path__, __name__)

CHAINS: Mapping[str, ChainMaker[Any, Any]] = MappingProxyType(
    {maker.name: maker for maker in (customer_service, content_generation, data_analysis, cost_sensitive)}
)
"""The chains by the name of their use case."""
