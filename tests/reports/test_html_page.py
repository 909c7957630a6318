"""The page: whole in itself, in both languages, and with nothing in it that a name could start."""

import re
from datetime import date
from html.parser import HTMLParser

import pytest

from orchestrator.core.language import Language
from orchestrator.core.reply import Outcome
from orchestrator.ledger.reader import LedgerReader
from orchestrator.reports.analysis import Analysis
from orchestrator.reports.html_page import report_page
from orchestrator.reports.phrase import Phrase
from orchestrator.reports.recommendation import MoneyMeaning, NotKnown, Recommendation, RecommendationKind
from orchestrator.reports.report_words import EN, VI
from orchestrator.reports.resampling import Interval
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import usage_report

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
TODAY = date(2026, 11, 23)


def _analysis(book):
    report = usage_report(LedgerReader(book.path), Span.of_month("2026-11"), today=TODAY)
    change = Recommendation(
        RecommendationKind.REFUSING_LIMIT, EVIL, MoneyMeaning.SPENT, 5_000, Interval(4_000, 6_000), 3, 9,
        Phrase("rows_refusing_limit", {"tenant": EVIL}), Phrase("apply_refusing_limit", {"scopes": EVIL}),
    )  # fmt: skip
    unknown = Phrase("unknown_baseline", {"baseline": EVIL})
    return Analysis(report, None, unknown, (), (), (), (change,), (NotKnown("batch_price", (EVIL,)),))


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in {"src", "href"} or name.startswith("on")]


@pytest.mark.parametrize("language", list(Language))
def test_a_name_is_text_and_the_page_loads_nothing(book, language):
    book.request((EVIL, Outcome.SUCCEEDED, 70), tenant=EVIL, use_case=EVIL)
    text = report_page(_analysis(book), language)
    seen = _Tags()
    seen.feed(text)
    assert not seen.tags & {"script", "img", "link", "iframe"}
    assert seen.addresses == []
    assert not re.search(r"https?://|@import|url\(", text)
    assert "&lt;script&gt;" in text
    assert f'lang="{language.value}"' in text


def test_every_word_is_there_in_both_languages():
    assert EN.keys() == VI.keys()
    fields = {key: set(re.findall(r"{(\w+)}", text)) for key, text in EN.items()}
    assert fields == {key: set(re.findall(r"{(\w+)}", text)) for key, text in VI.items()}
    for kind in RecommendationKind:
        assert {kind.value, f"risk_{kind.value}"} <= EN.keys()


def test_the_page_says_the_exact_cost_of_the_report_and_names_the_empty_one(book):
    assert VI["empty"] in report_page(_analysis(book), Language.VI)
    book.request(("m", Outcome.SUCCEEDED, 234_567_000))
    assert "$0.234567" in report_page(_analysis(book), Language.EN)


def test_the_page_says_that_probes_are_left_out_and_nothing_came_before(book):
    """In the card of what it is about."""
    book.request(("a", Outcome.SUCCEEDED, 70))
    book.request(("a", Outcome.FAILED, 5), tenant="probe:doctor", outcome=Outcome.FAILED)
    text = report_page(_analysis(book), Language.EN)
    assert "<dt>Success, 1 probes left out</dt><dd>100.0 %</dd>" in text
    assert re.search(r"<dt>Before \(\D*2026-10[^(]*\)</dt><dd>none</dd>", text)
    assert "<dt>Requests an hour</dt><dd>&lt;0.1</dd>" in text
