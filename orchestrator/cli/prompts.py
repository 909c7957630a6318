"""Where a command's text comes from: its argument, standard input, or a file."""

import sys

from orchestrator.cli.output import CommandError
from orchestrator.core.home_paths import expanded

STDIN = "-"


def read_prompt(argument: str | None, *, what: str = "prompt") -> str:
    """Return the argument, or standard input when the argument is `-` or missing.

    Raises:
        CommandError: there is no text, or it is not UTF-8.
    """
    if argument is not None and argument != STDIN:
        return argument
    if argument is None and sys.stdin.isatty():
        raise CommandError(f"no {what}: give it as an argument, or pipe it in")
    text = _decoded(sys.stdin.buffer.read(), where="standard input")
    if not text.strip():
        raise CommandError(f"the {what} from standard input is empty")
    return text


def read_argument(argument: str, *, what: str) -> str:
    """Return the text of an argument: itself, `@file` for a file's, `-` for standard input's.

    Raises:
        CommandError: the file cannot be read, or the text is not UTF-8.
    """
    if not argument.startswith("@"):
        return read_prompt(argument, what=what)
    path = expanded(argument[1:])
    try:
        return _decoded(path.read_bytes(), where=str(path))
    except OSError as exc:
        raise CommandError(f"{path}: cannot be read: {exc.strerror}") from None


def _decoded(raw: bytes, *, where: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise CommandError(
            f"{where} is not UTF-8: byte {exc.start}, line {line}; convert it first, for example with "
            "iconv -f windows-1258 -t utf-8"
        ) from None
