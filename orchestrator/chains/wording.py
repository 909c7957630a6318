"""What is said to a model, in Vietnamese and in English: a chain's prompts, from a folder or from code.

A text holds the rules of one chain in one language, then a section for each form an answer may take, after a
line `<!-- answer: json -->` or `<!-- answer: text -->`. A text without sections gets those of `prompts/`.
Nothing is ever formatted into these texts: what customers write is sent beside them as data, and a provider
can keep the unchanging part in its own prompt cache.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path

from orchestrator.core.bounded_file import MIB, read_bounded
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.language import Language
from orchestrator.core.unknown_names import nearest

PromptSource = str | os.PathLike[str] | Mapping[str, str]
"""A folder of prompt files, one text for every language, or a text for each language."""

_SECTION = re.compile(r"^<!-- answer: (\w+) -->$", re.MULTILINE)
_VERSION = re.compile(r"\A\s*<!-- version: (?P<version>[\w.-]{1,40}) -->\s*?(?:\n|\Z)")
_FORMS = ("json", "text")
_MARK = re.compile(r"^[ \t]*<!--[ \t]*(?P<word>\w+)[ \t]*:.*$", re.MULTILINE)
"""A line that looks like one of ours; a comment of another word is the writer's own."""
_HASH_BYTES = 4
_BYTES_MAX = MIB


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of one chain in one language."""

    to_json: str
    """The system message that asks for one JSON object."""
    to_text: str | None
    """The system message that asks for plain text; None where a chain has no such form."""
    repair: str
    """What precedes the mistakes of an answer that must be written again."""
    version: str
    """`support.vi@2-9f31c0aa`: the prompt, the version its first line names, and a hash of all of it."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts of a chain, read once."""

    name: str
    """The chain's; files are called so."""
    texts: Mapping[Language, str]
    fields: str
    """What an answer holds, a line for each field; for texts that say nothing of its form."""

    def language_named(self, code: str | None) -> Language:
        """Return the language of a code such as `vi`; Vietnamese for None, or the one there is.

        Raises:
            InvalidRequestError: there are no prompts in that language.
        """
        if code is None:
            return Language.VI if Language.VI in self.texts else next(iter(self.texts))
        known = ", ".join(f"'{language}'" for language in self.texts)
        if code not in set(self.texts):
            raise InvalidRequestError(f"no prompts in language {code!r}; choose one of {known}")
        return Language(code)

    def wording(self, language: Language) -> Wording:
        """Return the texts of a language that these prompts have."""
        text = self.texts[language]
        declared = _VERSION.match(text)
        rules, *rest = _SECTION.split(_VERSION.sub("", text, count=1))
        forms = dict(zip(rest[::2], rest[1::2], strict=True)) or self._standard_forms(language)
        messages = {form: f"{rules.strip()}\n\n{part.strip()}" for form, part in forms.items()}
        version = f"{declared['version']}-" if declared else ""
        return Wording(
            messages["json"],
            messages.get("text"),
            _own_text("repair", language).strip(),
            f"{self.name}.{language}@{version}{_hash_of(*messages.values())}",
        )

    @property
    def has_text_form(self) -> bool:
        """Return whether the chain can answer with plain text, in every language it has."""
        return all(self.wording(language).to_text is not None for language in self.texts)

    def _standard_forms(self, language: Language) -> dict[str, str]:
        data, *rest = _SECTION.split(_own_text("answer", language))
        forms = dict(zip(rest[::2], rest[1::2], strict=True))
        return {
            "json": f"{data.strip()}\n\n{forms['json'].strip()}\n\n{self.fields}",
            "text": f"{data.strip()}\n\n{forms['text'].strip()}",
        }


