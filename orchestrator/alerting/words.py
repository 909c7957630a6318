"""An alert in words: Vietnamese and English, one headline and one sentence, of facts alone."""

from collections.abc import Mapping

from orchestrator.core.alerts import (
    Alert,
    AlertFacts,
    AlertKind,
    AlertState,
    LatencyFacts,
    RateFacts,
    SpendFacts,
    SubjectFacts,
)
from orchestrator.core.figures import Figures
from orchestrator.core.language import Language
from orchestrator.core.payer import shown_scope
from orchestrator.core.visible_text import visible

ALERT_CHARS_MAX = 3000
"""Characters of one message: Telegram takes 4,096."""

_HEADLINES: Mapping[AlertKind, tuple[str, str]] = {
    AlertKind.EXCESS: ("Nhà cung cấp tính phí vượt mức đã giữ", "A provider charged more than was held"),
    AlertKind.BOOKED_LATE: ("Sổ cái chưa ghi được", "The ledger could not be written yet"),
    AlertKind.LEDGER_UNAVAILABLE: ("Không dùng được sổ cái", "The ledger cannot be used"),
    AlertKind.BUDGET: ("Ngân sách chạm mốc", "A budget has passed a mark"),
    AlertKind.PROJECTED_OVERRUN: ("Ngân sách có thể vượt hạn mức", "A budget will probably be used up"),
    AlertKind.PROVIDER_DOWN: ("Nhà cung cấp ngừng hoạt động", "A provider is down"),
    AlertKind.CIRCUIT_OPEN: ("Đã ngắt mạch một mô hình", "The circuit of a deployment is open"),
    AlertKind.FALLBACK_RATE: ("Nhiều câu trả lời phải dùng dự phòng", "Many answers are fallbacks"),
    AlertKind.ERROR_RATE: ("Nhiều yêu cầu thất bại", "Many requests fail"),
    AlertKind.LATENCY: ("Trả lời chậm", "Answers are slow"),
    AlertKind.UNUSUAL_SPEND: ("Chi tiêu bất thường", "Unusual spend"),
    AlertKind.PRICE_CHANGE: ("Giá đã thay đổi", "A price has changed"),
    AlertKind.MODEL_ENDED: ("Mô hình đã quá ngày ngừng", "A model is past its end date"),
    AlertKind.LEDGER_DIFFERENCE: ("Sổ cái có chênh lệch", "The ledger has a difference"),
    AlertKind.EXPERIMENT_WORSE: (
        "Thử nghiệm kém hơn, đã hoàn tác",
        "An experiment is worse, and rolled back",
    ),
    AlertKind.EMERGENCY_MODEL: ("Mô hình khẩn cấp đang trả lời", "The emergency model is answering"),
}
_STATES: Mapping[AlertState, tuple[str, str]] = {
    AlertState.BEGAN: ("CẢNH BÁO", "ALERT"),
    AlertState.STILL: ("VẪN CÒN", "STILL"),
    AlertState.OVER: ("ĐÃ HẾT", "OVER"),
    AlertState.TEST: ("THỬ NGHIỆM", "TEST"),
}


def headline(alert: Alert, language: Language) -> str:
    """Return `[ALERT] A provider is down: openrouter`."""
    place = 0 if language is Language.VI else 1
    subject = _subject(alert.facts)
    words = f"[{_STATES[alert.state][place]}] {_HEADLINES[alert.kind][place]}"
    return visible(f"{words}: {subject}" if subject else words)


def sentence(alert: Alert, language: Language) -> str:
    """Return what was measured, or the message of an alert that has no facts."""
    if alert.facts is None:
        return visible(alert.message)
    measured = sentence_of(alert.facts, language)
    if alert.state is AlertState.OVER:
        # These are the facts of the last moment at which it held.
        measured = f"{'trước khi hết' if language is Language.VI else 'before it was over'}: {measured}"
    return visible(measured)


