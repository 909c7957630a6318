"""Kinds that the ledger keeps, as a page says them: why a send failed, why a deployment was left out."""

from collections.abc import Mapping

from orchestrator.core.language import Language
from orchestrator.core.vietnamese import FAILURES_VI

KINDS_VI: Mapping[str, str] = {
    **FAILURES_VI,
    # Why a deployment stands where it stands, or is left out.
    "pinned": "được nêu tên", "route": "theo tuyến", "strength": "thế mạnh", "beyond_route": "ngoài tuyến",
    "below_quality_floor": "dưới mức chất lượng", "clamped": "giảm max_tokens", "hosts": "máy chủ được chọn",
    "reserve": "dự bị", "off": "đang tắt", "other_model_pinned": "yêu cầu nêu mô hình khác",
    "never_degrades": "không được giảm cấp", "budget_tier": "dành cho lúc ngân sách còn nhiều",
    "language": "ngôn ngữ", "region": "khu vực", "data_policy": "chính sách dữ liệu", "capability": "thiếu khả năng",
    "context": "ngữ cảnh quá nhỏ", "ended": "đã ngừng", "too_dear": "quá đắt", "rather_refused": "thà từ chối",
    "circuit_open": "ngắt mạch", "provider_circuit_open": "nhà cung cấp bị ngắt mạch",
    "low_availability": "ít sẵn sàng", "behind": "xếp sau",
    # Where a cost is known from.
    "provider": "nhà cung cấp", "price_book": "bảng giá", "estimate": "ước tính", "bound": "mức tối đa",
    "none": "không tính tiền", "operator": "người vận hành",
    # What the cache did.
    "miss": "không có sẵn", "hit": "có sẵn", "joined": "dùng chung", "replayed": "lặp lại", "stale": "đã cũ",
    "degraded": "giảm cấp",
}  # fmt: skip


def kind_in(kind: str, language: Language) -> str:
    """Return a kind in words; one that another version kept stands as it is."""
    spaced = kind.replace("_", " ")
    return KINDS_VI.get(kind, spaced) if language is Language.VI else spaced