def read_prompts(source: PromptSource, *, name: str, fields: str) -> Prompts:
    """Return the prompts of a chain: `NAME.vi.md` and `NAME.en.md` of a folder, or texts.

    A text that holds no white space is the path of a folder, and so is one that names a folder.

    Raises:
        InvalidRequestError: there is no such folder or no prompt in it, or one cannot be used; says which.
    """
    if isinstance(source, Mapping):
        texts = {_known_language(code): text for code, text in source.items()}
        where = {language: f"prompts[{language.value!r}]" for language in texts}
    elif _is_folder(source):
        folder = Path(source)
        paths = {language: folder / f"{name}.{language}.md" for language in Language}
        where = {language: str(path) for language, path in paths.items() if path.is_file()}
        texts = {language: _read(Path(path)) for language, path in where.items()}
        if not texts:
            file_names = " and ".join(path.name for path in paths.values())
            raise InvalidRequestError(
                f"no prompts of '{name}' in {folder}: write {file_names}, or one of them"
            )
    else:
        texts = dict.fromkeys(Language, str(source))
        where = dict.fromkeys(Language, "prompts")
    if not texts:
        raise InvalidRequestError("prompts: give a text for 'vi' or 'en', or for both")
    for language, text in texts.items():
        _check(text, where=where[language])
    return Prompts(name, texts, fields)


def _is_folder(source: object) -> bool:
    """Return whether a source is a folder's path.

    Raises:
        InvalidRequestError: it is a path, and no folder is there; or it is nothing that prompts come from.
    """
    if not isinstance(source, str | os.PathLike):
        kind = type(source).__name__
        raise InvalidRequestError(f"prompts: a folder, a text or a text for each language, not {kind}")
    if os.path.isdir(source):  # noqa: PTH112 -- a prompt is no path, and pathlib raises for one of its length
        return True
    if isinstance(source, str) and len(source.split()) != 1:
        return False
    raise InvalidRequestError(
        f"prompts: there is no folder {source} (looked for from {Path.cwd()}); "
        "Path(__file__).with_name('prompts') is the one beside your module"
    )


def _known_language(code: str) -> Language:
    try:
        return Language(code)
    except ValueError:
        known = " or ".join(f"'{language}'" for language in Language)
        raise InvalidRequestError(f"prompts: {code!r} is no language of prompts; write {known}") from None


def _read(path: Path) -> str:
    try:
        return read_bounded(path, bytes_max=_BYTES_MAX).decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidRequestError(f"{path} is not UTF-8: byte {exc.start}; save it as UTF-8") from None
    except OSError as exc:
        raise InvalidRequestError(f"{path} cannot be read: {exc.strerror}") from None


def _check(text: object, *, where: str) -> None:
    if not isinstance(text, str):
        raise InvalidRequestError(f"{where}: a prompt is a text, not {type(text).__name__}")
    rules, *rest = _SECTION.split(_VERSION.sub("", text, count=1))
    for mark in _MARK.finditer("\n".join((rules, *rest[1::2]))):
        if nearest(mark["word"], ("version", "answer")) is not None:
            raise InvalidRequestError(
                f"{where}: the line '{mark[0].strip()}' would be sent as a part of the prompt: write "
                "'<!-- version: 3 -->' as the first line, or '<!-- answer: json -->' or '<!-- answer: text -->'"
            )
    if not rules.strip():
        raise InvalidRequestError(f"{where}: the prompt has no rules before its first section")
    forms = rest[::2]
    for form in forms:
        if form not in _FORMS or forms.count(form) > 1:
            raise InvalidRequestError(
                f"{where}: section '<!-- answer: {form} -->' is unknown or there twice; "
                "a prompt has one for json, and may have one for text"
            )
    if forms and "json" not in forms:
        raise InvalidRequestError(f"{where}: a section '<!-- answer: json -->' is missing")


def _hash_of(*texts: str) -> str:
    return blake2b("\0".join(texts).encode(), digest_size=_HASH_BYTES).hexdigest()


@cache
def _own_text(name: str, language: Language) -> str:
    return (
        files("orchestrator.chains").joinpath("prompts", f"{name}.{language}.md").read_text(encoding="utf-8")
    )
