"""OpenRouter's live price list: what its entries mean, and the file that keeps it with its date.

An entry gives strings of dollars per token (https://openrouter.ai/docs, `GET /models`). What it says
is read on the dear side: of prices that hang on the time of day the dearest counts at every hour,
since OpenRouter reports what it charged and that is booked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson

from orchestrator.catalog.price import Price
from orchestrator.catalog.rates import BOUND_TOKENS_PER_PICTURE, PriceTier
from orchestrator.core.bounded_file import MIB, read_bounded
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.money import NANO_PER_USD, TOKENS_PER_MTOK, NanoUsdPerMtok, nano_usd
from orchestrator.core.private_folder import check_folder_of, make_private_folder
from orchestrator.core.whole_file import write_whole

SOURCE = "OpenRouter's list"
_FORMAT = 1
_BYTES_MAX = 64 * MIB
_NUSD_PER_MTOK_MAX = 100_000 * NANO_PER_USD
"""A hundred times the dearest model known; more means that the unit is another."""

_Read = dict[str, Any]
"""Rates under the names of a `Price`, each in nano-dollars per million tokens, or None."""

_RATES = {
    "prompt": "input",
    "completion": "output",
    "input_cache_read": "cached_input",
    "input_cache_write": "cache_write",
    "audio": "audio_input",
    "image_token": "image_input",
    "audio_output": "audio_output",
    "image_output": "image_output",
}
_THRESHOLD = "min_prompt_tokens"


class PriceListError(OrchestratorError):
    """A price list cannot be fetched, read or kept; what was kept before is untouched."""


class MalformedEntryError(ValueError):
    """An entry of the list states no price that can be used; the message says why."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """What the list says of one model."""

    price: Price
    ends: date | None = None
    """The day the model is switched off, when announced."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that was left out."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class PriceList:
    """A whole list, of the moment it was fetched."""

    fetched_at: datetime
    provider: str
    """The provider of config.yaml that was asked."""
    models: Mapping[str, Mapping[str, Any]] = field(repr=False)
    """The entries as OpenRouter sent them, without what is no price."""

    def model(self, upstream: str) -> ListedModel | None:
        """Return what the list says of a model, None when it does not name it."""
        entry = self.models.get(upstream)
        return None if entry is None else listed_model(entry, day=self.fetched_at.astimezone(UTC).date())

    def age_days(self, today: date) -> int:
        """Return the whole days since it was fetched; 0 for a list of the future."""
        return max(0, (today - self.fetched_at.astimezone(UTC).date()).days)


def listed_model(entry: Mapping[str, Any], *, day: date) -> ListedModel:
    """Return the price that an entry of the list states.

    Raises:
        MalformedEntryError: it states none that can be used.
    """
    pricing = entry.get("pricing")
    if not isinstance(pricing, Mapping):
        raise MalformedEntryError("it has no 'pricing'")
    if _per_mtok(pricing, "request", "each request") not in {None, 0}:
        raise MalformedEntryError("it charges for each request, which no price of tokens can state")
    base: _Read = {name: _per_mtok(pricing, key, key) for key, name in _RATES.items()}
    # Reasoning is output to us, so it is priced at the dearer of both.
    thinking = _per_mtok(pricing, "internal_reasoning", "internal_reasoning") or 0
    if base["input"] is None or base["output"] is None:
        raise MalformedEntryError("'prompt' or 'completion' is missing in its 'pricing'")
    base["output"] = NanoUsdPerMtok(max(base["output"], thinking))
    base["image_input"] = _picture_rate(pricing, base)
    overrides = list(_overrides(pricing))
    for threshold, changed in overrides:
        if threshold is None:
            base = {name: _dearer(base[name], changed.get(name)) for name in base}
    tiers = _tiers(base, [(at, changed) for at, changed in overrides if at is not None])
    price = Price.model_construct(**base, tiers=tiers, source=SOURCE, date=day)
    return ListedModel(price, _day(entry.get("expiration_date")))


def checked_list(
    entries: Iterable[Any], *, fetched_at: datetime, provider: str
) -> tuple[PriceList, tuple[Skipped, ...]]:
    """Return the list of all usable entries, and those that were left out, each with the reason."""
    models: dict[str, dict[str, Any]] = {}
    skipped = []
    for place, entry in enumerate(entries, start=1):
        name = entry.get("id") if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or not name.strip():
            skipped.append(Skipped(f"entry {place}", "it has no 'id'"))
            continue
        try:
            listed_model(entry, day=fetched_at.astimezone(UTC).date())
        except MalformedEntryError as error:
            skipped.append(Skipped(name, str(error)))
            continue
        models[name] = {
            key: entry[key] for key in ("pricing", "expiration_date") if entry.get(key) is not None
        }
    return PriceList(fetched_at, provider, models), tuple(skipped)


