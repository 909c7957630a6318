"""Answers in Gemini's format, by the shapes in https://ai.google.dev/api/generate-content, and what goes wrong."""

from typing import Any

from orchestrator.core.failures import FailureKind
from orchestrator.core.reply import Usage
from tests.providers.wire.exchange import COUNTED_USAGE, NO_USAGE, Exchange, json_bytes, sse

COUNTS = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
HEAD = {"modelVersion": "gemini-3.8-flash", "responseId": "abc"}
WEATHER = {"functionCall": {"name": "weather", "args": {"city": "Huế"}}}
TIME = {"functionCall": {"name": "time", "args": {"zone": "ICT"}}}
WEATHER_CALL = ("weather", '{"city":"Huế"}')
TIME_CALL = ("time", '{"zone":"ICT"}')
ANY: Any = object()


def response(*parts: Any, finish: Any = None, counts: Any = COUNTS, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    data: dict[str, Any] = {**HEAD, "candidates": [{**candidate, **more}]}
    return data if counts is None else {**data, "usageMetadata": counts}


def text(words: Any, **fields: Any) -> dict[str, Any]:
    return {"text": words, **fields}


def whole(name: str, data: Any, **meaning: Any) -> Exchange:
    return Exchange(f"whole-{name}", data if isinstance(data, bytes) else json_bytes(data), **meaning)


def _done(*parts: Any, **more: Any) -> dict[str, Any]:
    return response(*parts, finish="STOP", **more)


def _counted(**counts: Any) -> dict[str, Any]:
    return _done(text("Chào"), counts={**COUNTS, **counts})


def _malformed(name: str, data: Any, **meaning: Any) -> Exchange:
    return whole(name, data, failure=FailureKind.MALFORMED, **meaning)


_BLOCKED = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10}, **HEAD}  # fmt: skip
_FILTERS = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY")
_BAD_FINISHES = (
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "FINISH_REASON_UNSPECIFIED",
    "OTHER",
    "MISSING_THOUGHT_SIGNATURE",
    "NOT_YET_INVENTED",
)

