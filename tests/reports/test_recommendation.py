"""Every kind has a risk, and words in both languages; so has what is not known."""

import pytest

from orchestrator.core.language import Language
from orchestrator.core.money import NanoUsd
from orchestrator.reports.phrase import Phrase
from orchestrator.reports.recommendation import MoneyMeaning, NotKnown, Recommendation, RecommendationKind
from orchestrator.reports.report_words import REPORT_WORDS, not_looked_for, title_of

UNKNOWN = ("repeated_prompts", "common_prefixes", "batch_price", "idle_commitments", "cheaper_model")


@pytest.mark.parametrize("kind", RecommendationKind)
def test_every_kind_says_its_risk_and_its_subject_in_both_languages(kind):
    change = Recommendation(
        kind, "bulk", MoneyMeaning.SAVED, NanoUsd(1), None, 1, 2, Phrase("rows"), Phrase("apply"), 7
    )
    assert kind.risk
    titles = {title_of(change, language) for language in Language}
    risks = {REPORT_WORDS[language][f"risk_{kind}"] for language in Language}
    assert len(titles) == len(risks) == 2
    assert all("bulk" in title for title in titles)


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_not_known_has_its_reason_in_both_languages(kind):
    item = NotKnown(kind, ("p/m",))
    assert item.reason
    assert len({not_looked_for([item], language) for language in Language}) == 2
