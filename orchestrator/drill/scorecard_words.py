"""The words of a drill's page, in Vietnamese and English."""

import re
from collections.abc import Mapping

from orchestrator.core.language import Language

SCORECARD_EN: Mapping[str, str] = {
    "title": "Drill", "well": "every case ended as it should", "failures": "{failed} of {total} cases failed",
    "summary": "{config}: {total} cases, waits {speed} times shorter than configured; booked {booked}, billed {billed} by "
    "practice providers.",
    "broken": "Broken", "asked": "Asked for", "verdict": "Verdict", "answered_by": "Answered by", "time": "Time",
    "sends": "Sends", "cost": "Cost", "saw": "The caller saw", "stream": "stream", "whole": "whole", "nobody": "nobody",
    "answered": "answered", "rescued": "rescued", "last resort": "last resort", "right error": "right error",
    "failed": "failed",
}  # fmt: skip

SCORECARD_VI: Mapping[str, str] = {
    "title": "Diễn tập", "well": "mọi trường hợp kết thúc đúng", "failures": "{failed} trong {total} trường hợp hỏng",
    "summary": "{config}: {total} trường hợp, thời gian chờ ngắn hơn cấu hình {speed} lần; đã ghi {booked}, nhà cung cấp giả "
    "lập tính {billed}.",
    "broken": "Làm hỏng", "asked": "Cách hỏi", "verdict": "Kết quả", "answered_by": "Ai trả lời", "time": "Thời gian",
    "sends": "Lượt gửi", "cost": "Chi phí", "saw": "Nhận được", "stream": "từng phần", "whole": "trọn câu",
    "nobody": "không ai", "answered": "trả lời ngay", "rescued": "cứu được", "last resort": "phương án cuối",
    "right error": "lỗi đúng", "failed": "hỏng",
}  # fmt: skip

BROKEN_VI: Mapping[str, str] = {
    "429 with Retry-After": "429 có Retry-After", "context overflow": "vượt ngữ cảnh", "content filter": "bộ lọc nội dung",
    "bad request": "yêu cầu sai", "400 that is HTML": "400 là HTML", "400 that is empty": "400 trống",
    "quota used up": "hết hạn mức", "output limit": "giới hạn đầu ra",
    "larger than a minute": "lớn hơn hạn mức một phút", "location": "vị trí", "deprecated model":
    "mô hình đã ngừng", "narrower schema": "lược đồ hẹp hơn", "error of 4 MB": "lỗi dài 4 MB", "connection reset": "mất kết nối", "silence": "im lặng",
    "slow first token": "token đầu chậm", "cut": "bị cắt", "end mark missing": "thiếu dấu kết thúc", "stall": "đứng giữa chừng",
    "malformed chunk": "mảnh sai dạng", "odd chunk": "mảnh lạ", "HTML with 200": "HTML với 200",
    "text that is no text": "văn bản không phải văn bản", "no choices": "không có câu trả lời nào", "empty answer":
    "trả lời trống", "error with 200": "lỗi với 200", "error in the stream": "lỗi giữa luồng", "finish that is no end":
    "kết thúc lạ", "error beside text": "lỗi kèm văn bản", "tool call without a name": "lời gọi công cụ không tên",
    "host behind a router that failed": "máy chủ sau bộ định tuyến hỏng", "error within a message": "lỗi trong tin nhắn",
    "code in the place of an event": "mã lỗi thay cho sự kiện", "words where none belong": "chữ nằm sai chỗ",
    "number that is none in a tool call": "tham số không phải là số",
    "tool call cut in its arguments": "lời gọi công cụ bị cắt giữa tham số", "packed body of 30 MB": "thân nén 30 MB",
    "403 that is flagged": "403 vì bị gắn cờ", "redirect": "chuyển hướng", "thoughts without an end": "suy nghĩ không dứt",
    "spaces without an end": "khoảng trắng không dứt",
    "charged to a customer's own key": "tính vào khoá của khách", "cost of 0": "chi phí 0",
    "another class of service": "hạng dịch vụ khác", "counts that contradict": "số đếm mâu thuẫn",
    "counts that are none": "số đếm không hợp lệ", "drip": "nhỏ giọt",
}  # fmt: skip
"""Classes of faults that have words; a status is its number."""
_SAID_VI = (
    (r"^levels 1 to (\d+) down$", r"cấp 1 đến \1 ngừng"), (r"^every provider down$", "mọi nhà cung cấp ngừng"),
    (r"^(\S+) down$", r"\1 ngừng"),
)  # fmt: skip


def scorecard_words(language: Language) -> Mapping[str, str]:
    """Return the words of a page in a language."""
    return SCORECARD_VI if language is Language.VI else SCORECARD_EN


def broken_in(broken: str, language: Language) -> str:
    """Return what a case breaks, in a language."""
    if language is not Language.VI:
        return broken
    kind, at, place = broken.partition(" at ")
    if at:
        return f"{BROKEN_VI.get(kind, kind)} tại {place}"
    for english, words in _SAID_VI:
        broken = re.sub(english, words, broken)
    return broken
