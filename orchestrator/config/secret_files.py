"""Reads what `${file:/run/secrets/x}` names; what a file holds stands in no error."""

from pathlib import Path

from orchestrator.core.bounded_file import read_bounded

SECRET_BYTES_MAX = 64 * 1024
"""A key or a certificate is smaller; anything larger is another file."""
FILE_MARK = "file:"
"""How the name of a file begins where it stands beside names of variables."""


class SecretFileError(Exception):
    """A named file cannot stand in the configuration; the words name the file and quote nothing of it."""


def read_secret(name: str) -> str | None:
    """Return the text of a file without the line break at its end, None where there is no such file.

    Raises:
        SecretFileError: it is named by no whole path, is no plain file, is too large, is no text, or may not
            be read.
    """
    path = Path(name)
    if not path.is_absolute():
        raise SecretFileError(f"'{name}' is no whole path; write one such as /run/secrets/slack")
    try:
        raw = read_bounded(path, bytes_max=SECRET_BYTES_MAX)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it has no such name"
        raise SecretFileError(
            f"{name} cannot be read: {reason}; name a plain file with the secret alone that this program may read"
        ) from None
    try:
        return raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretFileError(f"{name} is not UTF-8; write the secret as plain text") from None


def remedy_of(name: str) -> str:
    """Return what is to be set where a secret is missing: a variable, or a file and what is wrong with it."""
    path = name.removeprefix(FILE_MARK)
    if path == name:
        return name
    # It was read a moment ago, and nothing was in it.
    return f"a key in the file {path}, which is {'empty' if Path(path).exists() else 'not there'}"