def sentence_of(facts: AlertFacts, language: Language) -> str:
    """Return what was measured."""
    is_vi, figures = language is Language.VI, Figures(language)
    match facts:
        case SpendFacts():
            return _spend(facts, language)
        case RateFacts():
            share, above = figures.share(facts.share), figures.share(facts.above_share)
            window = figures.said(f"{facts.window_s / 60:g}")
            if is_vi:
                return f"{shown_scope(facts.scope)}: {share} của {facts.requests} yêu cầu trong {window} phút; ngưỡng {above}"
            return f"{shown_scope(facts.scope)}: {share} of {facts.requests} requests in {window} min; the threshold is {above}"
        case LatencyFacts():
            window, slowest = figures.said(f"{facts.window_s / 60:g}"), figures.said(f"{facts.p95_s:.1f} s")
            above = figures.said(f"{facts.above_s:g} s")
            if is_vi:
                return (
                    f"{shown_scope(facts.scope)}: 5 % chậm nhất của {facts.requests} yêu cầu trong {window} phút mất ít nhất "
                    f"{slowest}; ngưỡng {above}"
                )
            return (
                f"{shown_scope(facts.scope)}: the slowest 5 % of {facts.requests} requests in {window} min took at least "
                f"{slowest}; the threshold is {above}"
            )
        case SubjectFacts():
            return f"{facts.name}: {facts.detail}" if facts.detail else facts.name


def _spend(facts: SpendFacts, language: Language) -> str:
    is_vi, figures = language is Language.VI, Figures(language)
    spent, compared = figures.usd(facts.spent_nusd), figures.usd(facts.compared_nusd)
    words = f"{shown_scope(facts.scope)}, {facts.period}: "
    if facts.projected_nusd is not None:
        projected = figures.usd(facts.projected_nusd)
        if is_vi:
            return f"{words}đã chi {spent}, dự kiến {projected} đến hết kỳ; hạn mức {compared}"
        return f"{words}{spent} spent, {projected} expected by the end; the limit is {compared}"
    if facts.percent is not None:
        if is_vi:
            return f"{words}đã chi {spent}, quá {facts.percent} % của hạn mức {compared}"
        return f"{words}{spent} spent, past {facts.percent} % of the limit of {compared}"
    words += (
        f"đã chi {spent}, ngày thường {compared}" if is_vi else f"{spent} spent, usually {compared} a day"
    )
    if facts.cause is None:
        return words
    return (
        f"{words}; chủ yếu do {shown_scope(facts.cause)}"
        if is_vi
        else f"{words}; mostly by {shown_scope(facts.cause)}"
    )


def alert_text(alert: Alert, language: Language) -> str:
    """Return the whole message of one alert."""
    lines = [headline(alert, language), sentence(alert, language)]
    if alert.rule is not None:
        rule = "Quy tắc" if language is Language.VI else "Rule"
        lines.append(f"{rule} {alert.rule}, {alert.at:%Y-%m-%d %H:%M:%S %Z}")
    return "\n".join(lines)[:ALERT_CHARS_MAX]


def digest_of(
    alerts: tuple[Alert, ...], counts: Mapping[AlertKind, int], *, dropped: int, language: Language
) -> str:
    """Return one message for many alerts: how many of each kind, and the headlines that fit."""
    place = 0 if language is Language.VI else 1
    total = sum(counts.values())
    first = f"{total} cảnh báo cùng lúc" if place == 0 else f"{total} alerts at once"
    if dropped:
        tail = f"; {dropped} không kể chi tiết" if place == 0 else f"; {dropped} of them without details"
        first += tail
    lines = [first, *(f"{count} × {_HEADLINES[kind][place]}" for kind, count in counts.items())]
    size = sum(map(len, lines))
    for alert in alerts:
        line = headline(alert, language)
        size += len(line) + 1
        if size > ALERT_CHARS_MAX:
            lines.append("…")
            break
        lines.append(line)
    return "\n".join(lines)


def _subject(facts: AlertFacts | None) -> str:
    match facts:
        case None:
            return ""
        case SubjectFacts():
            return facts.name
        case SpendFacts(percent=percent) if percent is not None:
            return f"{shown_scope(facts.scope)} {facts.period}, {percent} %"
        case SpendFacts():
            return f"{shown_scope(facts.scope)} {facts.period}"
        case RateFacts() | LatencyFacts():
            return shown_scope(facts.scope)
