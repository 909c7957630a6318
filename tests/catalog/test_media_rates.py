"""A model that draws or speaks is not sold at the price of text."""

from datetime import date

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.media_rates import states_its_media
from orchestrator.catalog.price import Price
from orchestrator.catalog.price_book import Origin, PriceBook, PriceQuery, PricesSettings

TEXT = {"input": 1, "output": 2, "source": "a test", "date": "2026-11-09"}


@pytest.mark.parametrize(
    "name", ["gemini-2.5-flash-image", "google/gemini-3-pro-image-preview", "nano-banana-pro-preview", "gpt-4o-audio-preview", "gpt-4o-mini-tts", "gpt-realtime", "gemini-live-2.5-flash"]
)  # fmt: skip
def test_a_price_of_text_is_none_of_a_model_that_draws_or_speaks(name: str) -> None:
    assert not states_its_media(name, Price(**TEXT))
    assert states_its_media(name, Price(**TEXT, image_output=30, audio_output=80))


@pytest.mark.parametrize(
    "name", ["gpt-6-luna", "gemini-3.8-flash", "openai/gpt-6.1-sol", "olive-7b", "imagine"]
)
def test_every_other_model_is_sold_at_it(name: str) -> None:
    assert states_its_media(name, Price(**TEXT))


def test_the_next_source_is_asked_and_without_one_the_model_is_refused(tmp_path) -> None:
    book = PriceBook(PricesSettings(path=str(tmp_path / "none")), today=date(2026, 11, 23))
    drawn = book.quote(PriceQuery(ProviderKind.GOOGLE, "gemini-2.5-flash-image"), None)
    spoken = book.quote(PriceQuery(ProviderKind.GOOGLE, "gemini-3.8-flash-tts"), None)
    assert drawn is not None
    assert spoken is not None
    assert (drawn.origin, drawn.price.image_output) == (Origin.SNAPSHOT, 30_000_000_000)
    assert spoken.origin is Origin.MAP
    assert book.quote(PriceQuery(ProviderKind.OPENAI, "gpt-4o-audio-preview"), None) is None
