"""The words of an evaluation's page, in Vietnamese and English."""

from collections.abc import Mapping

from orchestrator.core.language import Language

PAGE_EN: Mapping[str, str] = {
    "title": "Evaluation", "passed": "passed", "failed": "not passed", "subject": "Subject", "rows": "Rows",
    "score": "Mean score", "interval": "95 % interval", "beside": "Beside the first", "cost": "Cost",
    "latency": "Latency (median)", "no_answer": "No answer", "unscored": "No score", "row": "Row",
    "asked": "Asked", "expected": "Expected", "differing": "Rows where the subjects differ",
    "wrong": "Other rows that are not right", "right": "All other rows are right everywhere.",
    "more": "and {count} more rows; the JSON and the file of results hold all",
    "practice": "The answers are of practice providers: they show the way, and nothing of a model's quality.",
    "marks": "Words that are not expected are marked; so are expected words that are missing.",
}  # fmt: skip

PAGE_VI: Mapping[str, str] = {
    "title": "Đánh giá", "passed": "đạt", "failed": "không đạt", "subject": "Đối tượng", "rows": "Số dòng",
    "score": "Điểm trung bình", "interval": "Khoảng 95 %", "beside": "So với đối tượng đầu", "cost": "Chi phí",
    "latency": "Độ trễ (trung vị)", "no_answer": "Không trả lời", "unscored": "Không có điểm", "row": "Dòng",
    "asked": "Câu hỏi", "expected": "Đáp án", "differing": "Các dòng có kết quả khác nhau",
    "wrong": "Các dòng khác chưa đúng", "right": "Mọi dòng còn lại đều đúng.",
    "more": "và {count} dòng nữa; JSON và tệp kết quả có đầy đủ",
    "practice": "Câu trả lời do nhà cung cấp giả lập viết: chỉ để làm thử, không nói gì về chất lượng mô hình.",
    "marks": "Từ thừa so với đáp án được đánh dấu, từ còn thiếu cũng vậy.",
}  # fmt: skip


def page_words(language: Language) -> Mapping[str, str]:
    """Return the words of a page in a language."""
    return PAGE_VI if language is Language.VI else PAGE_EN
