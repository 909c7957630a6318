"""The lines of a report for people in a terminal, in Vietnamese and English."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.core.figures import Figures
from orchestrator.core.language import Language

if TYPE_CHECKING:
    from orchestrator.ledger.records import BudgetStatus
    from orchestrator.reports.analysis import Analysis
    from orchestrator.reports.goals import Goal
    from orchestrator.reports.ratings import Ratings
    from orchestrator.reports.recommendation import Recommendation
    from orchestrator.reports.resampling import Interval
    from orchestrator.reports.usage_report import UsageReport

_LOWEST_SHOWN = 3
_EN: Mapping[str, str] = {
    "empty": "Nothing was booked in {days}{whose}.",
    "fill": " 'orchestrator ask' books its first request; 'orchestrator demo' shows a filled report.",
    "one": "{count} request", "several": "{count} requests",
    "total": "{cost} for {requests}, {average} each on average",
    "shadows": "{cost} of it for shadows of experiments, which are no requests",
    "none_before": "nothing before, in {days}, to compare with",
    "no_trend": "nothing to compare with",
    "trend": "{change}; {days}: {cost} for {requests}",
    "ended": "{rate} succeeded ({failed} failed{probes}); {refused} refused before a send, {cancelled} cancelled",
    "answered": "{hits} from the cache, {joined} shared another's answer, {stale} got an older answer, "
    "{degraded} degraded, {average} on average{ranks}, {rate} requests an hour",
    "probes": ", {count} of doctor and health checks left out",
    "estimate": "{cost} of it is booked by estimate: an estimate",
    "bound": "{cost} of it is booked by bound: the most it can have cost: nobody can say whether it is billed",
    "feedback": "feedback: {average} of 5 on average ({scored}), {corrected} corrected",
    "score": "{count} score", "scores": "{count} scores",
    "lowest": "lowest rated: {names}",
    "goals": "goals: {goals}",
    "goal_saved_share": "{wanted} saved", "goal_success_rate": "{wanted} answered", "goal_rating": "rated {wanted}",
    "no_savings": "savings are not known: {reason}",
    "saved_against": "saved {total} against {baseline} for the same tokens ({share}): models {models}, "
    "{agreement}cache {cache}",
    "agreement": "agreement {amount}, ",
    "forecast": "forecast of {days}: {amount}, from {count} days",
    "unusual": "unusual: {day} cost {cost}, usually {usual}; most of it is tenant {tenant}, {use_case} on "
    "{model}: {rise} more",
    "few": "{amount} (too few days for an interval)", "between": "{amount} ({low} to {high})",
    "more": "and {count} more; --csv lists all",
    "saved": "saved a month: {amount}", "spent": "spent a month: {amount}", "none": "none a month: {amount}",
    "evidence": "{count} of {out_of} rows; {rows}", "risk": "risk: {risk}", "to": "{first} to {last}",
}  # fmt: skip
_VI: Mapping[str, str] = {
    "empty": "Không có gì được ghi trong {days}{whose}.",
    "fill": " 'orchestrator ask' ghi yêu cầu đầu tiên; 'orchestrator demo' cho xem một báo cáo đầy đủ.",
    "one": "{count} yêu cầu", "several": "{count} yêu cầu",
    "total": "{cost} cho {requests}, trung bình {average} mỗi yêu cầu",
    "shadows": "trong đó {cost} cho phần hỏi song song của thử nghiệm, không tính là yêu cầu",
    "none_before": "trước đó, {days}, chưa có gì để so sánh",
    "no_trend": "chưa có gì để so sánh",
    "trend": "{change}; {days}: {cost} cho {requests}",
    "ended": "{rate} thành công ({failed} bị lỗi{probes}); {refused} bị từ chối trước khi gửi, {cancelled} bị hủy",
    "answered": "{hits} từ bộ nhớ đệm, {joined} dùng chung câu trả lời, {stale} nhận câu trả lời cũ hơn, "
    "{degraded} bị giảm cấp, trung bình {average}{ranks}, {rate} yêu cầu mỗi giờ",
    "probes": ", không tính {count} lượt dò của doctor và kiểm tra sức khỏe",
    "estimate": "trong đó {cost} được ghi theo ước tính",
    "bound": "trong đó {cost} được ghi ở mức cao nhất có thể: không ai biết khoản này có bị tính tiền không",
    "feedback": "đánh giá: trung bình {average} trên 5 ({scored}), {corrected} câu được sửa",
    "score": "{count} điểm", "scores": "{count} điểm",
    "lowest": "bị đánh giá thấp nhất: {names}",
    "goals": "mục tiêu: {goals}",
    "goal_saved_share": "tiết kiệm {wanted}", "goal_success_rate": "trả lời được {wanted}",
    "goal_rating": "được đánh giá {wanted}",
    "no_savings": "chưa biết tiết kiệm được bao nhiêu: {reason}",
    "saved_against": "tiết kiệm {total} so với {baseline} cho cùng số token ({share}): mô hình {models}, "
    "{agreement}bộ nhớ đệm {cache}",
    "agreement": "đồng thuận {amount}, ",
    "forecast": "dự báo {days}: {amount}, từ {count} ngày",
    "unusual": "bất thường: {day} tốn {cost}, thường là {usual}; phần lớn là khách thuê {tenant}, {use_case} "
    "trên {model}: thêm {rise}",
    "few": "{amount} (quá ít ngày để có khoảng tin cậy)", "between": "{amount} (từ {low} đến {high})",
    "more": "và {count} mục nữa; --csv liệt kê tất cả",
    "saved": "tiết kiệm mỗi tháng: {amount}", "spent": "tốn thêm mỗi tháng: {amount}",
    "none": "không đổi chi phí mỗi tháng: {amount}",
    "evidence": "{count} trên {out_of} dòng; {rows}", "risk": "rủi ro: {risk}", "to": "{first} đến {last}",
}  # fmt: skip
LINES: Mapping[Language, Mapping[str, str]] = {Language.EN: _EN, Language.VI: _VI}

_TITLES_VI: Mapping[str, str] = {
    "model": "mô hình", "use case": "mục đích", "tenant": "khách thuê", "experiment": "thử nghiệm",
    "user": "người dùng", "tag": "nhãn", "sends": "lượt gửi", "requests": "yêu cầu", "share": "tỷ lệ",
    "cost": "chi phí", "average": "tr. bình", "latency": "độ trễ", "success": "đạt", "p50": "p50",
    "p95": "p95", "first p50": "đầu p50", "first p95": "đầu p95", "tokens/s": "token/s", "budget": "ngân sách",
    "window": "kỳ", "limit": "hạn mức", "spent": "đã chi", "held": "đang giữ", "left": "còn lại",
    "resets": "đặt lại", "hour": "giờ", "day": "ngày", "week": "tuần", "month": "tháng", "request": "mỗi yêu cầu",
    "run": "lượt chạy",
}  # fmt: skip


def title_in(title: str, language: Language) -> str:
    """Return the title of a column, or a window of a budget, in a language."""
    return title if language is Language.EN else _TITLES_VI[title]


def days_in(label: str, language: Language) -> str:
    """Return a range of days, `2026-11-01 to 2026-11-07`, in a language."""
    first, _, last = label.partition(" to ")
    return LINES[language]["to"].format(first=first, last=last) if last else label


def headlines(report: "UsageReport", language: Language = Language.EN) -> Iterator[str]:
    """Yield the totals of a report, one a line."""
    words, trend, figures = LINES[language], report.trend, Figures(language)
    yield words["total"].format(
        cost=figures.usd(report.cost_nusd),
        requests=_requests(report.requests, language),
        average=figures.usd(report.average_cost_nusd),
    )
    if report.experiments:
        yield words["shadows"].format(cost=figures.usd(report.experiments_nusd))
    before = days_in(trend.label, language)
    if trend.is_empty:
        yield words["none_before"].format(days=before)
    else:
        yield words["trend"].format(
            change=words["no_trend"]
            if trend.change is None
            else figures.said(f"{trend.change * 100:+.1f} %"),
            days=before,
            cost=figures.usd(trend.cost_nusd),
            requests=_requests(trend.requests, language),
        )
    yield _ends(report, language)
    yield _answers(report, language)
    yield from _feedback(report.ratings, language)
    for name in ("estimate", "bound"):
        if report.cost_by_source.get(name):
            yield words[name].format(cost=figures.usd(report.cost_by_source[name]))


def _requests(count: int, language: Language) -> str:
    return LINES[language]["one" if count == 1 else "several"].format(count=Figures(language).count(count))


def _ends(report: "UsageReport", language: Language) -> str:
    """Return how requests ended."""
    words, figures = LINES[language], Figures(language)
    counts = {
        name: figures.count(report.outcomes.get(name, 0)) for name in ("failed", "refused", "cancelled")
    }
    probes = words["probes"].format(count=figures.count(report.probes)) if report.probes else ""
    return words["ended"].format(rate=figures.share(report.success_rate), probes=probes, **counts)


def _answers(report: "UsageReport", language: Language) -> str:
    """Return whence answers came, and how soon."""
    words, figures, latency = LINES[language], Figures(language), report.latency
    ranks = (
        ""
        if latency is None
        else f" (p50 {figures.duration(latency.p50_s)}, p95 {figures.duration(latency.p95_s)})"
    )
    return words["answered"].format(
        hits=figures.count(report.cache_hits),
        joined=figures.count(report.joined),
        stale=figures.count(report.stale),
        degraded=figures.count(report.degraded),
        average=figures.duration(report.average_latency_s),
        ranks=ranks,
        rate=figures.rate(report.requests_per_hour),
    )


def _feedback(ratings: "Ratings", language: Language) -> Iterator[str]:
    """Yield what people thought of the answers, and of which least."""
    words, figures, total = LINES[language], Figures(language), ratings.total
    if not total.answers:
        return
    yield words["feedback"].format(
        average=figures.score(total.average_score),
        scored=words["score" if total.scored == 1 else "scores"].format(count=figures.count(total.scored)),
        corrected=figures.count(total.corrected),
    )
    scored = [(name, rating) for name, rating in ratings.use_cases.items() if rating.scored]
    if len(scored) > 1:
        lowest = (
            f"{name} {figures.score(rating.average_score)} ({figures.count(rating.scored)})"
            for name, rating in scored[:_LOWEST_SHOWN]
        )
        yield words["lowest"].format(names=", ".join(lowest))


def _goals(goals: "Sequence[Goal]", language: Language) -> str:
    """Return which goals are met."""
    from orchestrator.reports.report_words import REPORT_WORDS, figure_of

    words, of_page, figures = LINES[language], REPORT_WORDS[language], Figures(language)
    states = {True: of_page["met"], False: of_page["missed"], None: of_page["not_known"]}
    lines = []
    for goal in goals:
        named = words[f"goal_{goal.kind.value}"].format(wanted=figure_of(goal, goal.target, figures))
        reached = "" if goal.reached is None else f"{figure_of(goal, goal.reached, figures)}, "
        lines.append(f"{named}: {reached}{states[goal.is_met]}")
    return words["goals"].format(goals="; ".join(lines))


def findings(result: "Analysis", language: Language) -> Iterator[str]:
    """Yield what was saved, what is to come, and what was unusual, one a line."""
    from orchestrator.reports.report_words import phrase_in
    from orchestrator.reports.savings import share_text

    words, saved, figures = LINES[language], result.savings, Figures(language)
    if result.no_savings is not None:
        yield words["no_savings"].format(reason=phrase_in(result.no_savings, language))
    if saved is not None:
        yield words["saved_against"].format(
            total=_spread(saved.total.amount_nusd, saved.total.interval, language),
            baseline=saved.baseline,
            share=share_text(saved, figures),
            models=figures.usd(saved.model.amount_nusd),
            agreement=words["agreement"].format(amount=figures.usd(saved.agreement.amount_nusd))
            if saved.agreement.amount_nusd
            else "",
            cache=figures.usd(saved.cache.amount_nusd),
        )
    yield _goals(result.goals, language)
    for forecast in result.forecasts:
        amount = _spread(forecast.expected_nusd, forecast.interval, language)
        yield words["forecast"].format(days=forecast.label, amount=amount, count=forecast.history_days)
    for day in result.unusual:
        yield words["unusual"].format(
            day=day.day,
            cost=figures.usd(day.cost_nusd),
            usual=figures.usd(day.usual_nusd),
            tenant=day.tenant,
            use_case=day.use_case,
            model=day.model,
            rise=figures.usd(day.rise_nusd),
        )


def advice(change: "Recommendation", language: Language) -> Iterator[str]:
    """Yield what a recommendation is worth, which rows say so, and its risk, one a line."""
    from orchestrator.reports.report_words import REPORT_WORDS, phrase_in

    words, figures = LINES[language], Figures(language)
    if change.month_nusd:
        amount = _spread(change.month_nusd, change.interval, language)
        yield words[change.meaning.value].format(amount=amount)
    yield words["evidence"].format(
        count=figures.count(change.count),
        out_of=figures.count(change.out_of),
        rows=phrase_in(change.rows, language),
    )
    in_english = language is Language.EN
    risk = change.kind.risk if in_english else REPORT_WORDS[language][f"risk_{change.kind.value}"]
    yield words["risk"].format(risk=risk)


def resets_in(budget: "BudgetStatus", language: Language) -> str:
    """Return when a budget begins anew, in its own zone."""
    return f"{budget.resets_at:%d %b %H:%M}" if language is Language.EN else f"{budget.resets_at:%d/%m %H:%M}"


def _spread(amount: int, interval: "Interval | None", language: Language) -> str:
    words, figures = LINES[language], Figures(language)
    if interval is None:
        return words["few"].format(amount=figures.usd(amount))
    return words["between"].format(
        amount=figures.usd(amount), low=figures.usd(interval.low), high=figures.usd(interval.high)
    )
