"""NextFlow orchestrator: one layer that lets a CRM use many language models safely.

    from orchestrator import Orchestrator

    with Orchestrator.from_config() as orchestrator:
        reply = orchestrator.complete("Đơn hàng của tôi ở đâu?", tenant="acme")
        print(reply.text, reply.model, reply.cost_nusd)

The names below are the public surface. Each is loaded with its first use, so that the import
itself takes milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.client import Orchestrator
    from orchestrator.config.loader import Config, load_config
    from orchestrator.core.alerts import Alert
    from orchestrator.core.errors import (
        BudgetExceededError,
        ConfigError,
        InvalidOutputError,
        OrchestratorError,
        RequestError,
        StreamInterruptedError,
        UnavailableError,
    )
    from orchestrator.core.money import NanoUsd, format_usd
    from orchestrator.core.plan import Plan
    from orchestrator.core.reply import Attempt, CacheState, ChatReply, Delta, ToolCall, Usage
    from orchestrator.core.request import CacheUse, ChatRequest
    from orchestrator.langchain.chat_model import OrchestratorChat
    from orchestrator.metering.budget_guard import BudgetGuard
    from orchestrator.streaming.reply_stream import ReplyStream

__all__ = [
    "Alert",
    "Attempt",
    "BudgetExceededError",
    "BudgetGuard",
    "CacheState",
    "CacheUse",
    "ChatReply",
    "ChatRequest",
    "Config",
    "ConfigError",
    "Delta",
    "InvalidOutputError",
    "NanoUsd",
    "Orchestrator",
    "OrchestratorChat",
    "OrchestratorError",
    "Plan",
    "ReplyStream",
    "RequestError",
    "StreamInterruptedError",
    "ToolCall",
    "UnavailableError",
    "Usage",
    "format_usd",
    "load_config",
]

_HOME_OF = {
    "Alert": "core.alerts",
    "BudgetGuard": "metering.budget_guard",
    "Orchestrator": "client",
    "OrchestratorChat": "langchain.chat_model",
    "Plan": "core.plan",
    "ReplyStream": "streaming.reply_stream",
    **dict.fromkeys(("Config", "load_config"), "config.loader"),
    **dict.fromkeys(("CacheUse", "ChatRequest"), "core.request"),
    **dict.fromkeys(("Attempt", "CacheState", "ChatReply", "Delta", "ToolCall", "Usage"), "core.reply"),
    **dict.fromkeys(("NanoUsd", "format_usd"), "core.money"),
    **dict.fromkeys(
        (
            "BudgetExceededError",
            "ConfigError",
            "InvalidOutputError",
            "OrchestratorError",
            "RequestError",
            "StreamInterruptedError",
            "UnavailableError",
        ),
        "core.errors",
    ),
}


def __getattr__(name: str) -> Any:
    """Load the module of a public name when the name is first used."""
    home = _HOME_OF.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
