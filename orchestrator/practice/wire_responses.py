"""The wire format of OpenAI's `/responses`: an answer is a list of items, a stream tells them in events.

Thoughts are an item whose words are shown only where `reasoning.summary` asks for them. Thoughts without
words are no item; the usage has their tokens.
"""

from itertools import count

import orjson

from orchestrator.practice.answers import PracticeToolCall
from orchestrator.practice.json_types import JsonObject
from orchestrator.practice.odd_bills import said_of
from orchestrator.practice.thoughts import signature_of
from orchestrator.practice.wire import Envelope, WireOutcome

_ARGUMENT_PIECE = 24
_WHOLE_FINISHES = frozenset({"stop", "tool_calls"})
_INCOMPLETE = {"length": "max_output_tokens"}
"""What an answer that is not whole says for a finish of a chat; any other finish is said as it is."""
_MESSAGE, _REASONING, _CALL = "message", "reasoning", "function_call"
_ID_PREFIX = {_MESSAGE: "msg_", _REASONING: "rs_", _CALL: "fc_"}


def responses_reply(envelope: Envelope, outcome: WireOutcome, echo: JsonObject) -> JsonObject:
    """Return the body of an answer in one piece; `echo` is what it repeats of its request."""
    writer = ResponsesStream(envelope, echo)
    if outcome.thoughts:
        writer.thought(outcome.thoughts)
    if outcome.text:
        writer.text(outcome.text)
    for index, call in enumerate(outcome.tool_calls):
        writer.tool_call(call, index=index)
    writer.ending(outcome)
    return writer.response


