"""Ids of tool calls: no two of an answer or a conversation are the same, whatever providers write.

Servers that number the calls of each answer anew repeat their ids in the next turn, and some in one answer.
Anthropic refuses that, and a result could not say which call it answers. So a later call gets another id, the
same whenever the conversation is sent.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

SIGNATURE_MARK = "__thought__"
"""Behind it stands Gemini's signature, which other providers get without; as LiteLLM writes it."""

_ID_MAX = 40
"""OpenAI takes no longer ones."""


class TakenIds:
    """The ids that are taken; however many are alike, the next of them costs no more than the first."""

    def __init__(self) -> None:
        """Begin with none."""
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def take(self, call_id: str) -> str:
        """Take an id, or where it is taken one that is made of it; return which."""
        free = call_id
        while free in self._taken:
            number = self._numbers[call_id] = self._numbers.get(call_id, 1) + 1
            free = f"{call_id[: _ID_MAX - len(str(number)) - 1]}_{number}"
        self._taken.add(free)
        return free


def with_own_ids(messages: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return a conversation that has passed `check_tool_turns`, each of its calls with an id of its own.

    Its results and its blocks of thought name the calls by the new ids; no message is changed in place.
    Where nothing is called it is returned as it is.
    """
    if isinstance(messages, tuple) and not any(message.get("tool_calls") for message in messages):
        return messages
    taken = TakenIds()
    renamed: dict[str, str] = {}
    changed: list[Mapping[str, Any]] = []
    for message in messages:
        calls = message.get("tool_calls")
        if calls:
            renamed = _renamed(calls, taken)
            changed.append(_calling(message, renamed) if renamed else message)
        elif message.get("tool_call_id") in renamed:
            changed.append({**message, "tool_call_id": renamed[message["tool_call_id"]]})
        else:
            changed.append(message)
    return tuple(changed)


def _renamed(calls: Sequence[Mapping[str, Any]], taken: TakenIds) -> dict[str, str]:
    """Return the new ids of calls whose ids are taken or too long, by the old ones; all are taken now."""
    renamed = {}
    for call in calls:
        plain, mark, signature = call["id"].partition(SIGNATURE_MARK)
        own = taken.take(_fitted(plain))
        if own != plain:
            renamed[call["id"]] = f"{own}{mark}{signature}"
    return renamed


def _fitted(call_id: str) -> str:
    """Return an id that every provider takes back: vLLM's, for example, are longer than OpenAI takes."""
    if len(call_id) <= _ID_MAX:
        return call_id
    digest = sha256(call_id.encode()).hexdigest()[:12]
    return f"{call_id[: _ID_MAX - len(digest) - 1]}_{digest}"


def _calling(message: Mapping[str, Any], renamed: Mapping[str, str]) -> Mapping[str, Any]:
    changed: dict[str, Any] = {"tool_calls": [_with_id(call, renamed) for call in message["tool_calls"]]}
    blocks = message.get("reasoning_details")
    if isinstance(blocks, list | tuple):
        changed["reasoning_details"] = [_with_id(block, renamed) for block in blocks]
    return {**message, **changed}


def _with_id(holder: Any, renamed: Mapping[str, str]) -> Any:
    known = holder.get("id") if isinstance(holder, Mapping) else None
    return {**holder, "id": renamed[known]} if isinstance(known, str) and known in renamed else holder