WHOLE: tuple[Exchange, ...] = (
    whole("text", _done(text("Xin chào")), text="Xin chào"),
    whole("several-texts", _done(text("Xin "), text("chào")), text="Xin chào"),
    whole("unknown-fields", _done(text("Chào", partMetadata={}), avgLogprobs=-0.1, safetyRatings=[]), text="Chào"),
    whole("unknown-part", _done({"executableCode": {"code": "1"}}, text("Chào")), text="Chào"),
    whole("line-separator", _done(text("a\u2028b\u0085c")), text="a\u2028b\u0085c"),
    whole("half-emoji", json_bytes(_done(text("x"))).replace(b'"x"', b'"a\\ud83d"'), text="a�"),
    whole("bom", b"\xef\xbb\xbf" + json_bytes(_done(text("Chào"))), text="Chào"),
    whole("pretty-printed", json_bytes(_done(text("Chào"))).replace(b"{", b"{\n  "), text="Chào"),
    whole("thought", _done(text("hm", thought=True), text("Chào")), text="Chào", reasoning="hm"),
    whole("signed-text", _done(text("Chào", thoughtSignature="c2ln")), text="Chào"),
    whole("signature-in-empty-text", _done(text("Chào"), text("", thoughtSignature="c2ln")), text="Chào"),
    whole("max-tokens", response(text("Chào"), finish="MAX_TOKENS"), text="Chào", finish="length"),
    whole("max-tokens-no-text", response(finish="MAX_TOKENS", counts={"promptTokenCount": 10, "thoughtsTokenCount": 5, "totalTokenCount": 15}), finish="length", usage=Usage(10, 5, 0, 0, 5)),
    whole("max-tokens-no-parts", {**HEAD, "candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}], "usageMetadata": COUNTS}, finish="length"),
    whole("max-tokens-no-content", {**HEAD, "candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata": COUNTS}, finish="length"),
    *(whole(f"{reason}-with-text", response(text("Tôi"), finish=reason), text="Tôi", finish="content_filter") for reason in _FILTERS),
    # tool calls
    whole("call", _done(WEATHER), calls=(WEATHER_CALL,), finish="tool_calls"),
    whole("call-and-text", _done(text("Đợi"), WEATHER), text="Đợi", calls=(WEATHER_CALL,), finish="tool_calls"),
    whole("two-calls", _done(WEATHER, TIME), calls=(WEATHER_CALL, TIME_CALL), finish="tool_calls"),
    whole("same-call-twice", _done(WEATHER, WEATHER), calls=(WEATHER_CALL, WEATHER_CALL), finish="tool_calls"),
    whole("call-with-id", _done({"functionCall": {**WEATHER["functionCall"], "id": "fc_1"}}), calls=(WEATHER_CALL,), finish="tool_calls"),
    whole("call-signed", _done({**WEATHER, "thoughtSignature": "c2ln"}), calls=(WEATHER_CALL,), finish="tool_calls"),
    whole("call-without-args", _done({"functionCall": {"name": "time"}}), calls=(("time", "{}"),), finish="tool_calls"),
    whole("call-null-args", _done({"functionCall": {"name": "time", "args": None}}), calls=(("time", "{}"),), finish="tool_calls"),
    whole("call-max-tokens", response(WEATHER, finish="MAX_TOKENS"), calls=(WEATHER_CALL,), finish="length"),
    _malformed("call-without-name", _done({"functionCall": {"args": {}}})),
    _malformed("call-args-a-list", _done({"functionCall": {"name": "time", "args": [1]}})),
    _malformed("call-no-object", _done({"functionCall": "time"})),
    # usage
    whole("usage-thoughts-beside", _counted(thoughtsTokenCount=7, totalTokenCount=22), text="Chào", usage=Usage(10, 12, 0, 0, 7)),
    whole("usage-thoughts-inside", _counted(thoughtsTokenCount=3), text="Chào", usage=Usage(10, 5, 0, 0, 3)),
    whole("usage-cached", _counted(cachedContentTokenCount=8), text="Chào", usage=Usage(10, 5, 8)),
    whole("usage-tool-prompt", _counted(toolUsePromptTokenCount=20, totalTokenCount=35), text="Chào", usage=Usage(30, 5)),
    whole("usage-total-above-parts", _counted(totalTokenCount=40), text="Chào", usage=Usage(10, 30)),
    whole("usage-more-cached-than-prompt", _counted(cachedContentTokenCount=90), text="Chào", usage=Usage(90, 5)),
    whole("usage-no-candidates-count", _done(text("Chào"), counts={"promptTokenCount": 10, "totalTokenCount": 15}), text="Chào"),
    whole("usage-missing", _done(text("Chào"), counts=None), text="Chào", usage=NO_USAGE),
    whole("usage-negative", _counted(promptTokenCount=-5), text="Chào", usage=NO_USAGE),
    whole("usage-null", _counted(promptTokenCount=None), text="Chào", usage=NO_USAGE),
    whole("usage-too-large", _counted(promptTokenCount=2**63), text="Chào", usage=NO_USAGE),
    whole("usage-text", _counted(promptTokenCount="10"), text="Chào", usage=NO_USAGE),
    whole("usage-no-object", _done(text("Chào"), counts=[1]), text="Chào", usage=NO_USAGE),
    # what is no whole answer
    *(whole(f"{reason}-with-text", response(text("Tôi"), finish=reason), failure=FailureKind.INTERRUPTED) for reason in _BAD_FINISHES),
    *(_malformed(f"{reason}-without-text", response(finish=reason)) for reason in _BAD_FINISHES),
    _malformed("finish-number", response(finish=7)),
    _malformed("finish-missing", response(text("Chào"))),
    whole("empty", _done(), failure=FailureKind.EMPTY),
    whole("empty-text", _done(text("")), failure=FailureKind.EMPTY),
    whole("only-spaces", _done(text(" \n")), failure=FailureKind.EMPTY),
    whole("only-thought", _done(text("hm", thought=True)), failure=FailureKind.EMPTY),
    whole("safety", response(finish="SAFETY"), failure=FailureKind.CONTENT_FILTERED),
    whole("safety-no-content", {**HEAD, "candidates": [{"finishReason": "SAFETY"}], "usageMetadata": COUNTS}, failure=FailureKind.CONTENT_FILTERED),
    whole("blocked-prompt", _BLOCKED, failure=FailureKind.CONTENT_FILTERED),
    whole("blocked-prompt-no-usage", {"promptFeedback": {"blockReason": "OTHER"}}, failure=FailureKind.CONTENT_FILTERED),
    _malformed("html", b"<html>502</html>"),
    _malformed("no-bytes", b""),
    _malformed("cut-json", json_bytes(_done(text("Chào")))[:-9]),
    _malformed("empty-object", b"{}"),
    _malformed("a-list", b"[]"),
    _malformed("no-candidates", {**HEAD, "candidates": [], "usageMetadata": COUNTS}),
    _malformed("candidates-of-text", {**HEAD, "candidates": ["a"], "usageMetadata": COUNTS}),
    _malformed("text-number", _done(text(7))),
    _malformed("text-object", _done(text({"value": 42}))),
    _malformed("parts-of-text", _done("Chào")),
    _malformed("parts-no-list", {**HEAD, "candidates": [{"content": {"parts": "a"}, "finishReason": "STOP"}]}),
    _malformed("content-text", {**HEAD, "candidates": [{"content": "a", "finishReason": "STOP"}]}),
    whole("error-503", {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}, failure=FailureKind.UNAVAILABLE, status=503),
    whole("error-429", {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}, failure=FailureKind.RATE_LIMITED, status=429),
    whole("error-by-name", {"error": {"message": "oops", "status": "INTERNAL"}}, failure=FailureKind.SERVER_ERROR),
    _malformed("error-text", {"error": "oops"}),
)  # fmt: skip

PIECE = response(text("Xin "), counts={"promptTokenCount": 10, "totalTokenCount": 10})
LAST = response(text("chào"), finish="STOP")


def streamed(name: str, *events: Any, end: bytes = b"", **meaning: Any) -> Exchange:
    return Exchange(f"stream-{name}", sse(events, end=end, separator=b"\r\n\r\n"), **meaning)


def _broken(name: str, *events: Any, usage: Usage = COUNTED_USAGE, **meaning: Any) -> Exchange:
    return streamed(name, *events, failure=FailureKind.INTERRUPTED, usage=usage, **meaning)


STREAMED: tuple[Exchange, ...] = (
    streamed("text", PIECE, LAST, text="Xin chào"),
    streamed("one-response", LAST, text="chào"),
    streamed("finish-in-each", response(text("Xin "), finish="STOP"), LAST, text="Xin chào"),
    streamed("split-emoji", *(b"data: " + json_bytes(each).replace(b'"x"', half) + b"\n\n" for each, half in ((response(text("x")), b'"a\\ud83d"'), (response(text("x"), finish="STOP"), b'"\\ude00 b"'))), text="a😀 b"),
    streamed("empty-last-text", PIECE, response(text("chào")), response(text(""), finish="STOP"), text="Xin chào"),
    streamed("last-without-parts", PIECE, response(finish="STOP"), text="Xin "),
    streamed("last-without-content", PIECE, {**HEAD, "candidates": [{"finishReason": "STOP"}], "usageMetadata": COUNTS}, text="Xin "),
    streamed("usage-at-the-end-alone", response(text("Xin "), counts=None), LAST, text="Xin chào"),
    streamed("usage-after-the-finish", response(text("Chào"), finish="STOP", counts=None), {**HEAD, "usageMetadata": COUNTS}, text="Chào"),
    streamed("usage-missing", response(text("Chào"), finish="STOP", counts=None), text="Chào", usage=NO_USAGE),
    streamed("lf", *(b"data: " + json_bytes(each) + b"\n\n" for each in (PIECE, LAST)), text="Xin chào"),
    streamed("cr", *(b"data: " + json_bytes(each) + b"\r\r" for each in (PIECE, LAST)), text="Xin chào"),
    streamed("no-space", *(b"data:" + json_bytes(each) + b"\n\n" for each in (PIECE, LAST)), text="Xin chào"),
    streamed("bom", b"\xef\xbb\xbfdata: " + json_bytes(PIECE) + b"\n\n", LAST, text="Xin chào"),
    streamed("comments", b": keep-alive\r\n\r\n", PIECE, b": keep-alive\r\n\r\n", LAST, text="Xin chào"),
    streamed("multi-line-data", *(b"data: " + json_bytes(each).replace(b",", b",\ndata: ", 1) + b"\n\n" for each in (PIECE, LAST)), text="Xin chào"),
    streamed("no-last-blank-line", PIECE, b"data: " + json_bytes(LAST), text="Xin chào"),
    streamed("line-separator", response(text("a\u2028b\u0085c")), response(text("!"), finish="STOP"), text="a\u2028b\u0085c!"),
    streamed("no-candidates-first", {**HEAD, "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10}}, LAST, text="chào"),
    streamed("thought", response(text("h", thought=True)), response(text("m", thought=True)), LAST, text="chào", reasoning="hm"),
    streamed("signature-last", PIECE, response(text("", thoughtSignature="c2ln"), finish="STOP"), text="Xin "),
    streamed("max-tokens", PIECE, response(text("chào"), finish="MAX_TOKENS"), text="Xin chào", finish="length"),
    streamed("max-tokens-no-text", response(text("hm", thought=True)), response(finish="MAX_TOKENS"), finish="length", reasoning="hm"),
    streamed("safety-after-text", PIECE, response(finish="SAFETY"), text="Xin ", finish="content_filter"),
    streamed("usage-thoughts", PIECE, response(text("chào"), finish="STOP", counts={**COUNTS, "thoughtsTokenCount": 7, "totalTokenCount": 22}), text="Xin chào", usage=Usage(10, 12, 0, 0, 7)),
    streamed("usage-negative", PIECE, response(text("chào"), finish="STOP", counts={**COUNTS, "promptTokenCount": -1}), text="Xin chào", usage=NO_USAGE),
    # tool calls
    streamed("call", response(WEATHER, finish="STOP"), calls=(WEATHER_CALL,), finish="tool_calls"),
    streamed("call-then-finish", response(WEATHER), response(text(""), finish="STOP"), calls=(WEATHER_CALL,), finish="tool_calls"),
    streamed("call-after-text", PIECE, response(WEATHER), response(finish="STOP"), text="Xin ", calls=(WEATHER_CALL,), finish="tool_calls"),
    streamed("two-calls", response(WEATHER), response(TIME, finish="STOP"), calls=(WEATHER_CALL, TIME_CALL), finish="tool_calls"),
    streamed("two-calls-in-one", response(WEATHER, TIME), response(finish="STOP"), calls=(WEATHER_CALL, TIME_CALL), finish="tool_calls"),
    streamed("call-signed", response({**WEATHER, "thoughtSignature": "c2ln"}), response(finish="STOP"), calls=(WEATHER_CALL,), finish="tool_calls"),
    streamed("call-after-thought", response(text("hm", thought=True)), response(WEATHER, finish="STOP"), calls=(WEATHER_CALL,), finish="tool_calls", reasoning="hm"),
    streamed("call-without-name", response({"functionCall": {"args": {}}}), failure=FailureKind.MALFORMED, usage=NO_USAGE),
    # what is no whole answer
    _broken("no-finish", PIECE, response(text("chào")), usage=NO_USAGE),
    _broken("nothing", usage=NO_USAGE),
    _broken("comments-alone", b": keep-alive\r\n\r\n" * 3, usage=NO_USAGE),
    _broken("call-then-cut", response(WEATHER), usage=NO_USAGE),
    *(_broken(f"{reason}-after-text", PIECE, response(finish=reason)) for reason in _BAD_FINISHES),
    streamed("malformed-call-first", response(finish="MALFORMED_FUNCTION_CALL"), failure=FailureKind.MALFORMED),
    _broken("error-after-text", PIECE, {"error": {"code": 503, "status": "UNAVAILABLE", "message": "x"}}, status=503, usage=NO_USAGE),
    _broken("error-after-thought", response(text("hm", thought=True)), {"error": {"code": 500, "message": "x"}}, status=500, usage=NO_USAGE),
    streamed("error-first", {"error": {"code": 503, "status": "UNAVAILABLE", "message": "x"}}, failure=FailureKind.UNAVAILABLE, status=503, usage=NO_USAGE),
    streamed("error-first-429", {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "x"}}, failure=FailureKind.RATE_LIMITED, status=429, usage=NO_USAGE),
    streamed("empty", response(text(""), finish="STOP"), failure=FailureKind.EMPTY),
    streamed("only-thought", response(text("hm", thought=True), finish="STOP"), failure=FailureKind.EMPTY),
    streamed("only-spaces", response(text("  "), finish="STOP"), failure=FailureKind.EMPTY),
    streamed("safety", response(finish="SAFETY"), failure=FailureKind.CONTENT_FILTERED),
    streamed("blocked-prompt", _BLOCKED, failure=FailureKind.CONTENT_FILTERED, usage=Usage(10, 0)),
    streamed("broken-event", PIECE, b'data: {"candidates":[{"content":{"parts":[{"text":"bro\r\n\r\n', LAST, failure=FailureKind.MALFORMED, usage=NO_USAGE),
    streamed("text-number", PIECE, response(text(7)), LAST, failure=FailureKind.MALFORMED, usage=NO_USAGE),
    streamed("event-a-list", b"data: [1]\r\n\r\n", failure=FailureKind.MALFORMED, usage=NO_USAGE),
)  # fmt: skip
EXCHANGES = (*WHOLE, *STREAMED)
