"""The words of a report's page, in Vietnamese and English."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.core.language import Language
from orchestrator.core.money import format_usd

if TYPE_CHECKING:
    from orchestrator.reports.recommendation import NotKnown, Recommendation

EN: Mapping[str, str] = {
    "title": "Report", "cost": "Cost", "requests": "Requests", "average": "Average", "success": "Success",
    "latency": "Latency", "before": "Before", "days": "Cost by day", "model": "Models", "use_case": "Use cases",
    "tenant": "Tenants", "user": "Users", "tag": "Tags", "name": "Name", "share": "Share", "sends": "Sends",
    "speed": "Performance", "first": "First token p50 / p95", "rate": "Output tokens a second",
    "per_hour": "Requests an hour", "savings": "Savings", "by_model": "By cheaper models",
    "by_cache": "By the cache", "against": "Against {baseline} for the same tokens", "forecast": "Forecast",
    "so_far": "So far", "expected": "Expected", "interval": "90 % interval", "unusual": "Unusual days",
    "usual": "Usually", "cause": "Cause", "changes": "Recommendations", "none": "Nothing to change was found.",
    "not_looked": "Not looked for: {kinds}.",
    "unknown_repeated_prompts": "repeated prompts, because no row has a fingerprint ('record' is off, or they are older)",
    "unknown_common_prefixes": "common beginnings on {names}, whose price of cached tokens is not known",
    "unknown_batch_price": "batches on {names}, whose price of a batch is not known",
    "unknown_idle_commitments": "idle commitments, because config.yaml names none",
    "unknown_cheaper_model": "cheaper models for {names}, where 'orchestrator calibrate' has measured nothing that holds",
    "saved": "Saved a month", "spent": "It costs a month", "evidence": "{count} of {out_of} rows", "risk": "Risk",
    "apply": "To apply it", "empty": "Nothing was booked in this time.", "unknown": "Not known: {reason}",
    "paid_failures": "{subject} fails, and its failures cost money",
    "refusing_limit": "A limit refuses requests of {subject}, whose other requests succeed",
    "unused_max_tokens": "No answer of {subject} came near its max_tokens: the longest had {figure} tokens",
    "repeated_prompts": "{subject} asks the same again, and pays again",
    "common_prefixes": "Prompts of {subject} begin alike, and are paid in full",
    "batch_price": "Nobody waits for {subject}, and a batch costs less",
    "idle_commitment": "What was committed to {subject} is not used up",
    "cheaper_model": "A cheaper policy for {subject} was measured to be no worse, on {figure} rows",
    "risk_paid_failures": "Requests that it would have answered go to the next deployment, which may cost more.",
    "risk_refusing_limit": "The limit may be meant: this money would be spent.",
    "risk_unused_max_tokens": "An answer longer than any so far is cut off.",
    "risk_repeated_prompts": "Who asks again gets the answer of before, also where another was wanted.",
    "risk_common_prefixes": "Storing a beginning costs more than reading it once, where it is not asked again in "
    "minutes.",
    "risk_batch_price": "An answer may take a day, and this program sends no batch: its budgets do not hold for them.",
    "risk_idle_commitment": "A smaller commitment may lose its discount, and what goes beyond it pays the list.",
    "risk_cheaper_model": "It was measured on the rows of then: where what is asked changes, measure again.",
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
    "not_looked": "Không xét: {kinds}.",
    "unknown_repeated_prompts": "câu hỏi lặp lại, vì không dòng nào có dấu vân ('record' tắt, hoặc dữ liệu cũ hơn)",
    "unknown_common_prefixes": "phần đầu chung trên {names}, vì chưa biết giá của token đã lưu đệm",
    "unknown_batch_price": "xử lý theo lô trên {names}, vì chưa biết giá theo lô",
    "unknown_idle_commitments": "cam kết không dùng đến, vì config.yaml không ghi cam kết nào",
    "unknown_cheaper_model": "mô hình rẻ hơn cho {names}, vì chưa có phép đo nào của 'orchestrator calibrate' còn "
    "hiệu lực",
    "saved": "Tiết kiệm mỗi tháng", "spent": "Tốn thêm mỗi tháng", "evidence": "{count} trên {out_of} dòng",
    "risk": "Rủi ro", "apply": "Cách áp dụng", "empty": "Không có gì được ghi trong thời gian này.",
    "unknown": "Chưa biết: {reason}",
    "paid_failures": "{subject} bị lỗi, và các lần lỗi vẫn tốn tiền",
    "refusing_limit": "Một hạn mức từ chối yêu cầu của {subject}, trong khi các yêu cầu khác đều thành công",
    "unused_max_tokens": "Không câu trả lời nào của {subject} gần tới max_tokens: dài nhất là {figure} token",
    "repeated_prompts": "{subject} hỏi lại đúng câu cũ, và trả tiền lần nữa",
    "common_prefixes": "Câu hỏi của {subject} có phần đầu giống nhau, mà vẫn trả đủ giá",
    "batch_price": "Không ai chờ {subject}, và xử lý theo lô thì rẻ hơn",
    "idle_commitment": "Phần đã cam kết với {subject} không được dùng hết",
    "cheaper_model": "Một chính sách rẻ hơn cho {subject} đã được đo là không kém hơn, trên {figure} dòng",
    "risk_paid_failures": "Yêu cầu lẽ ra được trả lời ở đây sẽ sang nơi tiếp theo, có thể đắt hơn.",
    "risk_refusing_limit": "Hạn mức có thể là chủ ý: khoản tiền này sẽ được chi.",
    "risk_unused_max_tokens": "Câu trả lời dài hơn mọi câu trước đây sẽ bị cắt.",
    "risk_repeated_prompts": "Người hỏi lại nhận câu trả lời trước đó, kể cả khi muốn câu khác.",
    "risk_common_prefixes": "Lưu phần đầu tốn hơn một lần đọc, nếu nó không được hỏi lại trong vài phút.",
    "risk_batch_price": "Câu trả lời có thể mất một ngày, và chương trình này không gửi lô nào: hạn mức của nó "
    "không áp dụng cho các lô đó.",
    "risk_idle_commitment": "Cam kết nhỏ hơn có thể mất giảm giá, và phần vượt quá phải trả theo bảng giá.",
    "risk_cheaper_model": "Nó được đo trên các dòng lúc đó: khi nội dung câu hỏi thay đổi, hãy đo lại.",
    "few": "quá ít ngày", "more": "và {count} mục nữa: --csv liệt kê tất cả",
}  # fmt: skip


def words_of(language: Language) -> Mapping[str, str]:
    """Return the words of a language."""
    return VI if language is Language.VI else EN


def title_of(change: "Recommendation", language: Language) -> str:
    """Return what a recommendation says, in a sentence."""
    return words_of(language)[change.kind.value].format(subject=change.subject, figure=change.figure)


def not_looked_for(items: "Sequence[NotKnown]", language: Language) -> str:
    """Return what was not looked for, and why, in a sentence."""
    words = words_of(language)
    kinds = (words[f"unknown_{item.kind}"].format(names=", ".join(item.names)) for item in items)
    return words["not_looked"].format(kinds="; ".join(kinds))


def spread(amount: int, bounds: tuple[int, int] | None, few: str) -> str:
    """Return an amount with its interval."""
    if bounds is None:
        return f"{format_usd(amount)} ({few})"
    return f"{format_usd(amount)} ({format_usd(bounds[0])} – {format_usd(bounds[1])})"
