"""What a caller may set on a vendor's own client: a list of what is taken; everything else is refused.

Key, address, proxy, headers, HTTP client, model, retries and prices come from config.yaml alone. A vendor's
next release brings parameters that nobody here has read, so the list names what is known to be harmless.
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.parameter_ranges import check_parameters
from orchestrator.core.plain_data import check_depth

_SAMPLING = frozenset(
    {
        *("temperature", "top_p", "seed", "stop", "n", "max_tokens", "response_format"),
        *("tools", "tool_choice", "functions", "timeout"),
    }
)
_OF_OPENAI = frozenset(
    {
        *("max_completion_tokens", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs"),
        *("top_logprobs", "parallel_tool_calls", "reasoning_effort", "verbosity", "stream_usage"),
        "function_call",
    }
)
_OF_RESPONSES = frozenset({"reasoning"})
"""What LangChain's client asks the Responses API with, where no other vendor takes what is held for."""
_OF_GOOGLE = frozenset(
    {
        *("top_k", "max_output_tokens", "response_mime_type", "response_json_schema", "safety_settings"),
        *("thinking_budget", "thinking_level", "thinking_config", "include_thoughts", "media_resolution"),
        *("tool_config", "candidate_count", "generation_config", "logprobs", "presence_penalty"),
        *("frequency_penalty", "reasoning_effort", "response_schema", "strict", "stop_sequences"),
    }
)
_OF_LANGCHAIN = frozenset(
    {
        *("callbacks", "metadata", "name", "verbose", "cache", "rate_limiter", "output_version"),
        *("profile", "disable_streaming", "streaming", "custom_get_token_ids", "disabled_params"),
        *("request_timeout", "stream_chunk_timeout", "include_response_headers"),
        *("convert_system_message_to_human", "stop_sequences"),
    }
)
"""Taken when a client is made: what LangChain does around a send, and another name of `stop`."""
_BY_LANGCHAIN = frozenset({"ls_structured_output_format", "stream"})
"""Put into a call by LangChain itself."""


def check_made_with(kind: ProviderKind, overrides: Mapping[str, Any]) -> None:
    """Check the parameters that a client is made with.

    Raises:
        InvalidRequestError: one is not taken, or outside its range; the message names it.
    """
    _check(overrides, _parameters(kind) | _OF_LANGCHAIN)


def check_called_with(kind: ProviderKind, arguments: Mapping[str, Any]) -> None:
    """Check the parameters of one call of a client.

    Raises:
        InvalidRequestError: one is not taken, or outside its range; the message names it.
    """
    _check(arguments, _parameters(kind) | _BY_LANGCHAIN)


def _parameters(kind: ProviderKind) -> frozenset[str]:
    own = _OF_GOOGLE if kind is ProviderKind.GOOGLE else _OF_OPENAI
    return _SAMPLING | own | (_OF_RESPONSES if kind is ProviderKind.OPENAI else frozenset())


def _check(arguments: Mapping[str, Any], taken: frozenset[str]) -> None:
    for name, value in arguments.items():
        if name not in taken and value is not None:
            raise InvalidRequestError(
                f"'{name}' is not taken by a metered client: key, address, headers, model, retries and what changes a "
                f"price come from config.yaml alone, and what no bound is known for is not sent; known: "
                f"{', '.join(sorted(taken))}"
            )
    check_depth(arguments)
    check_parameters(arguments)
    nested = arguments.get("generation_config")
    if isinstance(nested, Mapping):
        check_parameters(nested)
