"""Keys of the server: how one is made, what is kept of it, and how it is recognised.

A key is `nfk_<id>_<secret>`. The id finds what is kept; the secret is 256 bits of chance, of which only the
SHA-256 is kept. A slow hash is for passwords, which people choose and others guess: nobody guesses 256 bits,
and a slow hash would be work that anybody can make the server do.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from orchestrator.core.names import KEY_TAG, OwnTag, name_of

_PREFIX = "nfk"
_TOKEN = re.compile(rf"{_PREFIX}_([0-9a-f]{{12}})_([0-9a-f]{{64}})")


class Role(StrEnum):
    """What a key may be used for."""

    CALL = "call"
    """Ask models, on its tenant's account."""
    READ = "read"
    """See its tenant's requests, reports and budgets."""
    OPERATE = "operate"
    """See what concerns every tenant, and steer."""


class KeyValidity(StrEnum):
    """Whether a key opens anything."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ServerKey:
    """What is kept of a key: everything but the key."""

    id: str
    secret_hash: str
    """The SHA-256 of its secret, in hexadecimal digits."""
    tenant: str
    """On whose account its requests are sent; a caller cannot name another."""
    name: str
    """For people: where it is used."""
    roles: tuple[Role, ...]
    created_at: datetime
    use_cases: tuple[str, ...] = ()
    """The use cases that it may ask for; none means all, and models by name."""
    requests_per_min: int | None = None
    """Its own limit; None for the server's."""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def __post_init__(self) -> None:
        """Name its tenant as the ledger counts it, also where its file was written by hand.

        Raises:
            InvalidRequestError: the tenant is no name.
        """
        object.__setattr__(self, "tenant", name_of(self.tenant, "tenant"))

    @property
    def tag(self) -> OwnTag:
        """Return the tag that its requests are counted under: `budgets.limits` may bound it."""
        return OwnTag(f"{KEY_TAG}{self.id}")

    def state(self, now: datetime) -> KeyValidity:
        """Return whether it opens anything at a moment."""
        if self.revoked_at is not None:
            return KeyValidity.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return KeyValidity.EXPIRED
        return KeyValidity.VALID

    def fits(self, secret: str) -> bool:
        """Return whether a secret is this key's, in the same time whatever it is."""
        return hmac.compare_digest(hash_of(secret), self.secret_hash)


@dataclass(frozen=True, slots=True)
class Token:
    """A key as its owner has it."""

    id: str
    secret: str

    @classmethod
    def new(cls) -> "Token":
        """Make one that nobody has."""
        return cls(secrets.token_hex(6), secrets.token_hex(32))

    @classmethod
    def read(cls, text: str) -> "Token | None":
        """Return a text as a key, None where it cannot be one."""
        match = _TOKEN.fullmatch(text)
        return None if match is None else cls(match[1], match[2])

    def __str__(self) -> str:
        """Return it as it stands in a header."""
        return f"{_PREFIX}_{self.id}_{self.secret}"

    def __repr__(self) -> str:
        """Return it without its secret."""
        return f"Token({self.id!r})"


def hash_of(secret: str) -> str:
    """Return what is kept of a secret."""
    return sha256(secret.encode()).hexdigest()
