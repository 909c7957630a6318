"""Quality against cost as one SVG: each policy a point, the reference and the proposal named."""

import math
from collections.abc import Sequence
from html import escape

from orchestrator.core.money import NanoUsd, format_usd
from orchestrator.evaluation.calibration import Calibration
from orchestrator.evaluation.candidates import Replayed

_WIDTH, _HEIGHT, _EDGE = 760, 440, 64
_COLOURS = {"constant": "#2563a6", "agreement": "#1b6e3c", "escalate": "#8a5a00"}
_TICKS = 4


def plot(done: Calibration) -> str:
    """Return the SVG; the cost axis is logarithmic, and the points are those of the confirming rows."""
    points = [(each, _per_thousand(each), _mean(each)) for each in done.all_replayed]
    if not points:
        return _svg([_text(_EDGE, _EDGE, done.reason)])
    costs = [max(cost, 1.0) for _, cost, _ in points]
    qualities = [quality for _, _, quality in points]
    across = _scale(math.log10(min(costs)), math.log10(max(costs)), _EDGE, _WIDTH - _EDGE)
    up = _scale(min(qualities), max(qualities), _HEIGHT - _EDGE, _EDGE)
    marked = {done.reference: "reference"}
    if done.proposed is not None:
        marked[done.proposed.replayed.name] = "proposed"
    parts = [*_axes(costs, qualities, across, up)]
    for each, cost, quality in points:
        x, y = across(math.log10(max(cost, 1.0))), up(quality)
        colour = _COLOURS[each.policy.kind]
        title = escape(f"{each.name}: {quality:.3f} at {format_usd(NanoUsd(round(cost)))} for 1,000")
        word = marked.get(each.policy.constant or "") or marked.get(each.name)
        radius = 7 if word else 4
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"><title>{title}</title></circle>'
        )
        if word:
            parts.append(
                _text(x + 10, y - 8, f"{word}: {each.name}", anchor="end" if x > _WIDTH / 2 else "start")
            )
    for place, (kind, colour) in enumerate(_COLOURS.items()):
        parts.append(_text(_EDGE + 110 * place, 24, f"● {kind}", colour=colour))
    return _svg(parts)


def _per_thousand(each: Replayed) -> float:
    """Return what 1,000 rows cost, in nano-dollars."""
    return 1000 * each.cost_nusd / len(each.scores)


def _mean(each: Replayed) -> float:
    return math.fsum(each.scores) / len(each.scores)


class _scale:  # noqa: N801 -- reads as the function that it is
    """Maps a range of values to a range of pixels."""

    def __init__(self, low: float, high: float, begin: float, end: float) -> None:
        room = (high - low) * 0.05 or 0.05
        self._low, self._size = low - room, high - low + 2 * room
        self._begin, self._end = begin, end

    def __call__(self, value: float) -> float:
        return self._begin + (value - self._low) / self._size * (self._end - self._begin)


def _axes(costs: Sequence[float], qualities: Sequence[float], across: _scale, up: _scale) -> list[str]:
    bottom = _HEIGHT - _EDGE
    parts = [
        f'<path d="M{_EDGE} {_EDGE}V{bottom}H{_WIDTH - _EDGE}" fill="none" stroke="#55606d"/>',
        _text(_WIDTH / 2, _HEIGHT - 14, "cost of 1,000 answers, logarithmic", anchor="middle"),
        _text(12, _EDGE - 14, "mean score"),
    ]
    for step in range(_TICKS + 1):
        share = step / _TICKS
        quality = min(qualities) + share * (max(qualities) - min(qualities))
        cost_log = math.log10(min(costs)) + share * (math.log10(max(costs)) - math.log10(min(costs)))
        parts.append(_text(_EDGE - 8, up(quality) + 4, f"{quality:.3f}", anchor="end"))
        label = format_usd(NanoUsd(round(10**cost_log)))
        parts.append(_text(across(cost_log), bottom + 20, label, anchor="middle"))
    return parts


def _text(x: float, y: float, words: str, *, anchor: str = "start", colour: str = "#1c2530") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def _svg(parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )
