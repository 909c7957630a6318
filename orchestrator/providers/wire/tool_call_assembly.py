"""Tool calls, put together from whole ones or from the pieces of a stream.

The pieces of OpenAI's format belong together by their `index`. Servers that leave it out, or write 0 into
each, are told apart by the calls' ids, and without ids, or with the same ones, by a new name after whole
arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.call_ids import TakenIds
from orchestrator.core.failures import FailureKind
from orchestrator.core.reply import ToolCall, ToolCallDelta
from orchestrator.providers.wire.answer_checks import unreadable
from orchestrator.providers.wire.wire_json import arguments_text, index_of, json_text

CALLS_MAX = 256
"""Of one answer; OpenAI takes 128 tools."""
CUT_CALL = "a tool call was cut off by the limit of output tokens and is left out"


@dataclass(slots=True)
class _GrowingCall:
    place: int
    id: str = ""
    own_id: str = ""
    """As the server writes it, which may be another call's too."""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    letters: int = 0
    """Of the arguments."""

    @property
    def text(self) -> str:
        return "".join(self.arguments)

    def is_said_by(self, call_id: str, arguments: str | None) -> bool:
        """Return whether a piece says all of this call once more."""
        may = arguments is not None and self.own_id == call_id and len(arguments) == self.letters
        # Joined where it may be so alone, for it may come in many pieces.
        return may and arguments == self.text

    @property
    def may_be_whole(self) -> bool:
        """Return whether it ends as an object does: a server may repeat the name with each of many pieces."""
        return self.arguments[-1].rstrip().endswith("}")


class ToolCallAssembly:
    """The tool calls of one answer."""

    def __init__(self) -> None:
        """Begin without any."""
        self._calls: list[_GrowingCall] = []
        self._by_index: dict[int, _GrowingCall] = {}
        self._ids = TakenIds()

    def __len__(self) -> int:
        """Return how many have begun."""
        return len(self._calls)

    def add(self, piece: Any, *, place: int | None = None) -> ToolCallDelta:
        """Take in a call, or a piece of one, in OpenAI's shape; return it with the place of its call.

        `place` is that of a whole one in its list; a piece says itself to which call it belongs.

        Raises:
            UnreadableAnswerError: it is no object, its name or arguments are of the wrong type, or there are
                more calls than any answer has.
        """
        function = piece.get("function") if isinstance(piece, Mapping) else None
        if not isinstance(piece, Mapping) or not isinstance(function or {}, Mapping):
            raise unreadable(FailureKind.MALFORMED, "a tool call is no object")
        call_id, name = _id(piece.get("id")), (function or {}).get("name") or ""
        if not isinstance(name, str):
            raise unreadable(FailureKind.MALFORMED, "the name of a tool call is no text")
        index = index_of(piece.get("index")) if place is None else place
        arguments = _arguments((function or {}).get("arguments"))
        if place is None and call_id and any(each.is_said_by(call_id, arguments) for each in self._calls):
            # Some servers end with all of a call once more.
            arguments = None
        repeats = call_id if arguments else ""
        call = self._call_of(index, call_id, name, repeats=repeats)
        return self._grow(call, call_id=call_id, name=name, arguments=arguments)

    def add_whole(self, *, call_id: str, name: str, arguments: Any) -> ToolCallDelta:
        """Take in a call that came in one piece, with decoded arguments.

        Raises:
            UnreadableAnswerError: there are more calls than any answer has.
        """
        call = self._begin(None)
        return self._grow(call, call_id=call_id, name=name, arguments=_arguments(arguments) or "{}")

    def finish(self, *, was_cut: bool, id_suffix: str = "") -> tuple[tuple[ToolCall, ...], bool]:
        """Return the calls, and whether one is left out because `was_cut` explains why it is not whole.

        Raises:
            UnreadableAnswerError: a call has no name, or arguments that are no JSON object.
        """
        whole: list[ToolCall] = []
        for call in self._calls:
            arguments = arguments_text(call.text) if call.name else None
            may_be_cut = was_cut and call is self._calls[-1]
            if may_be_cut and (arguments is None or not call.text.strip()):
                # Its arguments have not begun.
                return tuple(whole), True
            if arguments is None:
                part = "arguments that are a JSON object" if call.name else "a name"
                raise unreadable(FailureKind.MALFORMED, f"tool call {call.place} comes without {part}")
            call.id = call.id or self._ids.take(f"call_{id_suffix}{call.place}")
            whole.append(ToolCall(call.id, call.name, arguments))
        return tuple(whole), False

    def _call_of(self, index: int | None, call_id: str, name: str, *, repeats: str) -> _GrowingCall:
        """Return the call of a piece; `repeats` is its id where it brings arguments."""
        call = self._by_index.get(index) if index is not None else (self._calls[-1] if self._calls else None)
        if call is None:
            return self._begin(index)
        if call_id and call.own_id and call_id != call.own_id:
            known = next((each for each in self._calls if each.own_id == call_id), None)
            if known is None:
                return self._begin(index)
            if index is not None:
                self._by_index[index] = known
            return known
        is_next = name and call_id in {"", repeats} and call.name and call.arguments
        if is_next and call.may_be_whole and arguments_text(call.text) is not None:
            return self._begin(index)
        return call

    def _begin(self, index: int | None) -> _GrowingCall:
        if len(self._calls) == CALLS_MAX:
            raise unreadable(FailureKind.MALFORMED, "more tool calls than any answer has")
        call = _GrowingCall(place=len(self._calls))
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call

    def _grow(self, call: _GrowingCall, *, call_id: str, name: str, arguments: str | None) -> ToolCallDelta:
        # Some servers repeat id and name with each piece; what joins the pieces must see them once.
        new_id = self._ids.take(call_id) if call_id and not call.own_id else ""
        if name and call.name not in {"", name}:
            raise unreadable(FailureKind.MALFORMED, f"tool call {call.place} has two names")
        new_name = name if not call.name else ""
        call.own_id, call.id, call.name = call.own_id or call_id, call.id or new_id, call.name or name
        if arguments:
            call.arguments.append(arguments)
            call.letters += len(arguments)
        return ToolCallDelta(call.place, new_id or None, new_name or None, arguments)


def _id(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int):
        return str(value)
    raise unreadable(FailureKind.MALFORMED, "the id of a tool call is no text")


def _arguments(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return json_text(value)
    raise unreadable(FailureKind.MALFORMED, "the arguments of a tool call are neither text nor an object")
