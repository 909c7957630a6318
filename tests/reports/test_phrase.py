"""Every text of a report is said in both languages, with the same facts and with nothing left open."""

import re

import pytest

from orchestrator.core.language import Language
from orchestrator.reports.phrase import Numeral, Phrase
from orchestrator.reports.report_words import EN, VI, phrase_in

PHRASES = sorted(
    key for key in EN if key.startswith(("rows_", "apply_", "compacted_", "unknown_baseline", "baseline_off"))
)


@pytest.mark.parametrize("key", PHRASES)
def test_a_phrase_has_its_facts_in_both_languages_and_nothing_left_open(key):
    names = re.findall(r"(?<!{){(\w+)}", EN[key])
    facts = {name: f"<{name}>" for name in names}
    for language in Language:
        words = phrase_in(Phrase(key, facts), language)
        assert all(fact in words for fact in facts.values())
    # Lines of config.yaml and conditions on rows are the same in both, sentences are not.
    if " " in re.sub(r"<\w+>|'[^']*'", "", EN[key]).partition(":")[2].strip() and len(EN[key]) > 90:
        assert EN[key] != VI[key]


def test_a_phrase_in_a_phrase_is_said_in_the_same_language():
    notice = Phrase("range_before", {"notice": Phrase("compacted_month", {"month": "2025-08"})})
    assert phrase_in(notice, Language.EN).startswith("the range before: 2025-08 is compacted")
    assert phrase_in(notice, Language.VI).startswith("kỳ trước: 2025-08 đã được nén")


def test_a_name_with_braces_is_a_name():
    assert "{x}" in phrase_in(Phrase("compacted_month", {"month": "{x}"}), Language.VI)


def test_a_number_is_written_as_the_language_writes_it_and_a_value_for_the_file_as_it_is():
    facts = {"deployment": "a/b-1.5", "use_case": "faq", "length": Numeral("1,024")}
    assert "ít nhất 1.024 byte" in phrase_in(Phrase("rows_common_prefixes", facts), Language.VI)
    assert "a/b-1.5" in phrase_in(Phrase("rows_common_prefixes", facts), Language.VI)
    assert "for 1,024 bytes" in phrase_in(Phrase("rows_common_prefixes", facts), Language.EN)
    assert "12.5" in phrase_in(
        Phrase("apply_lifetime", {"use_case": "faq", "needed": 60, "today": "12.5"}), Language.VI
    )
