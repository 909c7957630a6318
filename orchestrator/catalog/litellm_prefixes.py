"""The prefixes of LiteLLM that a provider of kind `litellm` may have, and the parameters that they take.

A prefix stands here when LiteLLM was seen to send it through the HTTP client that it is handed, whole and
streamed, once for each request: `tests/providers/litellm/test_prefixes.py` sees it again. Only then can a
budget hold, and is a request that was never sent told from one that may be billed.
"""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.core.secret_values import SecretText
from orchestrator.core.settings import Settings
from orchestrator.core.unknown_names import nearest


class ClientKind(StrEnum):
    """The client through which LiteLLM sends for a prefix."""

    HTTP = "http"
    """Its own HTTP handler."""
    OPENAI = "openai"
    """The client of the openai SDK."""
    AZURE = "azure"
    """The SDK's client for Azure."""


_BY_HTTP = """
anthropic azure_ai bedrock bedrock_mantle cometapi compactifai databricks deepseek edenai fireworks_ai groq heroku
hosted_vllm huggingface lemonade minimax mistral ovhcloud snowflake together_ai vertex_ai xai
"""
_BY_OPENAI = """
ai21 ai21_chat aiml apertis assemblyai baseten cerebras charity_engine chutes codestral cognition cortecs darkbloom
dashscope deepinfra docker_model_runner empower featherless_ai friendliai galadriel github helicone hyperbolic
inception lambda_ai libertai litellm_proxy llamafile lm_studio meta meta_llama modelscope moonshot morph nano-gpt
nebius neosantara novita nscale nvidia_nim parasail perplexity pinstripes poe prism publicai qwen_ai_platform
qwencloud reka sail sambanova scaleway scx-ai synthetic tencent tensormesh v0 vercel_ai_gateway volcengine wandb
xiaomi_mimo xinference zai
"""
CLIENTS: Mapping[str, ClientKind] = {
    **dict.fromkeys(_BY_HTTP.split(), ClientKind.HTTP),
    **dict.fromkeys(_BY_OPENAI.split(), ClientKind.OPENAI),
    "azure": ClientKind.AZURE,
}
"""Every prefix that may be configured, and how LiteLLM sends for it."""

OWN_KINDS: Mapping[str, str] = {
    "openrouter": "openrouter",
    "gemini": "google",
    "openai": "openai",
    "ollama": "local",
    "ollama_chat": "local",
}
"""Prefixes whose providers have a kind of their own here, with more than LiteLLM knows of them."""

ADDRESSES: Mapping[str, str] = {
    "anthropic": "https://api.anthropic.com",
    "cerebras": "https://api.cerebras.ai/v1",
    "deepseek": "https://api.deepseek.com",
    "fireworks_ai": "https://api.fireworks.ai/inference/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai",
    "moonshot": "https://api.moonshot.ai/v1",
    "perplexity": "https://api.perplexity.ai",
    "together_ai": "https://api.together.xyz/v1",
    "xai": "https://api.x.ai/v1",
}
"""Where a prefix is whose provider names no base_url: never what LiteLLM finds in the environment."""

_FROM_REGION = frozenset({"bedrock", "vertex_ai"})
"""Whose address LiteLLM writes from the region."""

_DOMAINS: Mapping[str, tuple[str, ...]] = {
    "azure": ("openai.azure.com", "cognitiveservices.azure.com"),
    "azure_ai": ("services.ai.azure.com", "models.ai.azure.com"),
    "bedrock": ("amazonaws.com", "amazonaws.com.cn"),
    "vertex_ai": ("googleapis.com",),
}
"""Where the vendor of a prefix bills whose customers have addresses of their own."""

TAKES_NO_ADDRESS_OF_MEDIA = frozenset({"bedrock", "vertex_ai"})
"""For these LiteLLM would fetch a picture itself, and send what it got."""


_OF_VERTEX = """
claude codestral deepseek-ai/ gemini google/gemma- jamba meta/llama minimaxai/ mistral moonshotai/ openai/gpt-oss-
qwen/ zai-org/
"""
VERTEX_UPSTREAMS = tuple(_OF_VERTEX.split())
"""How the models of Vertex AI begin that LiteLLM sends through the client that it is handed."""


