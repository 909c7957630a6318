"""The scorecard as a page: whole in itself, in both languages, and what was broken is text in it."""

import re

import pytest

from orchestrator.core.language import Language, language_of
from orchestrator.core.money import NanoUsd
from orchestrator.drill.cases import CLASSES, Case
from orchestrator.drill.drill import CaseResult, Drill, Result
from orchestrator.drill.html_report import page
from orchestrator.drill.scorecard_words import BROKEN_VI, SCORECARD_EN, SCORECARD_VI, broken_in

EVIL = "<script>alert(1)</script>"


def result(verdict, saw, broken="cut at a/b", use_case="support"):
    case = Case(use_case, broken, "cut", (), stream=True)
    return Result(case, verdict, saw, None, 0.2, 1, NanoUsd(70))


def drilled(*results):
    return Drill(results, 10.0, NanoUsd(70), NanoUsd(70))


@pytest.mark.parametrize("language", list(Language))
def test_it_has_every_case_and_loads_nothing(language):
    cases = [result(verdict, "the whole answer", use_case=EVIL) for verdict in CaseResult]
    shown = page(drilled(*cases), EVIL, language)
    assert f'<html lang="{language}">' in shown
    assert "width=device-width" in shown
    assert "<script" not in shown
    assert not re.search(r"(?:src|href)=|@import|url\(", shown)
    assert shown.count("<b class=") == len(CaseResult)


def test_it_says_in_vietnamese_what_was_broken_and_what_the_caller_saw():
    shown = page(
        drilled(result(CaseResult.FAILED, "an answer that is not whole: 3 of 9 characters")),
        "c.yaml",
        Language.VI,
    )
    for words in ("1 trong 1 trường hợp hỏng", "bị cắt tại a/b", "câu trả lời không trọn: 3 trong 9 ký tự"):
        assert words in shown


def test_every_word_and_every_class_of_fault_is_there_in_both_languages():
    assert SCORECARD_EN.keys() == SCORECARD_VI.keys()
    for name, words in SCORECARD_EN.items():
        assert re.findall(r"{(\w+)}", words) == re.findall(r"{(\w+)}", SCORECARD_VI[name])
    assert {verdict.value for verdict in CaseResult} <= SCORECARD_EN.keys()
    assert {name for name in CLASSES if not name.isdigit()} == BROKEN_VI.keys()
    for broken in ("a/b down", "levels 1 to 3 down", "every provider down", "silence at a/b"):
        assert language_of(broken_in(broken, Language.VI)) is Language.VI
        assert broken_in(broken, Language.EN) == broken
