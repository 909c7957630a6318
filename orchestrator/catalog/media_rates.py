"""Models that answer in pictures or sound: a price of text alone is none of theirs."""

import re

from orchestrator.catalog.price import Price

_DRAWS = re.compile(r"(?:^|[-/:])(?:image|banana|imagen)(?:[-:]|$)")
_SPEAKS = re.compile(r"(?:^|[-/:])(?:audio|tts|realtime|live|native-audio)(?:[-:]|$)")


def states_its_media(upstream: str, price: Price) -> bool:
    """Return whether a price knows the pictures or the sound that the name of a model speaks of."""
    name = upstream.lower()
    if _DRAWS.search(name) and price.image_output is None:
        return False
    return not _SPEAKS.search(name) or price.audio_output is not None
