"""Pages are whole, load from this server alone, and their colours can be read."""

import re

import pytest

from orchestrator.core.language import Language
from orchestrator.server.dashboard.shell import PAGES, script, shell, style

CONTRAST_AA = 4.5


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_its_language_where_it_is_and_where_else_one_can_go(page, language):
    text = shell(page, language)
    assert f'<html lang="{language}">' in text
    assert text.count("aria-current=page") == 1
    assert all(f'href="/dashboard/{name}?lang={language}"' in text for name in PAGES)
    assert all(address.startswith(("/dashboard/", "?lang=", "#", "data:,")) for address in
               re.findall(r'(?:href|src)="([^"]*)"', text))  # fmt: skip
    assert " style=" not in text


def test_an_id_of_an_address_stays_in_its_place():
    text = shell("requests", Language.EN, request_id='"><script>x</script>?#')
    assert text.count("<script") == 1
    assert 'data-part="/dashboard/parts/requests/%22%3E%3Cscript%3Ex%3C%2Fscript%3E%3F%23"' in text


def test_the_script_loads_nothing_from_elsewhere_and_keeps_the_key_in_its_tab():
    text = script()
    assert not re.search(r"https?:|innerHTML\s*=|eval\(|localStorage|document\.cookie", text)
    assert "sessionStorage" in text


def _luminance(colour):
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one_colour, other):
    lighter, darker = sorted((_luminance(one_colour), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_every_colour_of_text_can_be_read_in_light_and_in_dark():
    text = style()
    schemes = {"light": {}, "dark": {}}
    for block in re.finditer(r"(@media \(prefers-color-scheme: dark\) \{ )?:root \{([^}]*)\}", text):
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block[2]))
        if "scheme: light; " not in block[2]:
            schemes["dark" if block[1] else "light"].update(colours)
    for colours in schemes.values():
        for ink in ("ink", "soft", "bar", "full", "high", "focus"):
            for ground in ("page", "card"):
                assert _contrast(colours[ink], colours[ground]) >= CONTRAST_AA, (ink, ground)
