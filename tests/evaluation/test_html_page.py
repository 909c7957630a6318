"""The page stands alone, in two languages, and what models wrote is text in it."""

import re

import pytest

from orchestrator.core.language import Language
from orchestrator.evaluation.html_page import evaluation_page, marked_differences
from orchestrator.evaluation.page_words import PAGE_EN, PAGE_VI
from orchestrator.evaluation.summary import standings
from tests.evaluation.conftest import scored

RESULTS = [
    scored("a", "x", 1.0, text="delivery"), scored("a", "y", 0.0, text="<script>alert(1)</script> delivery"),
    scored("b", "x", 0.0, text="other"), scored("b", "y", 0.0, text="other"),
    scored("c", "x", 1.0, text="delivery"), scored("c", "y", 1.0, text="delivery"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "words"), [(Language.EN, PAGE_EN), (Language.VI, PAGE_VI)])
def test_differences_first_then_what_is_wrong_everywhere(language, words):
    html = evaluation_page(RESULTS, standings(RESULTS), ["y is low"], language=language)
    assert f'<html lang="{language}">' in html
    assert f"{words['differing']} (1)" in html
    assert f"{words['wrong']} (1)" in html
    assert words["right"] in html
    assert "<script" not in html
    assert not re.search(r"(?:src|href)=|@import|url\(", html)


def test_both_languages_have_the_same_words():
    assert PAGE_EN.keys() == PAGE_VI.keys()


def test_extra_and_missing_words_are_marked():
    assert (
        marked_differences("it is <b>late", "it is here") == "it is <del>here</del> <ins>&lt;b&gt;late</ins>"
    )
    assert marked_differences("same", "same") == "same"
