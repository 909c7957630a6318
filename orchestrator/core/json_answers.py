"""Whether an answer is JSON, where a program asked for it."""

import json

NO_JSON = "JSON was asked for, and this is none"
_UNREAD = (ValueError, RecursionError)
"""What Python raises of what is none, and of what lies so deep that no program reads it."""


def is_json(text: str) -> bool:
    """Return whether a text is JSON from end to end, line breaks within its texts allowed."""
    try:
        json.loads(text, strict=False)
    except _UNREAD:
        return False
    return True


def is_broken_json(text: str) -> bool:
    """Return whether a text begins as an object or a list that does not come to its end."""
    begun = text.lstrip()
    if not begun.startswith(("{", "[")):
        return False
    try:
        json.JSONDecoder(strict=False).raw_decode(begun)
    except _UNREAD:
        return True
    return False
