"""What pages are made of: words are text, bars have a bound, and a wide table can be reached by keyboard."""

import pytest

from orchestrator.reports.html_parts import bar, cards, html_table, link, section, text

EVIL = "<script>'\"&</script>"


def test_words_are_escaped_everywhere_and_html_is_left_alone():
    for html in (
        text(EVIL),
        cards([(EVIL, EVIL)]),
        html_table([EVIL], [[EVIL]]),
        section(EVIL, ""),
        link("/x", EVIL),
    ):
        assert "<script>" not in html
        assert "&lt;script&gt;" in html
    assert text(link("/x", "y")) == '<a href="/x">y</a>'
    assert '"' not in link('/x?a="b', "y").removeprefix('<a href="').partition('"')[0]


def test_a_table_has_numbers_on_the_right_and_takes_the_focus():
    html = html_table(("name", "cost", "why"), [("a", "1", "b")], texts=1)
    assert "tabindex=0" in html
    assert (
        '<td><span>a</span></td><td class=n data-name="cost"><span>1</span></td>'
        '<td data-name="why"><span>b</span></td>'
    ) in html


def test_the_name_of_a_column_is_a_text_in_each_of_its_cells():
    html = html_table(("name", EVIL), [("a", "1")])
    assert f'data-name="{text(EVIL)}"' in html
    assert "<script>" not in html


@pytest.mark.parametrize(
    ("share", "width", "level"),
    [
        (-1, "0.0", "low"),
        (0.5, "50.0", "low"),
        (0.8, "80.0", "high"),
        (1, "100.0", "full"),
        (7, "100.0", "full"),
    ],
)
def test_a_bar_is_never_wider_than_its_place_and_can_be_heard(share, width, level):
    html = bar(share, f"{EVIL} %")
    assert f'class="bar {level}"' in html
    assert f'<rect width="{width}"' in html
    assert "<script>" not in html
    assert 'role="img"' in html


def test_a_day_in_a_card_stays_in_one_line_and_a_part_without_a_title_has_no_heading():
    shown = cards([("Before (2026-10-01 – 2026-10-29)", "2026-11-29 15:00")])
    assert shown.count("<span class=whole>") == 3
    assert "(<span class=whole>2026-10-01</span> – " in shown
    assert section("", "x") == "<section>x</section>"
