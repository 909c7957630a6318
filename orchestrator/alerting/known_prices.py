"""The prices that were in force when a process looked last, kept beside the claims, to notice a change."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import orjson

from orchestrator.catalog.price import Price
from orchestrator.core.alerts import SubjectFacts
from orchestrator.core.bounded_file import read_bounded
from orchestrator.core.home_paths import expanded
from orchestrator.core.money import format_usd
from orchestrator.core.private_folder import make_private_folder, replace_private_file

_BYTES_MAX = 8 * 1024 * 1024


def changed_prices(path: str, prices: Mapping[str, Price]) -> dict[str, SubjectFacts]:
    """Return what each deployment cost before and costs now, by its subject, and keep the new prices.

    A deployment that is new, or that nobody looked at before, has changed nothing.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = expanded(path)
    file = folder / "prices.json"
    before = _read(file)
    now = {name: {"mark": _mark(price), "text": _text(price)} for name, price in prices.items()}
    changed = {
        f"period price {name} {price['mark']}": SubjectFacts(
            name, f"{before[name]['text']} → {price['text']}"
        )
        for name, price in now.items()
        if name in before and before[name]["mark"] != price["mark"]
    }
    if now != before:
        make_private_folder(folder)
        replace_private_file(file, orjson.dumps({**before, **now}))
    return changed


def _mark(price: Price) -> str:
    # The day and the words of the source may change, and the price be the same.
    rates = price.model_dump(exclude={"date", "source"})
    return sha256(repr(rates).encode()).hexdigest()[:16]


def _text(price: Price) -> str:
    return f"{format_usd(price.input)} / {format_usd(price.output)} per Mtok"


def _read(file: Path) -> dict[str, dict[str, str]]:
    try:
        raw = orjson.loads(read_bounded(file, bytes_max=_BYTES_MAX))
        return {
            str(name): {"mark": str(kept["mark"]), "text": str(kept["text"])} for name, kept in raw.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
