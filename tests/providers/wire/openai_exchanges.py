"""Answers in OpenAI's format, by the shapes in the vendors' public documentation, and what goes wrong with them.

OpenAI: https://platform.openai.com/docs/api-reference/chat, OpenRouter: https://openrouter.ai/docs, and the
servers of llama.cpp, Ollama and vLLM.
"""

from typing import Any

from orchestrator.core.failures import FailureKind
from orchestrator.core.reply import Usage
from tests.providers.wire.exchange import NO_USAGE, Exchange, json_bytes, sse

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
HEAD = {"id": "gen-1", "created": 1_764_000_000, "model": "openai/gpt-6-luna"}
WEATHER = {"name": "weather", "arguments": '{"city":"Huế"}'}


def body(message: Any, finish: Any = "stop", usage: Any = USAGE, **more: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish, **more}
    return json_bytes({**HEAD, "object": "chat.completion", "choices": [choice], "usage": usage})


def said(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **fields}


def called(*functions: dict[str, Any], content: Any = None) -> dict[str, Any]:
    calls = [
        {"id": f"call_{place}", "type": "function", "function": each} for place, each in enumerate(functions)
    ]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def whole(name: str, data: bytes, **meaning: Any) -> Exchange:
    return Exchange(f"whole-{name}", data, **meaning)


def _with_usage(usage: Any) -> bytes:
    return body(said("Chào"), usage=usage)


def _malformed(name: str, data: bytes, **meaning: Any) -> Exchange:
    return whole(name, data, failure=FailureKind.MALFORMED, **meaning)


def _details(prompt: Any = None, completion: Any = None, **counts: Any) -> dict[str, Any]:
    return {
        **USAGE,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": completion,
        **counts,
    }


_FINISHES = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
    # Of gateways before Gemini and Claude.
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "refusal": "content_filter",
}
BAD_FINISHES = (
    "error",
    "abort",
    "insufficient_system_resource",
    "unknown",
    "network_error",
    "Stop",
    "MALFORMED_FUNCTION_CALL",
    "cancelled",
)