class LiteLlmParameters(Settings):
    """What LiteLLM is told for a prefix beside key and address, by its own names."""

    api_version: str | None = None
    """The version of Azure's API, such as 2024-10-21."""
    azure_ad_token: SecretText | None = None
    """A token of Entra ID in the place of a key."""
    aws_region_name: str | None = None
    """The region of Bedrock, such as eu-central-1."""
    aws_access_key_id: SecretText | None = None
    """The id of the access key for Bedrock; in its place `api_key` may hold a Bedrock API key."""
    aws_secret_access_key: SecretText | None = None
    """The access key itself."""
    aws_session_token: SecretText | None = None
    """The token of a temporary access key."""
    vertex_project: str | None = None
    """The project of Vertex AI."""
    vertex_location: str | None = None
    """The region of Vertex AI, such as europe-west4."""
    vertex_credentials: SecretText | None = None
    """The JSON of a service account, best as `${file:/run/secrets/vertex.json}`."""

    def as_arguments(self) -> dict[str, str]:
        """Return those that are set, by LiteLLM's names; secrets are in it."""
        plain = {name: getattr(self, name) for name in type(self).model_fields}
        texts = {
            name: value.get_secret_value() if isinstance(value, SecretText) else value
            for name, value in plain.items()
        }
        return {name: text for name, text in texts.items() if text}


_PARAMETERS: Mapping[str, frozenset[str]] = {
    "azure": frozenset({"api_version", "azure_ad_token"}),
    "azure_ai": frozenset({"api_version"}),
    "bedrock": frozenset(
        {"aws_region_name", "aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
    ),
    "vertex_ai": frozenset({"vertex_project", "vertex_location", "vertex_credentials"}),
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "azure": ("api_version",),
    "bedrock": ("aws_region_name",),
    "vertex_ai": ("vertex_project", "vertex_location"),
}
IN_PLACE_OF_KEY: Mapping[str, tuple[str, ...]] = {
    "azure": ("azure_ad_token",),
    "bedrock": ("aws_access_key_id", "aws_secret_access_key"),
    "vertex_ai": ("vertex_credentials",),
}
"""What makes a key unnecessary when all of it is set."""
TAKES_NO_KEY = frozenset({"vertex_ai"})
"""For whom a key is of no use: what stands in its place is needed."""


def fault_of_prefix(prefix: str) -> str | None:
    """Return what is wrong with a prefix, with the nearest one that is meant; None where nothing is."""
    if prefix in CLIENTS:
        return None
    if prefix in OWN_KINDS:
        return f"'{prefix}' has a kind of its own: write 'kind: {OWN_KINDS[prefix]}' and no prefix"
    close = nearest(prefix, [*CLIENTS, *OWN_KINDS])
    hint = "" if close is None else f"; did you mean '{close}'?"
    if prefix in _known_to_litellm():
        return f"what is meant for '{prefix}' LiteLLM sends by a way of its own, on which no budget would hold{hint}"
    return f"'{prefix}' is no prefix of LiteLLM's{hint or '; known here: ' + ', '.join(sorted(CLIENTS))}"


def fault_of_upstream(prefix: str | None, upstream: str) -> str | None:
    """Return what is wrong with a model's name under a prefix; None where nothing is known to be."""
    if prefix != "vertex_ai" or upstream.startswith(VERTEX_UPSTREAMS):
        return None
    return (
        f"LiteLLM asks Vertex AI for '{upstream}' by Google's library google-cloud-aiplatform, on which no budget would "
        f"hold; it sends itself what begins with {', '.join(VERTEX_UPSTREAMS)}"
    )


def faults_of_parameters(prefix: str, named: Sequence[str], *, base_url: str | None) -> str | None:
    """Return what is wrong with what a prefix is told or not told; None where nothing is."""
    taken = _PARAMETERS.get(prefix, frozenset())
    strange = [name for name in named if name not in taken]
    if strange:
        known = f"it takes {', '.join(sorted(taken))}" if taken else "it takes none"
        return f"parameters.{strange[0]} is none of prefix '{prefix}'; {known}"
    missing = [name for name in _NEEDED.get(prefix, ()) if name not in named]
    if missing:
        return f"prefix '{prefix}' needs parameters.{missing[0]}"
    if not base_url and prefix not in ADDRESSES and prefix not in _FROM_REGION:
        return f"prefix '{prefix}' needs base_url, the address of its API"
    return None


def has_other_credentials(prefix: str | None, named: Sequence[str]) -> bool:
    """Return whether parameters are set that stand in the place of a key."""
    needed = IN_PLACE_OF_KEY.get(prefix or "", ())
    return bool(needed) and set(needed) <= set(named)


def bills_at(prefix: str, address: str | None) -> bool:
    """Return whether the prefix's own vendor bills at an address; nothing is known of a gateway's prices."""
    if not address:
        return True
    host = (urlsplit(address).hostname or "").lower()
    own = urlsplit(ADDRESSES.get(prefix, "")).hostname
    return host == own or any(host.endswith(f".{domain}") for domain in _DOMAINS.get(prefix, ()))


def _known_to_litellm() -> frozenset[str]:
    """Return the prefixes of the installed LiteLLM, from the data in its package; it is not imported."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        return frozenset()
    path = Path(spec.origin).with_name("provider_endpoints_support_backup.json")
    listed = json.loads(path.read_bytes()).get("providers", {}) if path.is_file() else {}
    return frozenset(listed)
