"""The names and types of what may be asked, for editors and type checkers; `core.request` checks values."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypedDict

from orchestrator.core.money import NanoUsd
from orchestrator.core.on_break import OnBreak
from orchestrator.core.request import CacheUse


class _SharedFields(TypedDict, total=False):
    """What `complete` and `chat_model` both take by name."""

    tenant: str
    user: str | None
    tags: str | Sequence[str]
    model: str | None
    max_tokens: int | None
    max_cost_nusd: NanoUsd | int | None
    deadline_s: float | None
    profile: str | None
    cache: CacheUse | str
    run: str | None
    max_cost_usd: Decimal | float | str | None
    """Of all calls of `run` together, in dollars."""
    idempotency_key: str | None
    graceful: bool | None
    language: str | None
    on_break: OnBreak | str
    temperature: float | None
    top_p: float | None
    stop: str | Sequence[str] | None
    seed: int | None
    presence_penalty: float | None
    frequency_penalty: float | None
    reasoning_effort: str | None
    response_format: Mapping[str, Any] | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    prompt_cache_key: str | None


class RequestFields(_SharedFields, total=False):
    """The fields of `ChatRequest` and its sampling parameters; any other name is a type error."""

    use_case: str | None


class EmbeddingFields(TypedDict, total=False):
    """The fields of `EmbeddingRequest`."""

    use_case: str | None
    tenant: str
    user: str | None
    tags: str | Sequence[str]
    model: str | None
    dimensions: int | None
    max_cost_nusd: NanoUsd | int | None
    deadline_s: float | None
    profile: str | None
    cache: CacheUse | str
    idempotency_key: str | None
    run: str | None
    max_cost_usd: Decimal | float | str | None
    """Of all calls of `run` together, in dollars."""


_Aliases = TypedDict("_Aliases", {"timeout": float | None}, total=False)  # noqa: UP013 -- LangChain's name for a field
"""Which is `deadline_s`, in seconds; as a name of ours it would have to say so."""


class ChatModelFields(_SharedFields, _Aliases, total=False):
    """The same but for the use case, which `chat_model` takes first, and what LangChain has beside them."""

    streaming: bool
    stop_sequences: Sequence[str] | None
    model_name: str | None
    api_key: Any
    max_retries: int | None
    name: str | None
    metadata: dict[str, Any] | None
    callbacks: Any
    rate_limiter: Any
    disable_streaming: Any
    output_version: str | None
    verbose: bool