WHOLE: tuple[Exchange, ...] = (
    whole("text", body(said("Xin chào")), text="Xin chào"),
    whole("refusal-null", body(said("Chào", refusal=None, annotations=[])), text="Chào"),
    whole("unknown-fields", body(said("Chào", audio=None), logprobs=None, native_finish_reason="STOP"), text="Chào"),
    whole("no-role", body({"content": "Chào"}), text="Chào"),
    whole("line-separator", body(said("a\u2028b\u2029c\u0085d")), text="a\u2028b\u2029c\u0085d"),
    whole("end-mark-in-text", body(said("it ends with [DONE]")), text="it ends with [DONE]"),
    whole("bom", b"\xef\xbb\xbf" + body(said("Chào")), text="Chào"),
    whole("spaces-around", b"\n\n   " + body(said("Chào")) + b"\n", text="Chào"),
    whole("half-emoji", body(said("x")).replace(b'"x"', b'"a\\ud83d b"'), text="a� b"),
    whole("whole-emoji-escaped", body(said("x")).replace(b'"x"', b'"\\ud83d\\ude00"'), text="😀"),
    whole("bad-utf8", body(said("x")).replace(b'"x"', b'"a\xffb"'), text="a�b"),
    whole("raw-newline-in-text", body(said("x")).replace(b'"x"', b'"a\nb"'), text="a\nb"),
    whole("content-parts", body(said([{"type": "text", "text": "Xin "}, {"type": "text", "text": "chào"}])), text="Xin chào"),
    whole("thinking-part", body(said([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Chào"}])), text="Chào", reasoning="hm"),
    whole("reasoning", body(said("Chào", reasoning="hm", reasoning_details=[{"type": "reasoning.text", "text": "hm"}])), text="Chào", reasoning="hm"),
    whole("reasoning-content", body(said("Chào", reasoning_content="hm")), text="Chào", reasoning="hm"),
    whole("reasoning-details-alone", body(said("Chào", reasoning_details=[{"type": "reasoning.summary", "summary": "hm"}])), text="Chào", reasoning="hm"),
    whole("length-without-text", body(said(""), "length"), finish="length"),
    whole("length-null-content", body(said(None, reasoning="hm"), "length"), finish="length", reasoning="hm"),
    whole("filtered-with-text", body(said("Tôi"), "content_filter"), text="Tôi", finish="content_filter"),
    *(whole(f"finish-{raw}", body(said("Chào"), raw), text="Chào", finish=ours) for raw, ours in _FINISHES.items()),
    # tool calls
    whole("call", body(called(WEATHER), "tool_calls"), calls=(("weather", '{"city":"Huế"}'),), finish="tool_calls"),
    whole("call-and-text", body(called(WEATHER, content="Đợi"), "tool_calls"), text="Đợi", calls=(("weather", '{"city":"Huế"}'),), finish="tool_calls"),
    whole("two-calls", body(called(WEATHER, {"name": "time", "arguments": "{}"}), "tool_calls"), calls=(("weather", '{"city":"Huế"}'), ("time", "{}")), finish="tool_calls"),
    whole("call-finish-stop", body(called(WEATHER), "stop"), calls=(("weather", '{"city":"Huế"}'),), finish="tool_calls"),
    whole("call-function-call", body(called(WEATHER), "function_call"), calls=(("weather", '{"city":"Huế"}'),), finish="tool_calls"),
    whole("call-no-arguments", body(called({"name": "time"}), "tool_calls"), calls=(("time", "{}"),), finish="tool_calls"),
    whole("call-empty-arguments", body(called({"name": "time", "arguments": ""}), "tool_calls"), calls=(("time", "{}"),), finish="tool_calls"),
    whole("call-null-arguments", body(called({"name": "time", "arguments": None}), "tool_calls"), calls=(("time", "{}"),), finish="tool_calls"),
    whole("call-object-arguments", body(called({"name": "weather", "arguments": {"city": "Huế"}}), "tool_calls"), calls=(("weather", '{"city":"Huế"}'),), finish="tool_calls"),
    whole("call-newline-in-arguments", body(called({"name": "note", "arguments": '{"t":"a\nb"}'}), "tool_calls"), calls=(("note", '{"t":"a\\nb"}'),), finish="tool_calls"),
    whole("call-id-missing", body({"role": "assistant", "tool_calls": [{"type": "function", "function": WEATHER}]}, "tool_calls"), calls=(("weather", '{"city":"Huế"}'),), finish="tool_calls"),
    whole("call-cut-by-length", body(called({"name": "weather", "arguments": '{"city":"H'}), "length"), finish="length"),
    _malformed("call-broken-arguments", body(called({"name": "weather", "arguments": '{"city":'}), "tool_calls")),
    _malformed("call-list-arguments", body(called({"name": "weather", "arguments": "[1]"}), "tool_calls")),
    _malformed("call-without-name", body(called({"arguments": "{}"}), "tool_calls")),
    _malformed("call-no-object", body({"role": "assistant", "content": None, "tool_calls": ["weather"]}, "tool_calls")),
    _malformed("calls-no-list", body({"role": "assistant", "content": None, "tool_calls": 7}, "tool_calls")),
    # usage
    whole("usage-cached", _with_usage(_details({"cached_tokens": 8})), text="Chào", usage=Usage(10, 5, 8)),
    whole("usage-cache-write", _with_usage(_details({"cached_tokens": 1, "cache_write_tokens": 8})), text="Chào", usage=Usage(10, 5, 1, 8)),
    whole("usage-cache-creation", _with_usage({**USAGE, "cache_creation_input_tokens": 8}), text="Chào", usage=Usage(10, 5, 0, 8)),
    whole("usage-cache-hit-deepseek", _with_usage({**USAGE, "prompt_cache_hit_tokens": 4}), text="Chào", usage=Usage(10, 5, 4)),
    whole("usage-reasoning", _with_usage(_details(None, {"reasoning_tokens": 3})), text="Chào", usage=Usage(10, 5, 0, 0, 3)),
    whole("usage-whole-floats", _with_usage({"prompt_tokens": 10.0, "completion_tokens": 5.0}), text="Chào"),
    whole("usage-missing", body(said("Chào"), usage=None), text="Chào", usage=NO_USAGE),
    whole("usage-zeros", _with_usage({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}), text="Chào", usage=NO_USAGE),
    whole("usage-negative", _with_usage({"prompt_tokens": -5, "completion_tokens": -7}), text="Chào", usage=NO_USAGE),
    whole("usage-null-count", _with_usage({"prompt_tokens": 10, "completion_tokens": None}), text="Chào", usage=NO_USAGE),
    whole("usage-too-large", _with_usage({"prompt_tokens": 2**63, "completion_tokens": 5}), text="Chào", usage=NO_USAGE),
    whole("usage-nan", _with_usage({"prompt_tokens": "N", "completion_tokens": 5}).replace(b'"N"', b"NaN"), text="Chào", usage=NO_USAGE),
    whole("usage-text", _with_usage({"prompt_tokens": "10", "completion_tokens": "5"}), text="Chào", usage=NO_USAGE),
    whole("usage-bool", _with_usage({"prompt_tokens": True, "completion_tokens": 5}), text="Chào", usage=NO_USAGE),
    whole("usage-fraction", _with_usage({"prompt_tokens": 1.5, "completion_tokens": 5}), text="Chào", usage=NO_USAGE),
    whole("usage-a-list", _with_usage([10, 5]), text="Chào", usage=NO_USAGE),
    whole("usage-more-cached-than-prompt", _with_usage(_details({"cached_tokens": 90})), text="Chào", usage=Usage(90, 5)),
    whole("usage-more-reasoning-than-output", _with_usage(_details(None, {"reasoning_tokens": 50})), text="Chào", usage=Usage(10, 55, 0, 0, 50)),
    whole("usage-total-above-parts", _with_usage({**USAGE, "total_tokens": 40}), text="Chào", usage=Usage(10, 30)),
    # what is no whole answer
    *(_malformed(f"finish-{raw}-with-text", body(said("Chào"), raw)) if not raw else whole(f"finish-{raw}-with-text", body(said("Chào"), raw), failure=FailureKind.INTERRUPTED) for raw in BAD_FINISHES),
    _malformed("finish-null", body(said("Chào"), None)),
    _malformed("finish-error-without-text", body(said(None), "error")),
    _malformed("finish-number", body(said(None), 7)),
    whole("empty", body(said("")), failure=FailureKind.EMPTY),
    whole("only-spaces", body(said(" \n ")), failure=FailureKind.EMPTY),
    whole("only-reasoning", body(said(None, reasoning="hm")), failure=FailureKind.EMPTY),
    whole("filtered", body(said(None), "content_filter"), failure=FailureKind.CONTENT_FILTERED),
    whole("refused", body(said(None, refusal="Tôi không thể")), failure=FailureKind.CONTENT_FILTERED),
    _malformed("html", b"<html><h1>502 Bad Gateway</h1></html>"),
    _malformed("no-bytes", b""),
    _malformed("cut-json", body(said("Chào"))[:-20]),
    _malformed("empty-object", b"{}"),
    _malformed("a-list", b"[]"),
    _malformed("deep-nesting", b"[" * 50_000),
    _malformed("no-choices", json_bytes({**HEAD, "choices": [], "usage": USAGE})),
    _malformed("null-choices", json_bytes({**HEAD, "choices": None, "usage": USAGE})),
    _malformed("choices-of-text", json_bytes({**HEAD, "choices": ["a"], "usage": USAGE})),
    _malformed("no-message", json_bytes({**HEAD, "choices": [{"index": 0, "finish_reason": "stop"}], "usage": USAGE})),
    _malformed("content-object", body(said({"value": 42}))),
    _malformed("content-number", body(said(7))),
    _malformed("content-part-number", body(said([7]))),
    _malformed("text-part-number", body(said([{"type": "text", "text": 7}]))),
    whole("error-503", json_bytes({"error": {"code": 503, "message": "overloaded"}}), failure=FailureKind.UNAVAILABLE, status=503),
    whole("error-429", json_bytes({"error": {"code": 429, "message": "slow down"}}), failure=FailureKind.RATE_LIMITED, status=429),
    whole("error-502-as-text", json_bytes({"error": {"code": "502", "message": "bad gateway"}}), failure=FailureKind.SERVER_ERROR, status=502),
    whole("error-context", json_bytes({"error": {"code": "context_length_exceeded", "message": "too long"}}), failure=FailureKind.CONTEXT_OVERFLOW),
    _malformed("error-without-code", json_bytes({"error": {"message": "something"}})),
    _malformed("error-text", json_bytes({"error": "something"})),
    _malformed("error-true", json_bytes({"error": True, "choices": []})),
    whole("error-object-vllm", json_bytes({"object": "error", "message": "no", "type": "BadRequestError", "code": 400}), failure=FailureKind.BAD_REQUEST, status=400),
    whole("error-beside-text", body(said("Xin"), "stop", error={"code": 502, "message": "Provider disconnected"}), failure=FailureKind.SERVER_ERROR, status=502),
    whole("top-error-beside-text", json_bytes({**HEAD, "choices": [{"message": said("Xin"), "finish_reason": "stop"}], "error": {"code": 500}, "usage": USAGE}), failure=FailureKind.SERVER_ERROR, status=500),
)  # fmt: skip


def chunk(delta: Any, finish: Any = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice], **more}


def piece(text: Any) -> dict[str, Any]:
    return chunk({"content": text})


def call_piece(**fields: Any) -> dict[str, Any]:
    return chunk({"tool_calls": [fields]})


ROLE = chunk({"role": "assistant", "content": ""})
STOP = chunk({}, "stop")
CALLED = chunk({}, "tool_calls")
COUNTED = {**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
OPENROUTER_LAST = chunk({"role": "assistant", "content": ""}, usage=USAGE)
USAGE_BYTES = b"data: " + json_bytes(COUNTED) + b"\n\n"


def streamed(name: str, *events: Any, end: bytes = b"data: [DONE]\n\n", **meaning: Any) -> Exchange:
    return Exchange(f"stream-{name}", sse(events, end=end), **meaning)


def _written(event: Any, *texts: str | bytes) -> list[bytes]:
    """Return an event once for each text, which stands as JSON in the place of its "x"."""
    raw = [text.encode() if isinstance(text, str) else text for text in texts]
    return [b"data: " + json_bytes(event).replace(b'"x"', text) + b"\n\n" for text in raw]


def _broken(name: str, *events: Any, **meaning: Any) -> Exchange:
    return streamed(name, *events, failure=FailureKind.INTERRUPTED, **meaning)


_CITY = ('{"city"', ':"Hu', 'ế"}')
_TWO = (("weather", '{"city":"Huế"}'), ("time", '{"zone":"ICT"}'))


def _pieces(index: Any, call_id: Any, name: str, *arguments: str) -> list[dict[str, Any]]:
    """Return a call as OpenAI streams it: its name first, then its arguments."""
    place = {} if index is None else {"index": index}
    begun = {**place, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    rest = [{**place, "function": {"arguments": part}} for part in arguments]
    return [
        call_piece(**{key: value for key, value in each.items() if value is not None})
        for each in (begun, *rest)
    ]


def _one_piece(index: Any, call_id: Any, name: str, arguments: Any) -> dict[str, Any]:
    fields = {
        "index": index,
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    return call_piece(**{key: value for key, value in fields.items() if value is not None})


STREAMED: tuple[Exchange, ...] = (
    streamed("text", ROLE, piece("Xin "), piece("chào"), STOP, COUNTED, text="Xin chào"),
    streamed("openrouter", b": OPENROUTER PROCESSING\n\n", ROLE, piece("Xin "), piece("chào"), STOP, OPENROUTER_LAST, text="Xin chào"),
    streamed("usage-with-finish", piece("Chào"), chunk({}, "stop", usage=USAGE), text="Chào"),
    streamed("usage-with-each", chunk({"content": "Chào"}, usage={**USAGE, "completion_tokens": 1, "total_tokens": 11}), chunk({}, "stop", usage=USAGE), text="Chào"),
    streamed("comment-before-usage", piece("Chào"), STOP, b": OPENROUTER PROCESSING\n\n", OPENROUTER_LAST, text="Chào"),
    streamed("event-line-before-usage", piece("Chào"), STOP, b"event: message\n" + USAGE_BYTES, text="Chào"),
    streamed("no-end-mark", piece("Chào"), STOP, COUNTED, end=b"", text="Chào"),
    streamed("no-usage", piece("Chào"), STOP, text="Chào", usage=NO_USAGE),
    streamed("no-last-blank-line", piece("Chào"), COUNTED | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, end=b"data: [DONE]", text="Chào"),
    streamed("crlf", *(b"data: " + json_bytes(each) + b"\r\n\r\n" for each in (piece("Xin "), piece("chào"), STOP, COUNTED)), text="Xin chào"),
    streamed("cr-alone", *(b"data: " + json_bytes(each) + b"\r\r" for each in (piece("Xin "), piece("chào"), STOP, COUNTED)), end=b"data: [DONE]\r\r", text="Xin chào"),
    streamed("no-space", *(b"data:" + json_bytes(each) + b"\n\n" for each in (piece("Chào"), STOP, COUNTED)), text="Chào"),
    streamed("bom", b"\xef\xbb\xbfdata: " + json_bytes(piece("Xin ")) + b"\n\n", piece("chào"), STOP, COUNTED, text="Xin chào"),
    streamed("retry-and-id", b"retry: 3000\nid: 7\n\n", b"id: 8\ndata: " + json_bytes(piece("Chào")) + b"\n\n", STOP, COUNTED, text="Chào"),
    streamed("multi-line-data", b'data: {"choices":[{"index":0,"delta":\ndata: {"content":"Ch\xc3\xa0o"}}]}\n\n', STOP, COUNTED, text="Chào"),
    streamed("no-blank-lines", *(b"data: " + json_bytes(each) + b"\n" for each in (piece("Xin "), piece("chào"), STOP, COUNTED)), end=b"\ndata: [DONE]\n\n", text="Xin chào"),
    streamed("line-separator", piece("a\u2028b\u2029c\u0085d"), STOP, COUNTED, text="a\u2028b\u2029c\u0085d"),
    streamed("end-mark-in-text", piece("it ends with [DONE]"), piece(" here"), STOP, COUNTED, text="it ends with [DONE] here"),
    streamed("after-the-end", piece("Chào"), STOP, COUNTED, b"data: [DONE]\n\n", piece(" again"), text="Chào"),
    streamed("half-emoji", json_bytes(piece("x")).replace(b'"x"', b'"a\\ud83d"').join((b"data: ", b"\n\n")), STOP, COUNTED, text="a"),
    streamed("split-emoji", *_written(piece("x"), '"a\\ud83d"', '"\\ude00 b"'), STOP, COUNTED, text="a😀 b"),
    streamed("split-emoji-between-empty-pieces", *_written(piece("x"), '"a\\ud83d"', '""', '"\\ude00 b"'), STOP, COUNTED, text="a😀 b"),
    streamed("split-emoji-lost", *_written(piece("x"), '"a\\ud83d"', '" b \\ude00"'), STOP, COUNTED, text="a� b �"),
    streamed("split-utf8", *_written(piece("x"), b'"a\xf0\x9f"', b'"\x98\x80 b\xe1"', b'"\xba"', b'"\xa1"'), STOP, COUNTED, text="a😀 bạ"),
    streamed("split-cesu8", *_written(piece("x"), b'"a\xed\xa0\xbd"', b'"\xed\xb8\x80 b"'), STOP, COUNTED, text="a😀 b"),
    streamed("split-emoji-in-thought", *_written(chunk({"reasoning": "x"}), '"a\\ud83d"', '"\\ude00 b"'), piece("Chào"), STOP, COUNTED, text="Chào", reasoning="a😀 b"),
    streamed("split-emoji-in-arguments", *_pieces(0, "a", "weather", '{"city":"'), *_written(call_piece(index=0, function={"arguments": "x"}), '"\\ud83d"', '"\\ude00\\"}"'), CALLED, COUNTED, calls=(("weather", '{"city":"😀"}'),), finish="tool_calls"),
    streamed("usage-torn", piece("Chào"), STOP, USAGE_BYTES[:90], end=b"", text="Chào", usage=NO_USAGE),
    streamed("garbage-behind-finish", piece("Chào"), STOP, b"<html>\n\n", b'data: "x"\n\n', COUNTED, text="Chào"),
    streamed("garbage-behind-usage", piece("Chào"), STOP, COUNTED, b"data: [DO", end=b"", text="Chào"),
    streamed("garbage-between-finishes", chunk({"content": "Xin "}, "stop"), b"data: {\n\n", chunk({"content": "chào"}, "stop"), b"data: {\n\n", failure=FailureKind.MALFORMED),
    streamed("finish-in-each", *(chunk({"content": word}, "stop", usage=USAGE) for word in ("Xin ", "chào")), text="Xin chào"),
    streamed("chunk-without-choices", {**HEAD}, piece("Chào"), {**HEAD, "choices": []}, STOP, COUNTED, text="Chào"),
    streamed("null-choices", piece("Chào"), {**HEAD, "choices": None}, STOP, COUNTED, text="Chào"),
    streamed("null-delta", piece("Chào"), chunk(None), chunk(None, "stop"), COUNTED, text="Chào"),
    streamed("null-content", piece(None), piece("Chào"), piece(None), STOP, COUNTED, text="Chào"),
    streamed("null-error", {**piece("Chào"), "error": None}, STOP, COUNTED, text="Chào"),
    streamed("content-parts", piece([{"type": "text", "text": "Chào"}]), STOP, COUNTED, text="Chào"),
    streamed("reasoning", chunk({"reasoning": "h"}), chunk({"reasoning": "m"}), piece("Chào"), STOP, COUNTED, text="Chào", reasoning="hm"),
    streamed("reasoning-content", chunk({"reasoning_content": "hm", "content": None}), piece("Chào"), STOP, COUNTED, text="Chào", reasoning="hm"),
    streamed("length-without-text", chunk({"reasoning": "hm"}), chunk({}, "length"), COUNTED, finish="length", reasoning="hm"),
    streamed("length", piece("Chào"), chunk({}, "length"), COUNTED, text="Chào", finish="length"),
    streamed("filtered-with-text", piece("Tôi"), chunk({}, "content_filter"), COUNTED, text="Tôi", finish="content_filter"),
    streamed("finish-eos", piece("Chào"), chunk({}, "eos"), COUNTED, text="Chào"),
    streamed("finish-empty-first", chunk({"content": "Chào"}, ""), STOP, COUNTED, text="Chào"),
    streamed("usage-negative", piece("Chào"), STOP, {**COUNTED, "usage": {"prompt_tokens": -5, "completion_tokens": 5}}, text="Chào", usage=NO_USAGE),
    # tool calls
    streamed("call", *_pieces(0, "a", "weather", *_CITY), CALLED, COUNTED, calls=_TWO[:1], finish="tool_calls"),
    streamed("call-in-one-piece", _one_piece(0, "a", *_TWO[0]), CALLED, COUNTED, calls=_TWO[:1], finish="tool_calls"),
    streamed("call-with-text", piece("Đợi"), _one_piece(0, "a", *_TWO[0]), CALLED, COUNTED, text="Đợi", calls=_TWO[:1], finish="tool_calls"),
    streamed("two-calls", *_pieces(0, "a", "weather", *_CITY), *_pieces(1, "b", "time", '{"zone":"ICT"}'), CALLED, COUNTED, calls=_TWO, finish="tool_calls"),
    streamed("two-calls-interleaved", _pieces(0, "a", "weather")[0], _pieces(1, "b", "time")[0], call_piece(index=0, function={"arguments": '{"city":"Huế"}'}), call_piece(index=1, function={"arguments": '{"zone":"ICT"}'}), CALLED, COUNTED, calls=_TWO, finish="tool_calls"),
    streamed("two-calls-in-one-chunk", chunk({"tool_calls": [_one_piece(0, "a", *_TWO[0])["choices"][0]["delta"]["tool_calls"][0], _one_piece(1, "b", *_TWO[1])["choices"][0]["delta"]["tool_calls"][0]]}), CALLED, COUNTED, calls=_TWO, finish="tool_calls"),
    streamed("two-calls-index-0", *_pieces(0, "a", "weather", *_CITY), *_pieces(0, "b", "time", '{"zone":"ICT"}'), CALLED, COUNTED, calls=_TWO, finish="tool_calls"),
    streamed("two-calls-no-index", *_pieces(None, "a", "weather", *_CITY), *_pieces(None, "b", "time", '{"zone":"ICT"}'), CALLED, COUNTED, calls=_TWO, finish="tool_calls"),
    streamed("two-calls-neither-index-nor-id", _one_piece(None, None, *_TWO[0]), _one_piece(None, None, *_TWO[1]), CALLED, COUNTED, calls=_TWO, finish="tool_calls"),
    streamed("two-calls-index-0-no-id", _one_piece(0, "", *_TWO[0]), _one_piece(0, "", *_TWO[1]), CALLED, COUNTED, calls=_TWO, finish="tool_calls"),
    streamed("call-id-and-name-repeated", *(_one_piece(0, "a", "weather", part) for part in _CITY), CALLED, COUNTED, calls=_TWO[:1], finish="tool_calls"),
    streamed("call-object-arguments", _one_piece(0, "a", "weather", {"city": "Huế"}), CALLED, COUNTED, calls=_TWO[:1], finish="tool_calls"),
    streamed("call-no-arguments", call_piece(index=0, id="a", function={"name": "time"}), CALLED, COUNTED, calls=(("time", "{}"),), finish="tool_calls"),
    streamed("call-finish-stop", *_pieces(0, "a", "weather", *_CITY), STOP, COUNTED, calls=_TWO[:1], finish="tool_calls"),
    streamed("call-cut-by-length", *_pieces(0, "a", "weather", *_CITY[:2]), chunk({}, "length"), COUNTED, finish="length"),
    streamed("second-call-cut-by-length", *_pieces(0, "a", "weather", *_CITY), *_pieces(1, "b", "time", '{"zo'), chunk({}, "length"), COUNTED, calls=_TWO[:1], finish="length"),
    streamed("call-cut", *_pieces(0, "a", "weather", *_CITY[:2]), CALLED, COUNTED, failure=FailureKind.MALFORMED),
    streamed("call-without-name", call_piece(index=0, id="a", function={"arguments": "{}"}), CALLED, COUNTED, failure=FailureKind.MALFORMED),
    _broken("call-then-cut", *_pieces(0, "a", "weather", *_CITY[:2]), end=b"", usage=NO_USAGE),
    # what is no whole answer
    _broken("no-finish", piece("Xin "), piece("chào"), end=b"", usage=NO_USAGE),
    _broken("no-finish-end-mark", piece("Xin "), usage=NO_USAGE),
    _broken("nothing", end=b"", usage=NO_USAGE),
    _broken("end-mark-alone", usage=NO_USAGE),
    _broken("comments-alone", b": OPENROUTER PROCESSING\n\n" * 5, end=b"", usage=NO_USAGE),
    *(_broken(f"finish-{raw}", piece("Xin"), chunk({}, raw), COUNTED) for raw in ("error", "abort", "insufficient_system_resource", "wat")),
    _broken("error-event-after-text", piece("Xin"), {"error": {"code": 502, "message": "gone"}}, end=b"", status=502, usage=NO_USAGE),
    _broken("openrouter-error-after-text", piece("Xin"), {**chunk({"content": ""}, "error"), "error": {"code": 502, "message": "gone"}}, end=b"", status=502, usage=NO_USAGE),
    _broken("choice-error-after-text", piece("Xin"), {**HEAD, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop", "error": {"code": 500}}]}, end=b"", status=500, usage=NO_USAGE),
    _broken("error-after-reasoning", chunk({"reasoning": "hm"}), {"error": {"code": 502}}, end=b"", status=502, usage=NO_USAGE),
    streamed("error-first", {"error": {"code": 429, "message": "slow"}}, end=b"", failure=FailureKind.RATE_LIMITED, status=429, usage=NO_USAGE),
    streamed("error-first-503", {"error": {"code": 503, "message": "no"}}, end=b"", failure=FailureKind.UNAVAILABLE, status=503, usage=NO_USAGE),
    streamed("error-first-without-code", {"error": {"message": "no"}}, end=b"", failure=FailureKind.MALFORMED, usage=NO_USAGE),
    streamed("named-error-event", b'event: error\ndata: {"message": "no", "code": 503}\n\n', end=b"", failure=FailureKind.UNAVAILABLE, status=503, usage=NO_USAGE),
    streamed("empty", ROLE, STOP, COUNTED, failure=FailureKind.EMPTY),
    streamed("only-spaces", piece("  "), STOP, COUNTED, failure=FailureKind.EMPTY),
    streamed("only-reasoning", chunk({"reasoning": "hm"}), STOP, COUNTED, failure=FailureKind.EMPTY),
    streamed("filtered", chunk({}, "content_filter"), COUNTED, failure=FailureKind.CONTENT_FILTERED),
    streamed("refused", chunk({"refusal": "Tôi "}), chunk({"refusal": "từ chối"}), STOP, COUNTED, failure=FailureKind.CONTENT_FILTERED),
    streamed("broken-event", piece("Xin"), b'data: {"choices":[{"delta":{"content":"bro\n\n', STOP, COUNTED, failure=FailureKind.MALFORMED, usage=NO_USAGE),
    streamed("event-number", piece("Xin"), piece(7), STOP, COUNTED, failure=FailureKind.MALFORMED, usage=NO_USAGE),
    streamed("event-a-list", b"data: [1]\n\n", STOP, COUNTED, failure=FailureKind.MALFORMED, usage=NO_USAGE),
    streamed("delta-text", chunk("Xin"), STOP, COUNTED, failure=FailureKind.MALFORMED, usage=NO_USAGE),
)  # fmt: skip
EXCHANGES = (*WHOLE, *STREAMED)
