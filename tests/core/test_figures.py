"""Numbers are written as their language writes them."""

import pytest

from orchestrator.core.figures import Figures
from orchestrator.core.language import Language

EN, VI = Figures(), Figures(Language.VI)


@pytest.mark.parametrize(
    ("written", "english", "vietnamese"),
    [
        (lambda figures: figures.usd(2_500_000_000_000), "$2,500.00", "$2.500,00"),
        (lambda figures: figures.usd(956_000), "$0.000956", "$0,000956"),
        (lambda figures: figures.usd(None), "-", "-"),
        (lambda figures: figures.share(0.985), "98.5 %", "98,5 %"),
        (lambda figures: figures.duration(0.42), "0.42 s", "0,42 s"),
        (lambda figures: figures.duration(None), "-", "-"),
        (lambda figures: figures.count(1_234_567), "1,234,567", "1.234.567"),
        (lambda figures: figures.rate(0.01), "<0.1", "<0,1"),
        (lambda figures: figures.said("+1,234.5 %"), "+1,234.5 %", "+1.234,5 %"),
    ],
)
def test_a_number_has_the_marks_of_its_language(written, english, vietnamese):
    assert (written(EN), written(VI)) == (english, vietnamese)
