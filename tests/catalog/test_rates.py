"""The dearest that a token can be at given rates, by what it may be a token of."""

from orchestrator.catalog.rates import Rates
from orchestrator.core.reply import Usage


def test_text_files_and_answers_have_a_dearest_rate_each() -> None:
    rates = Rates(input=1, output=2, cache_write=1.25, audio_input=10, image_output=30, audio_output=80)
    assert (rates.dearest_input, rates.dearest_file) == (1_250_000_000, 10_000_000_000)
    # Sound is made only where it is asked for, which no way here lets through.
    assert rates.dearest_output == 30_000_000_000
    plain = Rates(input=1, output=2)
    assert plain.dearest_input == plain.dearest_file == 1_000_000_000


def test_what_is_counted_beyond_the_whole_is_not_paid_for_twice() -> None:
    rates = Rates(input=1, output=2, audio_input=10)
    assert rates.paid_for(Usage(100, 0, audio_input_tokens=100)) == 1_000_000
    assert rates.paid_for(Usage(100, 0, cached_input_tokens=50, cache_write_tokens=80)) == 100_000
