"""Secrets of the configuration: shown masked, copied as themselves, and written down nowhere.

Whatever holds one is as safe as the secret itself: a settings type, a dataclass, a catalogue. Each of them
prints and serialises a mask, and a pickle of it is refused.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from pydantic import Secret, SecretStr

from orchestrator.core.live_object import CopiedAsItself


class _Sealed(CopiedAsItself):
    """Keeps its value where neither `vars` nor a pickle finds it."""

    __slots__ = ("_reveal",)
    _reveal: Callable[[], Any]

    @property
    def _secret_value(self) -> Any:
        # What pydantic reads; in an attribute it would stand in `__dict__`.
        return self._reveal()

    @_secret_value.setter
    def _secret_value(self, value: Any) -> None:
        self._reveal = lambda: value

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Raise: a pickle holds its values in plain text.

        Raises:
            TypeError: says what to do instead.
        """
        msg = (
            "settings with keys cannot be pickled, for a pickle would hold the keys in plain text; load "
            "config.yaml in each process, with load_config() or Orchestrator.from_config()"
        )
        raise TypeError(msg)


class SecretText(_Sealed, SecretStr):
    """A key, a token, a password, or what a header holds."""


class SecretAddress(SecretText):
    """An address that is a secret, such as a webhook's: only its host is ever shown."""

    @property
    def host(self) -> str:
        """Return its scheme and host."""
        parts = urlsplit(self.get_secret_value())
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class SecretData(_Sealed, Secret[Any]):
    """Values of any shape with secrets among them."""


def secret_texts(secrets: Mapping[str, SecretText]) -> dict[str, str]:
    """Return what each of several says, by its name, in a dictionary of its own."""
    return {name: secret.get_secret_value() for name, secret in secrets.items()}


def secret_text(secret: SecretStr | None) -> str:
    """Return what a secret says, nothing where there is none."""
    return "" if secret is None else secret.get_secret_value()
