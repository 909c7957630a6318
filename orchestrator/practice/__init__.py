"""Practice providers: a local server in the formats of OpenRouter, OpenAI, Gemini, Anthropic and Azure.

Answers are scripted or generated, faults come on demand, and a bill says what each provider
charged. It listens on the loopback interface only.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.practice.answers import Answerer, PracticeAnswer, PracticeRequest, PracticeToolCall
    from orchestrator.practice.bill import Bill, BilledWhen, Delivered, PracticeCharge, PracticePrice
    from orchestrator.practice.faults import Fault, FaultKind, FaultQueue
    from orchestrator.practice.generated import Generated
    from orchestrator.practice.scripted import Scripted
    from orchestrator.practice.server import PracticeError, PracticeServer

__all__ = [
    "Answerer",
    "Bill",
    "BilledWhen",
    "Delivered",
    "Fault",
    "FaultKind",
    "FaultQueue",
    "Generated",
    "PracticeAnswer",
    "PracticeCharge",
    "PracticeError",
    "PracticePrice",
    "PracticeRequest",
    "PracticeServer",
    "PracticeToolCall",
    "Scripted",
]

_HOME_OF = {
    **dict.fromkeys(("Answerer", "PracticeAnswer", "PracticeRequest", "PracticeToolCall"), "answers"),
    **dict.fromkeys(("Bill", "BilledWhen", "PracticeCharge", "Delivered", "PracticePrice"), "bill"),
    **dict.fromkeys(("Fault", "FaultKind", "FaultQueue"), "faults"),
    "Generated": "generated",
    "Scripted": "scripted",
    **dict.fromkeys(("PracticeError", "PracticeServer"), "server"),
}
_RENAMED = {"ToolCall": "PracticeToolCall"}
"""Old names, which work for one release more."""


def __getattr__(name: str) -> Any:
    """Load the module of an exported name when the name is first used; an old name warns."""
    if name in _RENAMED:
        warnings.warn(
            f"{__name__}.{name} is {_RENAMED[name]} now; the old name goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        name = _RENAMED[name]
    home = _HOME_OF.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    """Return the exported names."""
    return sorted(__all__)
