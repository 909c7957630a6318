"""The words of a report's page, in Vietnamese and English."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.core.figures import Figures
from orchestrator.core.language import Language
from orchestrator.reports.goals import GoalKind
from orchestrator.reports.phrase import Numeral, Phrase

if TYPE_CHECKING:
    from orchestrator.reports.goals import Goal
    from orchestrator.reports.recommendation import NotKnown, Recommendation
    from orchestrator.reports.usage_report import Filter

EN: Mapping[str, str] = {
    "title": "Report", "cost": "Cost", "requests": "Requests", "average": "Average", "success": "Success",
    "latency": "Latency", "before": "Before", "days": "Cost by day", "model": "Models", "use_case": "Use cases",
    "tenant": "Tenants", "user": "Users", "tag": "Tags", "name": "Name", "share": "Share", "sends": "Sends",
    "speed": "Performance", "first": "First token p50 / p95", "rate": "Output tokens a second",
    "per_hour": "Requests an hour", "none_before": "none", "without_probes": "Success, {probes} probes left out",
    "goals": "Goals", "wanted": "Wanted", "reached": "Reached", "met": "met", "missed": "missed",
    "not_known": "not known", "goal_saved_share": "Saved", "goal_success_rate": "Answered", "goal_rating": "Rating",
    "feedback": "Feedback", "rating": "Rating, of 5", "scores": "Scores", "corrected": "Corrected",
    "savings": "Savings", "by_model": "By cheaper models", "by_agreement": "By agreement of cheap models",
    "by_cache": "By the cache", "against": "Against {baseline} for the same tokens", "forecast": "Forecast",
    "so_far": "So far", "expected": "Expected", "interval": "90 % interval", "unusual": "Unusual days",
    "usual": "Usually", "cause": "Cause", "changes": "Recommendations", "none": "Nothing to change was found.",
    "not_looked": "Not looked for: {kinds}.",
    "unknown_repeated_prompts": "repeated prompts, because no row has a fingerprint ('record' is off, or they are older)",
    "unknown_common_prefixes": "common beginnings on {names}, whose price of cached tokens is not known",
    "unknown_batch_price": "batches on {names}, whose price of a batch is not known",
    "unknown_idle_commitments": "idle commitments, because config.yaml names none",
    "unknown_cheaper_model": "cheaper models for {names}, where neither 'orchestrator calibrate' nor 'eval --policy' has measured anything that holds",
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
    "rows_paid_failures": "attempts: deployment = '{deployment}', outcome = 'failed', cost_nusd > 0",
    "rows_refusing_limit": "operations: tenant = '{tenant}', error = 'BudgetExceededError'",
    "rows_unused_max_tokens": "attempts: scopes with 'use_case:{use_case}', outcome = 'succeeded', output_tokens <= {longest}",
    "rows_repeated_hourly": "operations: use_case = '{use_case}', outcome = 'succeeded', cached = 'miss'; as many of them "
    "had been asked in the same hour",
    "rows_repeated_daily": "operations: use_case = '{use_case}', outcome = 'succeeded', cached = 'miss'; as many of them "
    "had been asked on the same day, in another hour",
    "rows_common_prefixes": "attempts: deployment = '{deployment}', scopes with 'use_case:{use_case}', outcome = "
    "'succeeded'; as many of them begin as another in the same ten minutes, for {length} bytes at least",
    "rows_batch_price": "attempts: scopes with 'use_case:{use_case}', outcome = 'succeeded', of a background profile",
    "rows_idle_commitment": "attempts: provider = '{provider}', day between '{first}' and '{last}'",
    "rows_cheaper_model": "attempts: scopes with 'use_case:{use_case}', deployment = '{reference}'; {file} of {day}: on "
    "{count} rows of {rows}, which had not chosen it, quality differs by {mean} points of 100 (95 % interval {low} to "
    "{high}, margin {margin}) at {share} of the cost",
    "apply_paid_failures": "deployments:\n  {deployment}:\n    enabled: false    # until it answers again",
    "apply_refusing_limit": "budgets.limits: raise the limit that refuses, one of: {scopes}",
    "apply_unused_max_tokens": "use_cases:\n  {use_case}:\n    max_tokens: {lower}    # today {limit}",
    "apply_lifetime": "use_cases:\n  {use_case}:\n    cache_ttl_s: {needed}    # today {today}",
    "apply_ask_the_cache": "in the calls of this use case: cache='use'    # today 'off', 'refresh', or streams side by side",
    "apply_mark": "in the message with which the common part ends:\n"
    '  {{"type": "text", "text": ..., "cache_control": {{"type": "ephemeral"}}}}',
    "apply_keep_equal": "what changes (names, dates, ids) behind what is common, tools always in the same order,\n"
    "requests of one kind one after the other: the provider looks for equal beginnings by itself",
    "apply_batch_price": "by the batch API of the provider, which costs less:\n{discounts}",
    "apply_idle_commitment": "commitments:    # as agreed with {provider} for the time after {until}\n"
    "- provider: {provider}\n  usd_per_month: {needed}    # today {today}",
    "apply_cheaper_model": "use_cases:\n  {use_case}:\n    policy: {{file: {file}}}",
    "baseline_off": "{baseline}, which they are counted against, is off here: set its key, or name another in "
    "report.baseline",
    "unknown_baseline": "report.baseline in config.yaml names '{baseline}', which is no deployment of it",
    "compacted_month": "{month} is compacted and can only be reported as a whole: what is compacted is left out",
    "compacted_names": "{month} is compacted and no longer knows users and tags: what is compacted is left out",
    "range_before": "the range before: {notice}",
    "experiment": "Experiments: shadows", "experiments_cost": "Of it for experiments",
    "one_tenant": "tenant", "one_use_case": "use case", "one_user": "user", "one_tag": "tag",
}  # fmt: skip

VI: Mapping[str, str] = {
    "title": "Báo cáo", "cost": "Chi phí", "requests": "Yêu cầu", "average": "Trung bình",
    "success": "Thành công", "latency": "Độ trễ", "before": "Kỳ trước", "days": "Chi phí theo ngày",
    "model": "Mô hình", "use_case": "Mục đích sử dụng", "tenant": "Khách thuê", "user": "Người dùng",
    "tag": "Nhãn", "name": "Tên", "share": "Tỷ lệ", "sends": "Lượt gửi", "speed": "Hiệu năng",
    "first": "Token đầu tiên p50 / p95", "rate": "Token đầu ra mỗi giây", "per_hour": "Yêu cầu mỗi giờ",
    "none_before": "không có", "without_probes": "Thành công, không tính {probes} lần dò",
    "goals": "Mục tiêu", "wanted": "Mong muốn", "reached": "Đạt được", "met": "đạt", "missed": "chưa đạt",
    "not_known": "chưa biết", "goal_saved_share": "Tiết kiệm", "goal_success_rate": "Trả lời được",
    "goal_rating": "Đánh giá", "feedback": "Đánh giá của người dùng", "rating": "Điểm trên 5",
    "scores": "Số lượt chấm", "corrected": "Được sửa",
    "savings": "Tiết kiệm", "by_model": "Nhờ mô hình rẻ hơn", "by_agreement": "Nhờ mô hình rẻ đồng thuận", "by_cache": "Nhờ bộ nhớ đệm",
    "against": "So với {baseline} cho cùng số token", "forecast": "Dự báo", "so_far": "Đến nay",
    "expected": "Dự kiến", "interval": "Khoảng 90 %", "unusual": "Ngày bất thường", "usual": "Thường là",
    "cause": "Nguyên nhân", "changes": "Đề xuất", "none": "Không tìm thấy điều gì cần thay đổi.",
    "not_looked": "Không xét: {kinds}.",
    "unknown_repeated_prompts": "câu hỏi lặp lại, vì không dòng nào có dấu vân ('record' tắt, hoặc dữ liệu cũ hơn)",
    "unknown_common_prefixes": "phần đầu chung trên {names}, vì chưa biết giá của token đã lưu đệm",
    "unknown_batch_price": "xử lý theo lô trên {names}, vì chưa biết giá theo lô",
    "unknown_idle_commitments": "cam kết không dùng đến, vì config.yaml không ghi cam kết nào",
    "unknown_cheaper_model": "mô hình rẻ hơn cho {names}, vì chưa có phép đo nào của 'orchestrator calibrate' hay 'eval --policy' còn "
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
    "rows_paid_failures": "attempts: deployment = '{deployment}', outcome = 'failed', cost_nusd > 0",
    "rows_refusing_limit": "operations: tenant = '{tenant}', error = 'BudgetExceededError'",
    "rows_unused_max_tokens": "attempts: scopes có 'use_case:{use_case}', outcome = 'succeeded', output_tokens <= {longest}",
    "rows_repeated_hourly": "operations: use_case = '{use_case}', outcome = 'succeeded', cached = 'miss'; chừng ấy yêu cầu "
    "đã được hỏi trong cùng giờ đó",
    "rows_repeated_daily": "operations: use_case = '{use_case}', outcome = 'succeeded', cached = 'miss'; chừng ấy yêu cầu "
    "đã được hỏi trong cùng ngày, vào giờ khác",
    "rows_common_prefixes": "attempts: deployment = '{deployment}', scopes có 'use_case:{use_case}', outcome = "
    "'succeeded'; chừng ấy lượt gửi có phần đầu giống một lượt khác trong cùng mười phút, ít nhất {length} byte",
    "rows_batch_price": "attempts: scopes có 'use_case:{use_case}', outcome = 'succeeded', thuộc chế độ chạy nền",
    "rows_idle_commitment": "attempts: provider = '{provider}', day từ '{first}' đến '{last}'",
    "rows_cheaper_model": "attempts: scopes có 'use_case:{use_case}', deployment = '{reference}'; {file} ngày {day}: trên "
    "{count} trong {rows} dòng, là những dòng không dùng để chọn nó, chất lượng chênh {mean} điểm trên 100 (khoảng 95 % "
    "từ {low} đến {high}, biên {margin}) với {share} chi phí",
    "apply_paid_failures": "deployments:\n  {deployment}:\n    enabled: false    # cho đến khi nó trả lời lại",
    "apply_refusing_limit": "budgets.limits: nâng hạn mức đang từ chối, một trong số: {scopes}",
    "apply_unused_max_tokens": "use_cases:\n  {use_case}:\n    max_tokens: {lower}    # hiện là {limit}",
    "apply_lifetime": "use_cases:\n  {use_case}:\n    cache_ttl_s: {needed}    # hiện là {today}",
    "apply_ask_the_cache": "trong các lời gọi của mục đích này: cache='use'    # hiện là 'off', 'refresh', hoặc nhiều luồng "
    "cùng lúc",
    "apply_mark": "trong tin nhắn kết thúc phần chung:\n"
    '  {{"type": "text", "text": ..., "cache_control": {{"type": "ephemeral"}}}}',
    "apply_keep_equal": "phần thay đổi (tên, ngày, mã số) đặt sau phần chung, công cụ luôn theo một thứ tự,\n"
    "các yêu cầu cùng loại gửi liền nhau: nhà cung cấp tự tìm phần đầu giống nhau",
    "apply_batch_price": "qua API xử lý theo lô của nhà cung cấp, rẻ hơn:\n{discounts}",
    "apply_idle_commitment": "commitments:    # theo thỏa thuận với {provider} cho thời gian sau {until}\n"
    "- provider: {provider}\n  usd_per_month: {needed}    # hiện là {today}",
    "apply_cheaper_model": "use_cases:\n  {use_case}:\n    policy: {{file: {file}}}",
    "baseline_off": "{baseline}, mốc để so sánh, đang tắt ở đây: hãy đặt khóa của nó, hoặc nêu mốc khác trong "
    "report.baseline",
    "unknown_baseline": "report.baseline trong config.yaml nêu '{baseline}', mà ở đó không có điểm triển khai này",
    "compacted_month": "{month} đã được nén và chỉ báo cáo được trọn tháng: phần đã nén không được tính",
    "compacted_names": "{month} đã được nén và không còn biết người dùng và nhãn: phần đã nén không được tính",
    "range_before": "kỳ trước: {notice}",
    "experiment": "Thử nghiệm: hỏi song song", "experiments_cost": "Trong đó cho thử nghiệm",
    "one_tenant": "khách thuê", "one_use_case": "mục đích", "one_user": "người dùng", "one_tag": "nhãn",
}  # fmt: skip


REPORT_WORDS: Mapping[Language, Mapping[str, str]] = {Language.EN: EN, Language.VI: VI}


def phrase_in(phrase: Phrase, language: Language) -> str:
    """Return a text with its names and numbers, in a language."""
    facts = {name: _fact_in(fact, language) for name, fact in phrase.facts.items()}
    return REPORT_WORDS[language][phrase.key].format(**facts)


def _fact_in(fact: str | int | Numeral | Phrase, language: Language) -> str | int:
    match fact:
        case Phrase():
            return phrase_in(fact, language)
        case Numeral(text):
            return Figures(language).said(text)
    return fact


def filter_in(of: "Filter", language: Language) -> str:
    """Return whose requests are meant, empty where they are everybody's."""
    words = REPORT_WORDS[language]
    named = ((kind, getattr(of, kind)) for kind in ("tenant", "use_case", "user", "tag"))
    return ", ".join(f"{words[f'one_{kind}']} {name}" for kind, name in named if name is not None)


def title_of(change: "Recommendation", language: Language) -> str:
    """Return what a recommendation says, in a sentence."""
    return REPORT_WORDS[language][change.kind.value].format(subject=change.subject, figure=change.figure)


def not_looked_for(items: "Sequence[NotKnown]", language: Language) -> str:
    """Return what was not looked for, and why, in a sentence."""
    words = REPORT_WORDS[language]
    kinds = (words[f"unknown_{item.kind}"].format(names=", ".join(item.names)) for item in items)
    return words["not_looked"].format(kinds="; ".join(kinds))


def figure_of(goal: "Goal", number: float | None, figures: Figures) -> str:
    """Return what is wanted of a goal, or what came: a score, or a share of 1."""
    return figures.score(number) if goal.kind is GoalKind.RATING else figures.exact_share(number)


def spread(amount: int, bounds: tuple[int, int] | None, few: str, figures: Figures) -> str:
    """Return an amount with its interval."""
    if bounds is None:
        return f"{figures.usd(amount)} ({few})"
    return f"{figures.usd(amount)} ({figures.usd(bounds[0])} – {figures.usd(bounds[1])})"
