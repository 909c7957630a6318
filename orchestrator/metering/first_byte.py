"""The metered send of this task, and when its first byte leaves: until then nothing can have been billed.

A call may be cancelled while LiteLLM still writes it, or while there is no connection yet.
"""

from contextvars import ContextVar

from orchestrator.metering.meter import MeteredSend

CURRENT_METERED: ContextVar[MeteredSend | None] = ContextVar("orchestrator_metered", default=None)
"""The send of this task, for which money is held."""


def note_first_byte() -> None:
    """Take it that the current send may have been billed from now on."""
    sending = CURRENT_METERED.get()
    if sending is not None:
        sending.was_sent = True
