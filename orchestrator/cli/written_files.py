"""Files that options name: written whole or not at all, and an error names the option."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.cli.output import CommandError
from orchestrator.core.home_paths import expanded
from orchestrator.core.whole_file import PRIVATE, check_place, write_whole


def write_file(option: str, path: Path, text: str) -> None:
    """Write a text, its owner's alone: it holds prompts and answers.

    Raises:
        CommandError: it cannot be written.
    """
    with _naming(option, path):
        write_whole(expanded(path), text.encode(), mode=PRIVATE)


def write_public_file(option: str, path: Path, text: str) -> None:
    """Write a text that tells of nobody, with the rights of any new file.

    Raises:
        CommandError: it cannot be written.
    """
    with _naming(option, path):
        write_whole(expanded(path), text.encode())


def check_file(option: str, path: Path) -> None:
    """Look whether it may be written, before work that takes minutes.

    Raises:
        CommandError: it may not.
    """
    with _naming(option, path):
        check_place(expanded(path))


@contextmanager
def _naming(option: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise CommandError(f"{option} {path}: cannot be written: {exc.strerror}") from None
