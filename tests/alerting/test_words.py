"""Every kind and every fact has words in both languages, of facts alone and of a bounded length."""

from dataclasses import replace

import pytest

from orchestrator.alerting.words import ALERT_CHARS_MAX, alert_text, digest_of, headline, sentence
from orchestrator.core.alerts import AlertKind, AlertState, LatencyFacts, RateFacts, SpendFacts
from orchestrator.core.language import Language, language_of
from orchestrator.core.money import nano_usd

MONEY = SpendFacts("tenant:acme", "2026-11-23", nano_usd("8.2"), nano_usd("10"))


@pytest.mark.parametrize("kind", list(AlertKind))
@pytest.mark.parametrize("state", list(AlertState))
def test_every_kind_has_a_headline_in_both_languages(alert, kind, state):
    kinded = replace(alert(), kind=kind, state=state)
    assert headline(kinded, Language.EN).isascii()
    assert language_of(headline(kinded, Language.VI).partition("]")[2]) is Language.VI


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            replace(MONEY, percent=80),
            "tenant:acme, 2026-11-23: $8.20 spent, past 80 % of the limit of $10.00",
        ),
        (replace(MONEY, projected_nusd=nano_usd("20")), "$20.00 expected by the end; the limit is $10.00"),
        (replace(MONEY, cause="use_case:x"), "$8.20 spent, usually $10.00 a day; mostly by use_case:x"),
        (
            replace(MONEY, scope="tenant:shadow:faq", percent=80),
            "experiment:faq, 2026-11-23: $8.20 spent, past 80 %",
        ),
        (RateFacts("all", 0.5, 0.2, 40, 300), "all: 50.0 % of 40 requests in 5 min; the threshold is 20.0 %"),
        (LatencyFacts("all", 21.34, 20, 40, 300), "at least 21.3 s; the threshold is 20 s"),
    ],
)
def test_facts_are_said_with_their_numbers_in_both_languages(alert, facts, words):
    kinded = replace(alert(), facts=facts)
    assert words in alert_text(kinded, Language.EN)
    assert sentence(kinded, Language.VI) != sentence(kinded, Language.EN)
    assert "Quy tắc down" in alert_text(kinded, Language.VI)


def test_names_act_on_nothing_and_no_text_is_longer_than_a_message(alert):
    assert "\\x1b[2J" in alert_text(alert("x\x1b[2J"), Language.EN)
    assert len(alert_text(alert("x" * 10_000), Language.EN)) <= ALERT_CHARS_MAX
    many = tuple(alert(f"p{number}") for number in range(500))
    text = digest_of(many, {AlertKind.PROVIDER_DOWN: 700}, dropped=200, language=Language.EN)
    assert text.startswith("700 alerts at once; 200 of them without details\n700 × A provider is down\n")
    assert text.endswith("…")
    assert len(text) < 4096
