"""Whether LangChain may send prompts and replies to LangSmith: config.yaml says so, and no variable alone.

With `LANGSMITH_TRACING=true` or `LANGCHAIN_TRACING_V2=true` in its environment, LangChain sends every prompt,
reply and tool call of the process to another company, without a word in any code.
"""

import threading

from orchestrator.core.errors import ConfigError
from orchestrator.core.settings import Settings


class LangChainSettings(Settings):
    """What LangChain may send beside a request."""

    langsmith: bool = False
    """Whether the LANGSMITH_* and LANGCHAIN_* variables may have prompts and replies sent to LangSmith."""


_FORMER = ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER")
"""Switches of a tracing that is no more: LangChain ends every call with an error while one is set."""
_LOCK = threading.Lock()
_switched_off = False


def follow_config(settings: LangChainSettings) -> None:
    """Switch LangSmith's tracing off for the process, or give it back to the environment.

    Tracing that code asks for itself (`langsmith.tracing_context(enabled=True)`) goes on.

    Raises:
        ConfigError: the environment has a former switch, with which LangChain answers no call.
    """
    global _switched_off  # noqa: PLW0603 -- LangSmith's switch is one for the process
    import langsmith  # noqa: PLC0415 -- only where LangChain is used

    with _LOCK:
        if settings.langsmith == _switched_off:
            langsmith.configure(enabled=None if settings.langsmith else False)
            _switched_off = not settings.langsmith
    _check_former_switches()


def _check_former_switches() -> None:
    from langchain_core.utils.env import env_var_is_set  # noqa: PLC0415 -- as above
    from langsmith.utils import tracing_is_enabled  # noqa: PLC0415

    former = next((name for name in _FORMER if env_var_is_set(name)), None)
    # Beside today's tracing LangChain passes the former one over.
    if former is not None and not tracing_is_enabled():
        raise ConfigError(
            f"{former} is set in the environment: it switches on a tracing that LangChain no longer has, and LangChain "
            f"ends every call with an error while it is there. Take it out of the environment ('unset {former}'); "
            "langchain.langsmith: true in config.yaml with LANGSMITH_TRACING=true sends to LangSmith"
        )
