"""What an error says of itself, in whichever field its vendor writes it: words, names, a parameter, a status.

OpenAI has `{"error": {"message", "type", "param", "code"}}`. FastAPI's servers list under `detail` what their
own schema does not take, Mistral puts that list in `message`, TGI and Ollama have a text for `error`,
Cloudflare and watsonx a list of `errors`, MiniMax an error in `base_resp` beside status 200, Apigee a
`fault`, Amazon a `Message`, Tencent an `Error` in `Response`. They are read here and nowhere else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_HOLDERS = frozenset(
    {
        *("error", "errors", "detail", "message", "msg", "title", "fault", "faultstring", "response"),
        *("error_message", "errormessage", "error_msg", "base_resp", "status_msg"),
    }
)
"""Fields that hold an error or its words, in lower case. Never what a server quotes, such as `input`."""
_NAMES = ("code", "type", "status", "error_code", "errorcode", "error_type", "__type")
"""Fields that hold a name, the most telling first, in lower case."""
_STATUSES = ("code", "status_code", "statuscode", "status", "error_code", "http_code")
_WORDS_MAX, _DEPTH_MAX, _ITEMS_MAX = 20_000, 6, 20
_BASE_RESP = "base_resp"
_NO_ERROR = (None, 0, 200, "", "0", "200", "ok", "OK", "success")


@dataclass(frozen=True, slots=True)
class ToldError:
    """An error in the words of whoever sent it; they may quote the prompt, so that none of them is kept."""

    words: str
    """In lower case."""
    names: tuple[str, ...]
    """Codes, types and reasons in lower case, the most telling first."""
    param: str | None
    """The field of the request that is not taken, such as `max_tokens` or `messages[0].content`."""
    status: int | None
    """The HTTP status that stands in the body."""

    @property
    def says_nothing(self) -> bool:
        """Return whether it is nothing, a page of HTML or a single word."""
        return not self.names and (" " not in self.words.strip() or self.words.startswith("<"))


def told_in(body: Any, *, name: str | None = None) -> ToldError | None:
    """Return what a body says, None where nothing of it is known; `name` stood in a header (Amazon's)."""
    fields = list(_fields_of(body, depth=0))
    names = [_written_name(name)] if name else []
    for each in fields:
        names += _special_names(each)
    for each in fields:
        names += [_written_name(each[key]) for key in _NAMES if isinstance(each.get(key), str) and each[key]]
    words = " ".join(text for each in fields for text in _texts_of(each))[:_WORDS_MAX]
    param = next((text for each in fields if (text := _param_of(each))), None)
    status = next((number for each in fields if (number := _status_of(each))), None)
    if not (words or names or param or status or body_has_code(body)):
        return None
    return ToldError(words.lower().replace("’", "'"), tuple(names), param, status)


def host_of(body: Any) -> Any:
    """Return what the host behind OpenRouter said itself, as it stands in `metadata.raw`; else None."""
    for each in _fields_of(body, depth=0):
        metadata = each.get("metadata")
        raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
        if isinstance(raw, str | Mapping):
            return raw
    return None


def body_has_code(body: Any) -> bool:
    """Return whether a body has a code at all, such as a vendor's number of four digits."""
    return any(each.get("code") is not None for each in _fields_of(body, depth=0))


def error_in(data: Mapping[str, Any], *, answers: bool) -> Any:
    """Return the error in a body or an event, None where there is none; `answers` where it has an answer."""
    if data.get("error"):
        return data["error"]
    if isinstance(data.get("errors"), list) and data["errors"]:
        return data["errors"][0]
    if "error" in (data.get("object"), data.get("type"), data.get("status")):
        return data
    inner = data.get(_BASE_RESP)
    if isinstance(inner, Mapping) and inner.get("status_code") not in _NO_ERROR:
        return {_BASE_RESP: inner}
    return data if not answers and is_bare_error(data) else None


def is_bare_error(data: Mapping[str, Any]) -> bool:
    """Return whether a body or an event without an answer is an error that stands in no field for one.

    What gateways send in the middle of a stream: `{"code": 429, "message": "..."}`, `{"detail": "..."}`.
    """
    codes = [data.get(name) for name in ("code", "error_code", "errorCode", "status_code", "statusCode")]
    if any(code not in _NO_ERROR for code in codes):
        return True
    is_fine = any(code is not None for code in codes)
    words = ("message", "msg", "detail", "error_message", "errorMessage", "error_msg")
    return not is_fine and any(isinstance(data.get(word), str | list) and data[word] for word in words)


def _fields_of(value: Any, *, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield every object of an error, the inner ones first; their keys in lower case."""
    if isinstance(value, list) and depth < _DEPTH_MAX:
        for each in value[:_ITEMS_MAX]:
            yield from _fields_of(each, depth=depth + 1)
    elif isinstance(value, str) and depth == 0:
        yield {"message": value}
    elif isinstance(value, Mapping) and depth < _DEPTH_MAX:
        fields = {str(key).lower(): each for key, each in value.items()}
        for key, each in fields.items():
            if key in _HOLDERS and not isinstance(each, str):
                yield from _fields_of(each, depth=depth + 1)
        yield fields


def _texts_of(fields: Mapping[str, Any]) -> Iterator[str]:
    for key in fields:
        if key in _HOLDERS:
            value = fields[key]
            texts = value[:_ITEMS_MAX] if isinstance(value, list) else [value]
            yield from (text for text in texts if isinstance(text, str) and text)


def _special_names(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names that stand elsewhere: Google's reasons, OpenRouter's, Azure's and MiniMax's."""
    details = fields.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, Mapping) and isinstance(detail.get("reason"), str):
            yield detail["reason"].lower()
    metadata = fields.get("metadata")
    if isinstance(metadata, Mapping) and (metadata.get("flagged_input") or metadata.get("reasons")):
        yield "content_filter"
    inner = fields.get("innererror")
    if isinstance(inner, Mapping) and isinstance(inner.get("code"), str):
        yield inner["code"].lower()
    number = fields.get("status_code")
    if "status_msg" in fields and type(number) is int:
        yield f"{_BASE_RESP} {number}"


def _written_name(name: str) -> str:
    """Return a name as it is looked up; Amazon writes `com.amazon#Name:http://...`."""
    return name.partition(":http")[0].rpartition("#")[2].lower()


def _param_of(fields: Mapping[str, Any]) -> str | None:
    if isinstance(fields.get("param"), str):
        return str(fields["param"]) or None
    place = fields.get("loc")
    if isinstance(place, list):
        # FastAPI's: ["body", "max_tokens"]. Of ["body", "messages", 0, "content", "str"] it is the server's
        # schema that is too narrow: what no format knows has not left.
        names = [each for each in place[:2] if isinstance(each, str) and each not in {"body", "messages"}]
        return names[0] if names else "body"
    return None


def _status_of(fields: Mapping[str, Any]) -> int | None:
    for key in _STATUSES:
        code = fields.get(key)
        if isinstance(code, str) and code.isdecimal():
            code = int(code[:4])
        if type(code) is int and 400 <= code < 600:  # noqa: PLR2004 -- HTTP
            return code
    return None
