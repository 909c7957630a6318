"""Whether LangChain may send prompts and replies to LangSmith: config.yaml says so, and no variable alone.

With `LANGSMITH_TRACING=true` or `LANGCHAIN_TRACING_V2=true` in its environment, LangChain sends every prompt,
reply and tool call of the process to another company, without a word in any code.
"""

import threading

from orchestrator.core.settings import Settings


class LangChainSettings(Settings):
    """What LangChain may send beside a request."""

    langsmith: bool = False
    """Whether the LANGSMITH_* and LANGCHAIN_* variables may have prompts and replies sent to LangSmith."""


_LOCK = threading.Lock()
_switched_off = False


def follow_config(settings: LangChainSettings) -> None:
    """Switch LangSmith's tracing off for the process, or give it back to the environment.

    Tracing that code asks for itself (`langsmith.tracing_context(enabled=True)`) goes on.
    """
    global _switched_off  # noqa: PLW0603 -- LangSmith's switch is one for the process
    import langsmith  # noqa: PLC0415 -- only where LangChain is used

    with _LOCK:
        if settings.langsmith == _switched_off:
            langsmith.configure(enabled=None if settings.langsmith else False)
            _switched_off = not settings.langsmith
