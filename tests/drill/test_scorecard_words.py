"""A status is its number in every language, and a name stays as it is."""

from orchestrator.core.language import Language
from orchestrator.drill.scorecard_words import broken_in, scorecard_words


def test_numbers_and_names_stay():
    assert broken_in("503 at openrouter/gpt-6.1-sol", Language.VI) == "503 tại openrouter/gpt-6.1-sol"
    assert broken_in("openrouter down", Language.VI) == "openrouter ngừng"
    assert broken_in("levels 1 to 3 down", Language.VI) == "cấp 1 đến 3 ngừng"


def test_the_words_are_those_of_the_language():
    assert (scorecard_words(Language.EN)["sends"], scorecard_words(Language.VI)["sends"]) == (
        "Sends",
        "Lượt gửi",
    )
