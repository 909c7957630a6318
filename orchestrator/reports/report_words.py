"""The words of a report's page, in Vietnamese and English."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.core.language import Language
from orchestrator.core.money import format_usd

if TYPE_CHECKING:
    from orchestrator.reports.recommendations import Recommendation

EN: Mapping[str, str] = {
    "title": "Report", "cost": "Cost", "requests": "Requests", "average": "Average", "success": "Success",
    "latency": "Latency", "before": "Before", "days": "Cost by day", "model": "Models", "use_case": "Use cases",
    "tenant": "Tenants", "user": "Users", "tag": "Tags", "name": "Name", "share": "Share", "sends": "Sends",
    "speed": "Performance", "first": "First token p50 / p95", "rate": "Output tokens a second",
    "per_hour": "Requests an hour", "savings": "Savings", "by_model": "By cheaper models",
    "by_cache": "By the cache", "against": "Against {baseline} for the same tokens", "forecast": "Forecast",
    "so_far": "So far", "expected": "Expected", "interval": "90 % interval", "unusual": "Unusual days",
    "usual": "Usually", "cause": "Cause", "changes": "Recommendations", "none": "Nothing to change was found.",
    "not_looked": "Not looked for, because the rows cannot show it: repeated prompts, common beginnings of "
    "prompts, batch prices, idle commitments, and cheaper models, whose quality is not measured yet.",
    "saved": "Saved a month", "spent": "It costs a month", "evidence": "{count} of {out_of} rows", "risk": "Risk",
    "apply": "To apply it", "empty": "Nothing was booked in this time.", "unknown": "Not known: {reason}",
    "paid_failures": "{subject} fails, and its failures cost money",
    "refusing_limit": "A limit refuses requests of {subject}, whose other requests succeed",
    "unused_max_tokens": "No answer of {subject} came near its max_tokens: the longest had {figure} tokens",
    "risk_paid_failures": "Requests that it would have answered go to the next deployment, which may cost more.",
    "risk_refusing_limit": "The limit may be meant: this money would be spent.",
    "risk_unused_max_tokens": "An answer longer than any so far is cut off.",
    "few": "too few days", "more": "and {count} more: --csv lists all",
}  # fmt: skip

VI: Mapping[str, str] = {
    "title": "Báo cáo", "cost": "Chi phí", "requests": "Yêu cầu", "average": "Trung bình",
    "success": "Thành công", "latency": "Độ trễ", "before": "Kỳ trước", "days": "Chi phí theo ngày",
    "model": "Mô hình", "use_case": "Mục đích sử dụng", "tenant": "Khách thuê", "user": "Người dùng",
    "tag": "Nhãn", "name": "Tên", "share": "Tỷ lệ", "sends": "Lượt gửi", "speed": "Hiệu năng",
    "first": "Token đầu tiên p50 / p95", "rate": "Token đầu ra mỗi giây", "per_hour": "Yêu cầu mỗi giờ",
    "savings": "Tiết kiệm", "by_model": "Nhờ mô hình rẻ hơn", "by_cache": "Nhờ bộ nhớ đệm",
    "against": "So với {baseline} cho cùng số token", "forecast": "Dự báo", "so_far": "Đến nay",
    "expected": "Dự kiến", "interval": "Khoảng 90 %", "unusual": "Ngày bất thường", "usual": "Thường là",
    "cause": "Nguyên nhân", "changes": "Đề xuất", "none": "Không tìm thấy điều gì cần thay đổi.",
    "not_looked": "Không xét, vì dữ liệu không cho biết: câu hỏi lặp lại, phần đầu chung của câu hỏi, giá theo "
    "lô, cam kết không dùng đến, và mô hình rẻ hơn, vì chất lượng chưa được đo.",
    "saved": "Tiết kiệm mỗi tháng", "spent": "Tốn thêm mỗi tháng", "evidence": "{count} trên {out_of} dòng",
    "risk": "Rủi ro", "apply": "Cách áp dụng", "empty": "Không có gì được ghi trong thời gian này.",
    "unknown": "Chưa biết: {reason}",
    "paid_failures": "{subject} bị lỗi, và các lần lỗi vẫn tốn tiền",
    "refusing_limit": "Một hạn mức từ chối yêu cầu của {subject}, trong khi các yêu cầu khác đều thành công",
    "unused_max_tokens": "Không câu trả lời nào của {subject} gần tới max_tokens: dài nhất là {figure} token",
    "risk_paid_failures": "Yêu cầu lẽ ra được trả lời ở đây sẽ sang nơi tiếp theo, có thể đắt hơn.",
    "risk_refusing_limit": "Hạn mức có thể là chủ ý: khoản tiền này sẽ được chi.",
    "risk_unused_max_tokens": "Câu trả lời dài hơn mọi câu trước đây sẽ bị cắt.",
    "few": "quá ít ngày", "more": "và {count} mục nữa: --csv liệt kê tất cả",
}  # fmt: skip


def words_of(language: Language) -> Mapping[str, str]:
    """Return the words of a language."""
    return VI if language is Language.VI else EN


def title_of(change: "Recommendation", language: Language) -> str:
    """Return what a recommendation says, in a sentence."""
    return words_of(language)[change.kind.value].format(subject=change.subject, figure=change.figure)


def spread(amount: int, bounds: tuple[int, int] | None, few: str) -> str:
    """Return an amount with its interval."""
    if bounds is None:
        return f"{format_usd(amount)} ({few})"
    return f"{format_usd(amount)} ({format_usd(bounds[0])} – {format_usd(bounds[1])})"
