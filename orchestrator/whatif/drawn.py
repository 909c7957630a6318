"""Chance that depends on what is drawn for, not on when: a request draws the same in every replay."""

from hashlib import blake2b


def drawn_number(seed: int, *keys: object) -> int:
    """Return a number of 64 bits for some keys, always the same for the same seed."""
    text = ":".join([str(seed), *map(str, keys)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def drawn_id(seed: int, *keys: object) -> str:
    """Return the id of a request for some keys: 32 hexadecimal digits."""
    return f"{drawn_number(seed, 'id', *keys):016x}{drawn_number(seed, 'of', *keys):016x}"


def drawn_share(seed: int, *keys: object) -> float:
    """Return a number from 0 to 1 for some keys."""
    return drawn_number(seed, *keys) / 2**64