def read_list(path: Path) -> PriceList | None:
    """Return the list that was kept last, None when none was.

    Raises:
        PriceListError: the file cannot be read, or is no price list of this program.
    """
    try:
        check_folder_of(path)
        stored = orjson.loads(read_bounded(path, bytes_max=_BYTES_MAX))
        if stored["format"] != _FORMAT:
            raise PriceListError(f"{path}: another version of this program wrote it; {_AGAIN}")
        fetched_at = datetime.fromisoformat(stored["fetched_at"])
        models = stored["models"]
        if fetched_at.tzinfo is None or not isinstance(models, dict):
            raise PriceListError(f"{path}: no price list; {_AGAIN}")
        return PriceList(fetched_at, str(stored["provider"]), models)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise PriceListError(f"{path}: cannot be read: {exc.strerror}; {_AGAIN}") from exc
    except (ValueError, LookupError, TypeError) as exc:
        raise PriceListError(f"{path}: damaged, or no price list; {_AGAIN}") from exc


def keep_list(kept: PriceList, path: Path) -> None:
    """Put a list in the place of the one kept before, whole or not at all.

    Raises:
        PriceListError: it cannot be written; the one kept before is untouched.
    """
    stored = {
        "format": _FORMAT,
        "fetched_at": kept.fetched_at.astimezone(UTC).isoformat(),
        "provider": kept.provider,
        "models": kept.models,
    }
    try:
        make_private_folder(path.parent)
        write_whole(path, orjson.dumps(stored), mode=0o600)
    except OSError as exc:
        raise PriceListError(
            f"{path}: cannot be written: {exc.strerror}; make its folder writable, or set prices.path in config.yaml"
        ) from exc


_AGAIN = "'orchestrator prices refresh' writes it anew"


def _per_mtok(pricing: Mapping[str, Any], key: str, label: str) -> NanoUsdPerMtok | None:
    """Return dollars per token as nano-dollars per million tokens, None where the key is missing."""
    raw = pricing.get(key)
    if raw is None:
        return None
    number = raw if isinstance(raw, str | int | float) and not isinstance(raw, bool) else "none"
    try:
        rate = nano_usd(Decimal(str(number)) * TOKENS_PER_MTOK)
    except (InvalidOperation, ValueError) as exc:
        # A negative price stands for one that depends on where the request is sent.
        raise MalformedEntryError(f"{label}: {_quoted(raw)} is no price") from exc
    if rate > _NUSD_PER_MTOK_MAX:
        raise MalformedEntryError(f"{label}: {_quoted(raw)} is no price in dollars per token")
    return NanoUsdPerMtok(rate)


def _picture_rate(pricing: Mapping[str, Any], base: _Read) -> NanoUsdPerMtok | None:
    """Return what a token of a picture costs at most; `image` is dollars for a whole one, however small."""
    fee = _per_mtok(pricing, "image", "image") or 0
    by_the_piece = NanoUsdPerMtok(-(-fee // BOUND_TOKENS_PER_PICTURE))
    return _dearer(base["image_input"], by_the_piece if by_the_piece > (base["input"] or 0) else None)


def _overrides(pricing: Mapping[str, Any]) -> Iterable[tuple[int | None, _Read]]:
    """Yield each conditional price: the input tokens it begins with, None where it hangs on the hour."""
    raw = pricing.get("overrides") or ()
    if not isinstance(raw, list | tuple) or not all(isinstance(override, Mapping) for override in raw):
        raise MalformedEntryError("'overrides' is no list of prices")
    for override in raw:
        rates = {name: _per_mtok(override, key, f"overrides: {key}") for key, name in _RATES.items()}
        least = override.get(_THRESHOLD)
        if least is not None and (isinstance(least, bool) or not isinstance(least, int) or least < 0):
            raise MalformedEntryError(f"overrides: {_THRESHOLD}: no number of tokens: {_quoted(least)}")
        above = (least or 0) - 1
        # Whatever else it hangs on, time or something new, it may apply to a request.
        yield (above if above > 0 else None), rates


def _tiers(base: _Read, overrides: list[tuple[int, _Read]]) -> tuple[PriceTier, ...]:
    """Return a tier for each threshold: the dearest of what applies there, else the base price."""
    rates_above: dict[int, _Read] = {}
    for above, changed in overrides:
        here = rates_above.setdefault(above, {})
        for name, rate in changed.items():
            here[name] = _dearer(here.get(name), rate)
    # Of two entries that both apply the later one wins in the list: the dearer one is taken.
    return tuple(
        PriceTier.model_construct(
            above_input_tokens=above,
            **{name: base[name] if here.get(name) is None else here[name] for name in base},
        )
        for above, here in sorted(rates_above.items())
    )


def _dearer(*rates: NanoUsdPerMtok | None) -> NanoUsdPerMtok | None:
    known = [rate for rate in rates if rate is not None]
    return max(known) if known else None


def _day(raw: Any) -> date | None:
    if not isinstance(raw, str):
        return None
    try:
        return datetime.fromisoformat(raw).date()
    except ValueError:
        return None


def _quoted(raw: Any) -> str:
    return repr(raw)[:40]
