"""Inputs of the chains and answers that are right for them."""

import json
from typing import Any

from chains import BulkItem, ContentBrief, CustomerQuestion, DataQuestion

ANSWER: dict[str, Any] = {
    "answer": "Dạ, đơn DH1001 đang giao, dự kiến đến ngày mai ạ.",
    "intent": "order_status",
    "urgency": "normal",
    "needs_human": False,
    "confidence_percent": 90,
}
DRAFT: dict[str, Any] = {
    "title": "Mừng chị quay lại",
    "body": "Nhập mã TET2027 để được giảm giá.",
    "call_to_action": "Mua ngay",
    "language": "vi",
}
FINDING: dict[str, Any] = {
    "summary": "Tháng 2 cao nhất.",
    "figures": [{"name": "Tháng 2", "value": 250.5, "unit": "triệu đồng"}],
    "caveats": [],
}
LABEL: dict[str, Any] = {"label": "khiếu nại", "confidence_percent": 80}

QUESTION = CustomerQuestion(
    question="Đơn DH1001 của tôi đâu rồi?", customer_name="Lan", facts=("DH1001: đang giao",)
)
BRIEF = ContentBrief(goal="Mời khách cũ quay lại", must_mention=("TET2027",))
TABLE = DataQuestion(question="Tháng nào cao nhất?", table_csv="thang,doanh_thu\n1,100\n2,250.5\n")
ITEM = BulkItem(text="Giao chậm quá!", labels=("khen", "khiếu nại", "hỏi giá"))

GOOD = {
    "customer_service": (QUESTION, ANSWER),
    "content_generation": (BRIEF, DRAFT),
    "data_analysis": (TABLE, FINDING),
    "cost_sensitive": (ITEM, LABEL),
}
"""For each chain an input and an answer that is right."""


def written(answer: dict[str, Any], /, **changed: Any) -> str:
    """Return an answer as a model writes it."""
    return json.dumps({**answer, **changed}, ensure_ascii=False)
