"""Amounts, shares, durations and counts for people, with the marks of their language."""

from dataclasses import dataclass

from orchestrator.core.formatting import percent, rate_text, seconds
from orchestrator.core.language import Language
from orchestrator.core.money import format_usd

_SWAPPED = str.maketrans(",.", ".,")


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers as a language writes them: `1,234.5` in English is `1.234,5` in Vietnamese."""

    language: Language = Language.EN

    def said(self, number: str) -> str:
        """Return a number that was written in English, and nothing but a number."""
        return number.translate(_SWAPPED) if self.language is Language.VI else number

    def usd(self, amount: int | None) -> str:
        """Return nano-dollars as `$2,500.00`, or a dash for what is not known."""
        return "-" if amount is None else self.said(format_usd(amount))

    def share(self, share: float | None) -> str:
        """Return `98.5 %`, or a dash for what is not known."""
        return self.said(percent(share))

    def exact_share(self, share: float | None) -> str:
        """Return a share of 1 where a thousandth matters, `99.95 %` or `100 %`."""
        return "-" if share is None else self.said(f"{round(share * 100, 2):g} %")

    def score(self, score: float | None) -> str:
        """Return a score of 1 to 5, `4.25` or `5`."""
        return "-" if score is None else self.said(f"{round(score, 2):g}")

    def duration(self, duration_s: float | None) -> str:
        """Return `0.42 s`, or a dash for what is not known."""
        return self.said(seconds(duration_s))

    def count(self, count: int) -> str:
        """Return `1,234`."""
        return self.said(f"{count:,}")

    def rate(self, rate: float) -> str:
        """Return `12.5`, and `<0.1` of what would read as nothing."""
        return self.said(rate_text(rate))
