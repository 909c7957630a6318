"""What LiteLLM left out without a word: parameters that were asked for and do not stand in what it sends.

It says of many that it takes them, and drops them for one model or beside another parameter: `temperature`
for Claude Opus 4.8, `tool_choice` for Mistral and beside thought at Bedrock. So the body itself is looked at.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_SENT_AS: Mapping[str, frozenset[str]] = {
    "temperature": frozenset({"temperature"}),
    "top_p": frozenset({"top_p", "topP"}),
    "stop": frozenset({"stop", "stop_sequences", "stopSequences"}),
    "seed": frozenset({"seed", "random_seed"}),
    "presence_penalty": frozenset({"presence_penalty", "presencePenalty"}),
    "frequency_penalty": frozenset({"frequency_penalty", "frequencyPenalty"}),
    "tool_choice": frozenset(
        {"tool_choice", "toolChoice", "functionCallingConfig", "function_calling_config"}
    ),
    "parallel_tool_calls": frozenset({"parallel_tool_calls", "disable_parallel_tool_use"}),
    "reasoning_effort": frozenset(
        {"reasoning_effort", "reasoning", "thinking", "thinkingConfig", "reasoningConfig", "effort"}
    ),
}
"""What each parameter is called in the formats that LiteLLM writes."""
_OF_THE_CALLER = frozenset({"messages", "contents", "system", "input", "tools"})
"""Parts of a body that hold words of the caller."""
_SAME_WITHOUT: Mapping[str, Any] = {"tool_choice": "auto", "parallel_tool_calls": True}
"""Values that mean what is done without them."""
_FORCING = frozenset({"required", "any", "tool", "function"})


def left_out(body: Any, asked_for: Mapping[str, Any]) -> list[str]:
    """Return the names of parameters that were asked for and are not in a body, or not as they were meant."""
    sent: dict[str, list[Any]] = {}
    for name, value in _pairs(body):
        sent.setdefault(name, []).append(value)
    return [name for name, value in asked_for.items() if name in _SENT_AS and not _is_met(name, value, sent)]


def _is_met(name: str, value: Any, sent: Mapping[str, list[Any]]) -> bool:
    if value is None or value == _SAME_WITHOUT.get(name):
        return True
    held = [each for sent_as in _SENT_AS[name] for each in sent.get(sent_as, ())]
    if name == "tool_choice" and _forces(value):
        return any(map(_forces, held))
    return bool(held)


def _forces(choice: Any) -> bool:
    """Return whether a choice of tools makes the model call one."""
    if isinstance(choice, str):
        return choice.lower() in _FORCING
    if not isinstance(choice, Mapping):
        return False
    words = {*choice, *(choice.get(name) for name in ("type", "mode") if isinstance(choice.get(name), str))}
    return any(str(word).lower() in _FORCING for word in words)


def _pairs(part: Any) -> Iterator[tuple[str, Any]]:
    """Yield every name in a body with its value, however deep, but for what the caller wrote."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            yield name, value
            if name not in _OF_THE_CALLER:
                yield from _pairs(value)
