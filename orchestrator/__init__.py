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
    from orchestrator.breaks import OnBreak
    from orchestrator.calls import (
        Attempt,
        CacheState,
        CacheUse,
        ChatReply,
        ChatRequest,
        Delta,
        Plan,
        ToolCall,
        Usage,
    )
    from orchestrator.client import Orchestrator
    from orchestrator.config import Config, load_config
    from orchestrator.errors import (
        BudgetExceededError,
        ConfigError,
        InvalidOutputError,
        OrchestratorError,
        RequestError,
        StreamInterruptedError,
        UnavailableError,
    )
    from orchestrator.langchain_chat import OrchestratorChat
    from orchestrator.money import NanoUsd, format_usd
    from orchestrator.reply_stream import ReplyStream

__all__ = [
    "Attempt",
    "BudgetExceededError",
    "CacheState",
    "CacheUse",
    "ChatReply",
    "ChatRequest",
    "Config",
    "ConfigError",
    "Delta",
    "InvalidOutputError",
    "NanoUsd",
    "OnBreak",
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
    **dict.fromkeys(
        (
            "Attempt",
            "CacheState",
            "CacheUse",
            "ChatReply",
            "ChatRequest",
            "Delta",
            "Plan",
            "ToolCall",
            "Usage",
        ),
        "calls",
    ),
    "OnBreak": "breaks",
    "Orchestrator": "client",
    **dict.fromkeys(("Config", "load_config"), "config"),
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
        "errors",
    ),
    "OrchestratorChat": "langchain_chat",
    **dict.fromkeys(("NanoUsd", "format_usd"), "money"),
    "ReplyStream": "reply_stream",
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
