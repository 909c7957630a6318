"""Names by which money is counted: of tenants, users, tags and use cases.

What looks the same is the same name, or it is refused: one account has one counter and one limit. So names
are in composed form (NFC) and trimmed, with one space where pages show one, and hold nothing that cannot be
seen.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.plain_data import kind_in_words

NAME_MAX = 128
"""Characters of a name, in composed form."""
TAGS_MAX = 16
"""Each tag is a counter of a day and one of a month, in every booking."""
EVERY_NAME = "*"
"""In the scope of a limit: a tenant that is called so would have the limit that is meant for all of them."""
PROMPT_TAG = "prompt:"
"""How the tag begins that says which version of a prompt was asked; the limit of every tag is not for it."""
ARM_TAG = "arm:"
"""How the tags begin that say which side of an experiment a request is on."""
KEY_TAG = "key:"
"""How the tags begin that count what a key of the server spends."""
OWN_TAGS: Mapping[str, str] = {
    PROMPT_TAG: "say which prompt was asked",
    ARM_TAG: "say which side of an experiment a request is on",
    KEY_TAG: "count what a key of the server spends",
}
"""How the tags begin that the program gives, and what they do; callers have none of them."""
_SHOWN_MAX = 60
_NAMES_KEPT = 4096
# Printable to Python, and not to be seen: fillers, joiners, and selectors of a variant of the sign before.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u303f\u3164\ufe00-\ufe0f\uffa0"
    "\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)

_SPACES = re.compile(" {2,}")


def name_of(raw: Any, field: str) -> str:
    """Return a name as it is counted.

    Raises:
        InvalidRequestError: no text, nothing in it, too long, a `*`, or a character in it that is not seen.
    """
    if type(raw) is str and len(raw) <= NAME_MAX:
        return _counted(raw, field)
    return _checked(raw, field)


@lru_cache(maxsize=_NAMES_KEPT)
def _counted(raw: str, field: str) -> str:
    # A program has few tenants and use cases, and asks for them with every request.
    return _checked(raw, field)


def as_text_hint(raw: Any) -> str:
    """Return how to write a name that was given as a number, to stand behind an error; empty for others."""
    return f"; write it as text: '{raw}'" if type(raw) is int else ""


def _checked(raw: Any, field: str) -> str:
    name = _SPACES.sub(" ", raw).strip(" ") if isinstance(raw, str) and raw.isprintable() else ""
    if not name.isascii():
        # Most names have nothing to compose.
        name = "" if _INVISIBLE.search(name) else unicodedata.normalize("NFC", name)
    if not name:
        raise InvalidRequestError(f"'{field}' must be a name, got {_shown(raw)}{as_text_hint(raw)}")
    if EVERY_NAME in name:
        raise InvalidRequestError(
            f"'{field}' has '{EVERY_NAME}' in it, which stands for every name in the limits of config.yaml, "
            f"so no name has it; got {_shown(raw)}"
        )
    if len(name) > NAME_MAX:
        raise InvalidRequestError(f"'{field}' has at most {NAME_MAX} characters, got {len(name)}")
    return name


class OwnTag(str):
    """A tag that the program gives, and so no text: callers have none that begins like one."""

    __slots__ = ()


def recorded_tag(tag: str) -> str:
    """Return the tag of a row as it was when the row was written."""
    return OwnTag(tag) if tag.startswith(tuple(OWN_TAGS)) else tag


def tags_of(raw: Any) -> tuple[str, ...]:
    """Return tags as they are counted; one text is one tag.

    Raises:
        InvalidRequestError: no list, too many, or one of them is no name, or a caller's is like one of ours.
    """
    if raw is None or (type(raw) is tuple and not raw):
        return ()
    if not isinstance(raw, Iterable) or isinstance(raw, bytes | bytearray | memoryview | Mapping):
        raise InvalidRequestError(f"'tags' must be a list, got {kind_in_words(raw)}")
    tags = (raw,) if isinstance(raw, str) else tuple(islice(raw, TAGS_MAX + 1))
    if len(tags) > TAGS_MAX:
        raise InvalidRequestError(f"'tags' has at most {TAGS_MAX} names")
    return tuple(_tag_of(tag, f"tags[{place}]") for place, tag in enumerate(tags))


def _tag_of(raw: Any, field: str) -> str:
    if isinstance(raw, OwnTag):
        return OwnTag(name_of(str(raw), field))
    name = name_of(raw, field)
    for begin, what in OWN_TAGS.items():
        if name.startswith(begin):
            raise InvalidRequestError(
                f"'tags' that begin with '{begin}' {what}, so callers have none of them; got {_shown(name)}"
            )
    return name


def _tenant(raw: str) -> str:
    try:
        return name_of(raw, "tenant")
    except InvalidRequestError as exc:
        raise ValueError(str(exc)) from exc


def _each_once(raw: Any) -> Any:
    """Return what config.yaml says of tenants, where each is written once: of two the later would win."""
    seen: set[str] = set()
    for each in raw if isinstance(raw, Mapping) else ():
        try:
            tenant = name_of(each, "tenant")
        except InvalidRequestError:
            # What is no name is refused at its own place.
            continue
        if tenant in seen:
            raise ValueError(f"tenant '{tenant}' is written twice; put all that is said of it into one entry")
        seen.add(tenant)
    return raw


TenantName = Annotated[str, AfterValidator(_tenant)]
"""A tenant in config.yaml, as it is counted."""
EACH_TENANT_ONCE = BeforeValidator(_each_once)
"""For a mapping of tenants in config.yaml: two spellings of one are a mistake, and not the later one's."""


def _shown(raw: Any) -> str:
    # Escaped where repr would show a character as it is, and nobody would see it.
    text = raw[:_SHOWN_MAX] if isinstance(raw, str) else raw
    return (ascii(text) if isinstance(raw, str) and _INVISIBLE.search(text) else repr(text))[:_SHOWN_MAX]
