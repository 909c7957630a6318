"""The classes of fault that `benchmarks.failover` plays, and what an answer is worth in each of them."""

import re
from dataclasses import dataclass
from typing import Any

from benchmarks.failover_subjects import DEADLINE_S, answer_of
from orchestrator.practice.odd_answers import BURST_PIECES, CALLS, GOOD_TEXT, HALF_TEXT, gone_on_from_half
from orchestrator.practice.odd_bills import OddBill

TEXT = (
    "Dạ, đơn hàng của anh chị đã rời kho Thủ Đức lúc chín giờ sáng nay, hiện đang trên xe giao hàng và sẽ"
    " đến nơi trước năm giờ chiều. Tài xế sẽ gọi trước mười phút; nếu cần đổi giờ nhận, xin nhắn lại cho"
    " chúng tôi trước hai giờ. Cảm ơn anh chị đã mua hàng."
)
RESCUED_TEXT = gone_on_from_half(TEXT)
"""Half an odd answer that was gone on with."""
HANDLED = frozenset({"whole", "right error", "said so"})
HARMFUL = frozenset({"truncated", "wrong text"})
GRACE_S = 0.1
BILLS = tuple(bill for bill in OddBill if bill is not OddBill.DEAR_COST)
"""A bill of a billion dollars has no place in a table."""
_REFUSED_AS_IT_IS = r"Rejected|BadRequest| 400"
_FILTERED = "Content|Filter|Rejected"


@dataclass(frozen=True, slots=True)
class Case:
    """One class of fault."""

    name: str
    faults: tuple[str, ...] = ()
    """At the first provider; `*:` at all of them."""
    right_error: str = ""
    """The error that is right, as a pattern of its class and status; empty when the answer must come."""
    address: str = ""
    """What stands in place of the first provider's address: refused or tls."""
    also_whole: str = ""
    """An answer that is as good as `TEXT`: the first provider's own, or one that was gone on with."""
    said: tuple[str, str] | None = None
    """Text and finish reason of an answer that is not whole and says so."""
    tools: bool = False
    """The question offers tools."""
    mode: str = ""
    """The one way of asking that it is for, whole or stream; empty for both."""


def _refused(name: str, status: int, reason: str) -> Case:
    return Case(name, (f"status={status},reason={reason}",))


def _odd(name: str, shape: str, **more: Any) -> Case:
    return Case(name, (f"odd_answer={shape}",), **more)


_BOTH_CALLS = answer_of("", CALLS)

