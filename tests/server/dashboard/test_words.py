"""Every word is there in both languages, and the language of a page is the reader's."""

import re

import pytest

from orchestrator.core.language import Language
from orchestrator.server.dashboard.words import DASHBOARD_EN, DASHBOARD_VI, language_for


def test_every_word_is_there_in_both_languages():
    assert DASHBOARD_EN.keys() == DASHBOARD_VI.keys()
    for name, words in DASHBOARD_EN.items():
        assert words
        assert DASHBOARD_VI[name]
        assert re.findall(r"{(\w+)}", words) == re.findall(r"{(\w+)}", DASHBOARD_VI[name])


@pytest.mark.parametrize(
    ("named", "accepted", "language"),
    [
        ("vi", "en", Language.VI),
        (None, "vi-VN,vi;q=0.9,en;q=0.8", Language.VI),
        (None, "fr-FR, DASHBOARD_EN-us;q=0.7", Language.EN),
        ("<script>", "", Language.EN),
        (None, "vietnamese", Language.EN),
        (None, "", Language.EN),
    ],
)
def test_the_language_is_the_named_one_else_the_first_that_there_is(named, accepted, language):
    assert language_for(named, accepted) is language
