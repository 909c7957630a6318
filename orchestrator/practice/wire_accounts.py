"""What the providers tell about models, keys and past replies, in their own formats."""

from collections.abc import Iterable
from decimal import Decimal

from orchestrator.core.money import NANO_PER_USD, TOKENS_PER_MTOK, NanoUsd, to_usd
from orchestrator.practice.bill import PracticeCharge, PracticePrice
from orchestrator.practice.json_types import JsonObject

CONTEXT_TOKENS = 128_000
OUTPUT_TOKENS_MAX = 16_384
_CREATED_S = 1_767_225_600
_CREDITS_USD = 100
_PARAMETERS = [
    "max_tokens",
    "temperature",
    "stop",
    "tools",
    "tool_choice",
    "response_format",
    "structured_outputs",
]


def openrouter_models(models: Iterable[tuple[str, PracticePrice]]) -> JsonObject:
    """Return OpenRouter's model list: prices are decimal strings of dollars per token."""
    return {"data": [_openrouter_model(name, price) for name, price in models]}


def openrouter_endpoints(model: str, price: PracticePrice) -> JsonObject:
    """Return the endpoints that serve one model of OpenRouter."""
    endpoint = {
        "name": f"Practice | {model}",
        "model_name": model,
        "provider_name": "Practice",
        "tag": "practice",
        "context_length": CONTEXT_TOKENS,
        "max_completion_tokens": OUTPUT_TOKENS_MAX,
        "pricing": _pricing(price),
        "supported_parameters": _PARAMETERS,
        "status": 0,
        "uptime_last_30m": 100,
    }
    return {"data": {"id": model, "name": model, "created": _CREATED_S, "endpoints": [endpoint]}}


def openrouter_generation(charge: PracticeCharge) -> JsonObject:
    """Return what OpenRouter knows of a past reply: its true cost and tokens."""
    return {
        "data": {
            "id": charge.request_id,
            "model": charge.model,
            "provider_name": "Practice",
            "streamed": charge.streamed,
            "cancelled": charge.delivered != "whole",
            "total_cost": float(to_usd(charge.cost_nusd)),
            "usage": float(to_usd(charge.cost_nusd)),
            "cache_discount": None,
            "is_byok": False,
            **(_to_own_key(charge) if charge.own_key else {}),
            "tokens_prompt": charge.input_tokens,
            "tokens_completion": charge.output_tokens,
            "native_tokens_prompt": charge.input_tokens,
            "native_tokens_completion": charge.output_tokens,
            "native_tokens_cached": charge.cached_input_tokens,
            "native_tokens_reasoning": 0,
        }
    }


def _to_own_key(charge: PracticeCharge) -> JsonObject:
    return {
        "total_cost": 0,
        "usage": 0,
        "is_byok": True,
        "upstream_inference_cost": float(to_usd(charge.cost_nusd)),
    }


def openrouter_key(used: NanoUsd) -> JsonObject:
    """Return what OpenRouter says of an API key."""
    usd = float(to_usd(used))
    data = {"label": "practice", "limit": None, "limit_remaining": None, "usage": usd, "is_free_tier": False}
    return {"data": {**data, "usage_daily": usd, "usage_weekly": usd, "usage_monthly": usd}}


def openrouter_credits(used: NanoUsd) -> JsonObject:
    """Return OpenRouter's account balance, in dollars."""
    return {"data": {"total_credits": _CREDITS_USD, "total_usage": float(to_usd(used))}}


def openai_models(names: Iterable[str]) -> JsonObject:
    """Return OpenAI's model list."""
    return {"object": "list", "data": [openai_model(name) for name in names]}


def openai_model(name: str) -> JsonObject:
    """Return one model as OpenAI describes it."""
    return {"id": name, "object": "model", "created": _CREATED_S, "owned_by": "practice"}


def gemini_models(names: Iterable[str]) -> JsonObject:
    """Return Gemini's model list."""
    return {"models": [gemini_model(name) for name in names]}


def gemini_model(name: str) -> JsonObject:
    """Return one model as Gemini describes it."""
    return {
        "name": f"models/{name}",
        "version": "practice",
        "displayName": name,
        "inputTokenLimit": CONTEXT_TOKENS,
        "outputTokenLimit": OUTPUT_TOKENS_MAX,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


def _openrouter_model(name: str, price: PracticePrice) -> JsonObject:
    return {
        "id": name,
        "canonical_slug": name,
        "name": name,
        "created": _CREATED_S,
        "description": "A practice model.",
        "context_length": CONTEXT_TOKENS,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": _pricing(price),
        "top_provider": {
            "context_length": CONTEXT_TOKENS,
            "max_completion_tokens": OUTPUT_TOKENS_MAX,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": _PARAMETERS,
    }


def _pricing(price: PracticePrice) -> dict[str, str]:
    cached = price.input if price.cached_input is None else price.cached_input
    return {
        "prompt": _per_token(price.input),
        "completion": _per_token(price.output),
        "input_cache_read": _per_token(cached),
        "request": "0",
        "image": "0",
    }


def _per_token(price_nusd_per_mtok: int) -> str:
    usd = (Decimal(price_nusd_per_mtok) / (NANO_PER_USD * TOKENS_PER_MTOK)).normalize()
    return f"{usd:f}"
