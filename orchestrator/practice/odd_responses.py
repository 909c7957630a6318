"""Odd answers in the format of OpenAI's Responses API: an odd chat completion, item by item.

Whatever is odd about the chat stays odd in its items: an end, an error, a call without a name, words in a
part of another kind.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.practice.json_types import JsonObject

RESPONSES_PATH = "/responses"
_ENDS = {
    "stop": "completed",
    "tool_calls": "completed",
    "length": "incomplete",
    "content_filter": "incomplete",
    "error": "failed",
    "abort": "cancelled",
}
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def odd_response(chat: JsonObject) -> JsonObject:
    """Return the response of an odd chat completion; what is no completion stays as it is."""
    choices = chat.get("choices")
    if choices is None:
        return chat
    choice: JsonObject = choices[0] if choices else {"message": {}, "finish_reason": "stop"}
    message, finish = choice["message"], choice["finish_reason"]
    error = choice.get("error") or message.get("error")
    has_failed = error is not None or "native_finish_reason" in choice
    return {
        "id": "resp_odd",
        "object": "response",
        "created_at": chat["created"],
        "model": chat["model"],
        "status": "failed" if has_failed else _ENDS[finish],
        "error": error,
        "incomplete_details": {"reason": _INCOMPLETE[finish]} if finish in _INCOMPLETE else None,
        "output": list(_items(message, is_thought=finish == "length" and not message.get("content"))),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": _usage(chat.get("usage")),
    }


def odd_response_events(response: JsonObject, pieces: Sequence[str], *, late: JsonObject | None) -> list[Any]:
    """Return the events of a response; `pieces` are those of its text, `late` is an error before its end."""
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    events: list[JsonObject] = [{"type": "response.created", "response": begun}]
    for place, item in enumerate(response["output"]):
        at = {"output_index": place, "item_id": item["id"]}
        empty = {**item, "status": "in_progress", "content": [], "arguments": ""}
        events.append({"type": "response.output_item.added", "output_index": place, "item": empty})
        if item["type"] == "message":
            part = {"type": "output_text", "text": "", "annotations": []}
            events.append({"type": "response.content_part.added", **at, "content_index": 0, "part": part})
            delta = {"type": "response.output_text.delta", **at, "content_index": 0, "logprobs": []}
            events += [{**delta, "delta": piece} for piece in pieces]
        elif "arguments" in item:
            words = {"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]}
            events.append(words)
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    if late is not None:
        events.append({"type": "error", "param": None, **late, "code": str(late["code"])})
    # There is no event of the name of every status.
    end = response["status"] if response["status"] in {"completed", "incomplete", "failed"} else "completed"
    events.append({"type": f"response.{end}", "response": response})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _items(message: JsonObject, *, is_thought: bool) -> Iterator[JsonObject]:
    if is_thought:
        yield {"type": "reasoning", "id": "rs_odd", "summary": []}
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    if content is not None:
        item = {"type": "message", "id": "msg_odd", "role": "assistant", "status": "completed"}
        yield {**item, "content": [_part(part) for part in parts]}
    for call in message.get("tool_calls", ()):
        item = {"type": "function_call", "id": f"fc_{call['id']}", "call_id": call["id"]}
        yield {**item, "status": "completed", **call["function"]}


def _part(part: JsonObject) -> JsonObject:
    return {**part, "type": "output_text", "annotations": []} if part["type"] == "text" else part


def _usage(usage: JsonObject | None) -> JsonObject | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": usage.get("completion_tokens_details", {"reasoning_tokens": 0}),
        "total_tokens": usage["total_tokens"],
    }
