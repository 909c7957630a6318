"""Tags of a chat model as JSON and back: one of the program stays one, and a caller's stays a caller's.

As a text it would come back as a caller's, and be refused for its beginning.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import PlainSerializer

from orchestrator.core.names import OwnTag, recorded_tag

_OWN = "own"


def _as_json(tags: Iterable[str]) -> list[Any]:
    return [{_OWN: str(tag)} if isinstance(tag, OwnTag) else tag for tag in tags]


JSON_TAGS = PlainSerializer(_as_json, when_used="json")
"""How tags are written into JSON."""


def tags_of_json(tags: Any) -> Any:
    """Return tags with those of the program as such again; what is none is left to who checks tags."""
    if not isinstance(tags, list | tuple):
        return tags
    return tuple(
        recorded_tag(str(tag[_OWN])) if isinstance(tag, Mapping) and set(tag) == {_OWN} else tag
        for tag in tags
    )
