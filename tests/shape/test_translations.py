"""The README is the same in both languages: what one says in headings, examples, lists and tables, the other says."""

import re
from pathlib import Path

import pytest

from scripts import docs

ENGLISH, VIETNAMESE = docs.ROOT / "README.md", docs.ROOT / "README.vi.md"
_COMMENT = re.compile(r"\s*#.*$", re.MULTILINE)
_TEXT = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")


def outline(page: Path) -> list[str]:
    """Return the kinds of what stands in a page, in its order: headings, blocks, list items, rows, paragraphs."""
    kinds, is_in_text = [], False
    for line in docs._BLOCK.sub(
        lambda block: f"```{block['info']}", page.read_text(encoding="utf-8")
    ).splitlines():
        begins = re.match(r"#+ |```.*|- |\|", line)
        if begins:
            kinds.append(begins[0].strip())
        elif line.strip() and not is_in_text:
            kinds.append("paragraph")
        is_in_text = bool(line.strip()) and not (begins and begins[0] != "- ")
    return kinds


def bare(code: str) -> str:
    """Return code without what is said in words of a language: comments, texts, and which language it is."""
    return _TEXT.sub('""', _COMMENT.sub("", code)).replace(" --language vi", "")


def test_both_languages_have_the_same_outline():
    assert outline(VIETNAMESE) == outline(ENGLISH)


def test_both_languages_show_the_same_code():
    both = [[bare(block.code) for block in docs.blocks(page, "bash", "console", "python", "text", "yaml")]
            for page in (ENGLISH, VIETNAMESE)]  # fmt: skip
    assert both[1] == both[0]


def test_both_languages_lead_to_the_same_pages():
    links = [set(docs._LINK.findall(page.read_text(encoding="utf-8"))) for page in (ENGLISH, VIETNAMESE)]
    assert links[0] - {"README.vi.md"} == {link.replace("-vi.", "-en.") for link in links[1] - {"README.md"}}


def paragraphs(page: Path) -> list[str]:
    """Return the paragraphs, headings, items and rows of a page, each on one line."""
    text = docs._BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(one.split()) for one in re.split(r"\n(?=\n|#+ |- |\|)", text) if one.strip()]


def facts(paragraph: str, *, is_vietnamese: bool) -> tuple[set[str], list[str]]:
    """Return what a paragraph says in no language: its code, and its figures as English writes them."""
    bare_text = re.sub(r"`[^`]*`|\]\([^)]*\)|Python [\d.]+", "", paragraph)
    figures = re.findall(r"\d+(?:[.,]\d+)*", bare_text)
    if is_vietnamese:
        figures = [one.translate(str.maketrans(".,", ",.")) for one in figures]
    return set(re.findall(r"`([^`]+)`", paragraph)), sorted(figures)


def test_both_languages_say_the_same_names_and_figures():
    """In Vietnamese a decimal has a comma: 0,97 is 0.97, and 20.000 is 20,000."""
    pairs = list(zip(paragraphs(ENGLISH), paragraphs(VIETNAMESE), strict=True))
    assert len(pairs) > 50
    wrong = [
        (english, vietnamese)
        for english, vietnamese in pairs
        if facts(english, is_vietnamese=False) != facts(vietnamese, is_vietnamese=True)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "change", ["## More\n", "```bash\norchestrator top\n```\n", "- one more\n", "A word.\n"]
)
def test_whatever_is_added_to_one_language_alone_is_seen(tmp_path, change):
    other = tmp_path / "README.vi.md"
    other.write_text(f"{VIETNAMESE.read_text(encoding='utf-8')}\n{change}", encoding="utf-8")
    assert outline(other) != outline(ENGLISH)
