"""Money as whole nano-dollars: parse, multiply, round up, print.

One US dollar is 1,000,000,000 nano-dollars, an `int`. A price is nano-dollars per million
tokens, also an `int`, so that a cost is exact integer arithmetic until the single division
at its end, which rounds up. No float ever holds money.
"""

import re
from collections.abc import Iterable
from decimal import ROUND_CEILING, Context, Decimal, InvalidOperation
from typing import NewType

NanoUsd = NewType("NanoUsd", int)
"""An amount in whole nano-dollars (1e-9 USD)."""

NanoUsdPerMtok = NewType("NanoUsdPerMtok", int)
"""A price in whole nano-dollars per million tokens."""

NANO_PER_USD = 1_000_000_000
TOKENS_PER_MTOK = 1_000_000
ZERO_NUSD = NanoUsd(0)

_USD_MAX = 1_000_000_000
"""The ledger's integers end at 9.2 billion dollars; more than this is a slip of the keyboard."""

PLAIN_NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]*|(?=\.[0-9]))(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
"""A number that every program reads alike: no octal, hexadecimal, base 60, underscores or infinity."""
_PADDED = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{2}0")
"""One that stands for thousands where the point parts these, and has a 0 too many where it does not."""
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:[.,_' \u00a0][0-9]{3})+(?:[.,][0-9]+)?")
_DIGITS_MAX = 60
_MILL_NUSD, _CENT_NUSD = 10**6, 10**7

_ROUND_UP = Context(rounding=ROUND_CEILING)

_PRINTED_DECIMALS_MAX = 6


def nano_usd(usd: str | float | Decimal) -> NanoUsd:
    """Return a dollar amount as nano-dollars, a part of a nano-dollar rounded up.

    A float is read by its shortest decimal form (`0.1` is ten cents, not 0.1000000000000000055),
    as JSON and YAML wrote it.

    Raises:
        ValueError: the amount is not a finite number, is negative, or is more than a billion.
    """
    try:
        amount = Decimal(str(usd))
    except InvalidOperation as exc:
        msg = f"not an amount of dollars: {usd!r}"
        raise ValueError(msg) from exc
    if not amount.is_finite() or amount < 0:
        msg = f"an amount of dollars must be finite and not negative, got {usd!r}"
        raise ValueError(msg)
    if amount > _USD_MAX:
        msg = f"an amount of dollars must be at most {_USD_MAX:,}, got {amount:.3g}"
        raise ValueError(msg)
    # Rounded up at each step: a number of more digits than the context keeps is not rounded down first.
    return NanoUsd(int(_ROUND_UP.multiply(amount, NANO_PER_USD).to_integral_value(ROUND_CEILING)))


def typed_usd(typed: str) -> NanoUsd:
    """Return a dollar amount as a person types it: plain digits, with a point before its parts.

    Raises:
        ValueError: none of that (`1_000`, `$5`, `0,5`), or a thousand to some (`1.000`), in words that quote
            nothing of it; and what `nano_usd` raises.
    """
    text = typed.strip()
    if text.startswith("$"):
        msg = "write dollars as a plain number such as 0.50, without the sign"
        raise ValueError(msg)
    if not is_read_alike(text):
        hint = "; a thousand is written 1000" if _THOUSANDS.fullmatch(text) else ""
        msg = f"not an amount of dollars; write plain digits such as 100 or 0.50{hint}"
        raise ValueError(msg)
    return nano_usd(text)


def is_read_alike(number: str) -> bool:
    """Return whether everybody reads a number alike, people of all countries and programs."""
    is_plain = len(number) <= _DIGITS_MAX and PLAIN_NUMBER.fullmatch(number)
    return bool(is_plain) and not _PADDED.fullmatch(number)


def check_limit(limit: NanoUsd) -> None:
    """Check that the most that may be spent is none that some write for a thousand times as much.

    Raises:
        ValueError: it has three digits behind its point, such as 1.250; that is no limit of anybody's.
    """
    if limit > NANO_PER_USD and limit % _CENT_NUSD and not limit % _MILL_NUSD:
        msg = "a limit with three digits behind its point is read as thousands by some: write 1250 or 1.25"
        raise ValueError(msg)


def typed_limit(typed: str) -> NanoUsd:
    """Return the most that may be spent, as `typed_usd` reads it.

    Raises:
        ValueError: what `typed_usd` and `check_limit` raise.
    """
    limit = typed_usd(typed)
    check_limit(limit)
    return limit


def cost_nusd(parts: Iterable[tuple[int, NanoUsdPerMtok]]) -> NanoUsd:
    """Return what `(tokens, price)` pairs cost together, rounded up once at the end."""
    numerator = sum(tokens * price for tokens, price in parts)
    return NanoUsd(-(-numerator // TOKENS_PER_MTOK))


def share_nusd(amount: NanoUsd, *, numerator: int, denominator: int) -> NanoUsd:
    """Return `amount * numerator / denominator`, rounded up."""
    return NanoUsd(-(-amount * numerator // denominator))


def to_usd(amount: int) -> Decimal:
    """Return nano-dollars as an exact decimal of dollars."""
    return Decimal(amount) / NANO_PER_USD


def format_usd(amount: int) -> str:
    """Return nano-dollars for people: `$0.50`, `$0.000123`, `<$0.000001` and never `$0` for a cost."""
    if amount == 0:
        return "$0.00"
    sign = "-" if amount < 0 else ""
    usd = to_usd(abs(amount))
    if usd >= 1:
        return f"{sign}${usd:,.2f}"
    if usd < Decimal(1).scaleb(-_PRINTED_DECIMALS_MAX):
        return f"{sign}<$0.000001"
    digits = f"{usd:.{_PRINTED_DECIMALS_MAX}f}".rstrip("0")
    whole, _, decimals = digits.partition(".")
    return f"{sign}${whole}.{decimals:0<2}"