class ResponsesStream:
    """Writes a streamed response; `response` is the answer so far."""

    def __init__(self, envelope: Envelope, echo: JsonObject) -> None:
        """Begin with an answer that has no item."""
        self._numbers = count()
        self._words: list[str] = []
        """Of the item that is being written."""
        self._item: JsonObject | None = None
        self._shows_thoughts = bool((echo.get("reasoning") or {}).get("summary"))
        self._id = envelope.reply_id.removeprefix("resp_")
        self.response: JsonObject = {
            "id": envelope.reply_id,
            "object": "response",
            "created_at": envelope.created_s,
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": envelope.model,
            "output": [],
            "previous_response_id": None,
            "service_tier": envelope.service_tier,
            "usage": None,
            **echo,
        }

    def opening(self) -> bytes:
        """Return the events that the response was created and is in progress."""
        return self._event("response.created", response=self.response) + self._event(
            "response.in_progress", response=self.response
        )

    def waiting(self) -> bytes:
        """Return nothing, as OpenAI does."""
        return b""

    def text(self, piece: str) -> bytes:
        """Return a piece of text, behind the beginning of its message."""
        begun = self._turned_to(_MESSAGE, role="assistant", content=[])
        self._words.append(piece)
        return begun + self._in_item("response.output_text.delta", content_index=0, delta=piece, logprobs=[])

    def thought(self, piece: str) -> bytes:
        """Return a piece of a thought's summary, nothing of it where none was asked for."""
        begun = self._turned_to(_REASONING, summary=[], encrypted_content="")
        self._words.append(piece)
        if not self._shows_thoughts:
            return begun
        return begun + self._in_item("response.reasoning_summary_text.delta", summary_index=0, delta=piece)

    def tool_call(self, call: PracticeToolCall, *, index: int) -> bytes:  # noqa: ARG002 -- items have numbers
        """Return the beginning of a call, and its arguments in several deltas."""
        parts = [self._ended(), self._turned_to(_CALL, call_id=call.id, name=call.name, arguments="")]
        for at in range(0, len(call.arguments), _ARGUMENT_PIECE):
            piece = call.arguments[at : at + _ARGUMENT_PIECE]
            self._words.append(piece)
            parts.append(self._in_item("response.function_call_arguments.delta", delta=piece))
        return b"".join(parts)

    def ending(self, outcome: WireOutcome) -> bytes:
        """Return the end of the last item, and the event with the whole response and its usage."""
        finish = outcome.finish_reason
        status = "completed" if finish in _WHOLE_FINISHES else "incomplete"
        begun = b""
        if status == "completed" and self._item is None:
            begun = self._turned_to(_MESSAGE, role="assistant", content=[])
        ended = begun + self._ended(status)
        self.response |= {"status": status, "usage": responses_usage(outcome)}
        if status == "incomplete":
            self.response["incomplete_details"] = {"reason": _INCOMPLETE.get(finish, finish)}
        return ended + self._event(f"response.{status}", response=self.response)

    def error(self, status: int, *, body: JsonObject) -> bytes:  # noqa: ARG002 -- the event does not have it
        """Return an error event, whose words stand in the event itself."""
        error = body["error"]
        return self._event("error", **{name: error[name] for name in ("code", "message", "param")})

    def malformed(self) -> bytes:
        """Return a piece of text that breaks off in the middle."""
        return (
            b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"bro\n\n'
        )

    def odd(self) -> bytes:
        """Return an event whose text is a number."""
        begun = self._turned_to(_MESSAGE, role="assistant", content=[])
        return begun + self._in_item("response.output_text.delta", content_index=0, delta=7, logprobs=[])

    def _turned_to(self, kind: str, **fields: object) -> bytes:
        """Return the beginning of an item, behind the end of another; nothing where such an item is open."""
        if self._item is not None and self._item["type"] == kind:
            return b""
        ended = self._ended()
        number = len(self.response["output"])
        item = {"id": f"{_ID_PREFIX[kind]}{self._id}{number:02x}", "type": kind, **fields}
        if kind != _REASONING:
            item["status"] = "in_progress"
        self._item = item
        begun = ended + self._event("response.output_item.added", output_index=number, item=item)
        if kind == _MESSAGE:
            begun += self._in_item("response.content_part.added", content_index=0, part=_text_part(""))
        elif kind == _REASONING and self._shows_thoughts:
            begun += self._in_item(
                "response.reasoning_summary_part.added", summary_index=0, part=_summary("")
            )
        return begun

    def _ended(self, status: str = "completed") -> bytes:
        """Return the end of the item that is open, which is part of the response from now on."""
        item = self._item
        if item is None:
            return b""
        words, self._words = "".join(self._words), []
        if "status" in item:
            item["status"] = status
        at = len(self.response["output"])
        ended = self._filled(item, words) + self._event(
            "response.output_item.done", output_index=at, item=item
        )
        self.response["output"].append(item)
        self._item = None
        return ended

    def _filled(self, item: JsonObject, words: str) -> bytes:
        """Return the events that say an item's words whole, and put the words into it."""
        if item["type"] == _CALL:
            item["arguments"] = words
            return self._in_item("response.function_call_arguments.done", name=item["name"], arguments=words)
        if item["type"] == _MESSAGE:
            part = _text_part(words)
            item["content"] = [part]
            done = self._in_item("response.output_text.done", content_index=0, text=words, logprobs=[])
            return done + self._in_item("response.content_part.done", content_index=0, part=part)
        item["encrypted_content"] = signature_of("openai", words)
        if not self._shows_thoughts:
            return b""
        shown = _summary(words)
        item["summary"] = [shown]
        done = self._in_item("response.reasoning_summary_text.done", summary_index=0, text=words)
        return done + self._in_item("response.reasoning_summary_part.done", summary_index=0, part=shown)

    def _in_item(self, kind: str, **fields: object) -> bytes:
        """Return an event about the item that is open."""
        item_id = self._item["id"] if self._item is not None else ""
        return self._event(kind, item_id=item_id, output_index=len(self.response["output"]), **fields)

    def _event(self, kind: str, **fields: object) -> bytes:
        event = {"type": kind, "sequence_number": next(self._numbers), **fields}
        return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"


def responses_usage(outcome: WireOutcome) -> JsonObject:
    """Return the usage object."""
    usage = outcome.usage
    counted: JsonObject = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    return said_of(counted, outcome.odd_bill, cost=outcome.cost_nusd)


def _text_part(text: str) -> JsonObject:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary(text: str) -> JsonObject:
    return {"type": "summary_text", "text": text}