CASES = (
    Case("429", ("status=429",)),
    Case("429, Retry-After 1 s", ("status=429,retry_after_s=1",)),
    Case("429, Retry-After 60 s", ("status=429,retry_after_s=60",)),
    *(
        Case(str(status), (f"status={status}",))
        for status in (500, 502, 503, 504, 529, 401, 402, 403, 404, 409)
    ),
    Case("400, the caller's fault", ("*:status=400",), right_error=_REFUSED_AS_IT_IS),
    Case("context overflow", ("status=400,reason=context_length,model=openai/gpt-6-luna",)),
    Case("content filter", ("status=400,reason=content_filter",), right_error=_FILTERED),
    Case("403 that is flagged", ("status=403,reason=content_filter",), right_error=_FILTERED),
    _refused("quota used up", 429, "insufficient_quota"),
    _refused("output limit", 400, "output_limit"),
    _refused("larger than a minute", 429, "request_too_large"),
    _refused("location", 403, "location"),
    _refused("deprecated model", 400, "deprecated_model"),
    _refused("400 that is HTML", 400, "html"),
    _refused("400 that is empty", 400, "empty"),
    _refused("error of 4 MB", 500, "huge"),
    _refused("422 of a schema", 422, "schema"),
    Case("connection refused", address="refused"),
    Case("TLS broken", address="tls"),
    Case("redirect", ("redirect=307",)),
    Case("reset", ("reset",)),
    Case("silence", ("silence",)),
    Case("slow first token", ("slow_first_token=4",)),
    Case("dripping bytes", ("drip=100",)),
    Case("thoughts without an end", ("useless=thoughts,every_s=0.3",), mode="stream"),
    Case("spaces without an end", ("useless=spaces,every_s=0.3",), mode="stream"),
    Case("cut after 8 pieces", ("cut_stream=8",)),
    Case("cut, gone on afresh", ("cut_stream=8", "*:continues=afresh"), mode="stream"),
    Case("cut, in other words", ("cut_stream=8", "*:continues=other"), right_error=".", mode="stream"),
    Case("no end marker", ("end_stream=8",)),
    Case("stalled after 8 pieces", ("stall_stream=8",)),
    Case("malformed piece", ("malformed_chunk=8",)),
    Case("HTML body", ("malformed_body",)),
    Case("200 with an error", ("error_in_200=502",)),
    Case("error after 8 pieces", ("error_in_200=502,after_chunks=8",)),
    Case("empty content", ("empty_content",)),
    _odd("finish that is no end", "unknown_finish", also_whole=RESCUED_TEXT),
    _odd("aborted", "aborted", also_whole=RESCUED_TEXT),
    _odd("error beside text", "error_beside_text", also_whole=RESCUED_TEXT),
    _odd("host failed", "host_failed", also_whole=RESCUED_TEXT),
    _odd("error in message", "error_in_message", also_whole=RESCUED_TEXT),
    _odd("bare code", "bare_code", also_whole=RESCUED_TEXT),
    _odd("words elsewhere", "words_elsewhere", also_whole=RESCUED_TEXT),
    _odd("NaN in arguments", "nan_arguments", tools=True),
    _odd("stray lines", "stray_lines", also_whole=GOOD_TEXT, mode="stream"),
    _odd("call cut in arguments", "cut_call", tools=True),
    _odd("call without a name", "nameless_call", tools=True),
    _odd("filtered", "filtered", right_error=_FILTERED),
    _odd("cut by a filter", "filter_cut", said=(HALF_TEXT, "content_filter")),
    _odd("thought alone", "thought_only", said=("", "length")),
    _odd("calls with index 0", "calls_with_index_0", tools=True, also_whole=_BOTH_CALLS),
    _odd("calls without index", "calls_without_index", tools=True, also_whole=_BOTH_CALLS),
    _odd("arguments as objects", "object_arguments", tools=True, also_whole=_BOTH_CALLS),
    _odd("call, no arguments", "no_arguments", tools=True, also_whole=answer_of("", [("list_orders", {})])),
    _odd("stray pieces", "stray_chunks", also_whole=GOOD_TEXT, mode="stream"),
    _odd("open behind its end", "open_end", also_whole=GOOD_TEXT, mode="stream"),
    _odd("odd lines", "odd_lines", also_whole=GOOD_TEXT, mode="stream"),
    _odd("no usage", "no_usage", also_whole=GOOD_TEXT),
    _odd("one body for a stream", "one_body", also_whole=GOOD_TEXT, mode="stream"),
    _odd("a prompt's thoughts", "prompted_thoughts", also_whole=GOOD_TEXT, mode="whole"),
    *(Case(f"odd bill: {bill.replace('_', ' ')}", (f"odd_bill={bill}",)) for bill in BILLS),
    _odd("an emoji in two halves", "split_character", also_whole=GOOD_TEXT, mode="stream"),
    _odd("each piece is the last", "finish_in_each", also_whole=GOOD_TEXT, mode="stream"),
    _odd("20,000 pieces", "burst", also_whole="word " * BURST_PIECES, mode="stream"),
    _odd("packed body of 30 MB", "gzip_bomb"),
)


def judged(told: dict[str, Any], case: Case) -> str:
    """Return what an answer, or its lack, is worth."""
    if told["hung"]:
        return "hung"
    if told["elapsed_s"] > DEADLINE_S + GRACE_S:
        return "late"
    if told["error"] is not None:
        right = case.right_error and re.search(case.right_error, told["error"])
        return "right error" if right else "error"
    text = told["text"]
    if text == TEXT or (case.also_whole and text == case.also_whole):
        return "whole"
    if case.said == (text, told["finish"]):
        return "said so"
    return "truncated" if TEXT.startswith(text) else "wrong text"
