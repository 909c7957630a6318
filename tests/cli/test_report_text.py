"""A report in a terminal says the same in both languages."""

import re

import pytest

from orchestrator.cli.report_text import LINES, days_in, title_in
from orchestrator.core.language import Language
from orchestrator.ledger.periods import Window

FIELD = re.compile(r"\{\w*\}")


def test_both_languages_say_every_line_with_the_same_facts():
    english, vietnamese = LINES[Language.EN], LINES[Language.VI]
    assert set(english) == set(vietnamese)
    for key, line in english.items():
        assert sorted(FIELD.findall(line)) == sorted(FIELD.findall(vietnamese[key])), key


def test_a_range_has_no_english_word_in_vietnamese():
    assert days_in("2026-11-01 to 2026-11-07", Language.VI) == "2026-11-01 đến 2026-11-07"
    assert days_in("2026-11", Language.VI) == "2026-11"


def test_every_window_of_a_budget_has_a_name():
    named = {title_in(window.value, Language.VI) for window in Window}
    assert named == {"mỗi yêu cầu", "lượt chạy", "giờ", "ngày", "tuần", "tháng"}


@pytest.mark.parametrize("columns", [60, 80])
def test_a_vietnamese_report_fits_and_cuts_no_amount(run, practice, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", f"{columns}")
    run("ask", "hello", "--tenant", "acme", "--user", "u1", "--tag", "sale")
    ran = run("report", "--language", "vi")
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= columns, ran.out
    for word in (
        "yêu cầu, trung bình",
        "thành công",
        "mô hình",
        "khách thuê",
        "hạn mức",
        "tháng",
        "$2.500,00",
    ):
        assert word in ran.out, word
    words = {"requests", "model", "tenant", "cost", "budget", "window", "spent", "month", "average", "saved"}
    assert words.isdisjoint(re.findall(r"[a-z]+", ran.out)), ran.out
    assert "…" not in ran.out
    assert not re.search(r"\d\.\d{1,2} (?:s|ms|%)", ran.out), "a decimal is written with a comma"
