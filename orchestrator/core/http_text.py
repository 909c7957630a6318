"""What HTTP can carry in a header, a key or an address; what is wrong is said without a quote."""

import re
from urllib.parse import urlsplit

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_HEADER = re.compile(r"[^\t\x20-\x7e]")
_NOT_IN_KEY = re.compile(r"[^\x21-\x7e]|\A[\"'`]|[\"'`]\Z")
_NO_KEYS = (
    (r"\A[{[]", "is JSON; write the key alone that stands in it"),
    (
        r"(?i)\A\w*(?:key|token|secret)\w*[=:]",
        "begins with a variable's name; write what stands behind it, alone",
    ),
    (
        r"\A(?:\$\{?[A-Z_]\w*\}?|%\w+%|<.*>)\Z",
        "is a name in whose place a key belongs, and nobody filled it in",
    ),
    *(
        (placeholder, "is the placeholder of an example; write a key, or leave it empty")
        for placeholder in (
            r"(?i)\A(?:[a-z0-9]+[-_])*(?:your|insert|paste|replace|change)[\w-]*(?:key|token|secret|here|me)\Z",
            r"(?i)[-_](?:key|token)[-_]here\Z",
            r"\.{3}\Z",
            r"(?i)\A(?:[a-z0-9]{1,8}[-_])*x{3,}\Z",
        )
    ),
)
"""What stands where a key belongs, and what is said of it."""
_NOT_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_OF_EACH_MESSAGE = frozenset(
    {
        "accept-encoding",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say how a message is sent and answered; whoever sends it writes them."""
_CALLS = ("/completions", "/responses", "/embeddings", ":generatecontent", ":streamgeneratecontent")
"""How the address of one call ends."""


def fault_of_header_name(name: str) -> str | None:
    """Return what is wrong with a header's name, None where nothing is."""
    if not _HEADER_NAME.fullmatch(name):
        return "a header's name consists of letters, digits and hyphens"
    if name.lower() in _OF_EACH_MESSAGE:
        return "this header says how one message is sent, and is written here; leave it out"
    return None


def fault_of_header(value: str) -> str | None:
    """Return what is wrong with a header's value, None where nothing is."""
    return _fault(value, _NOT_IN_HEADER, "cannot stand in an HTTP header; write it in plain ASCII")


def fault_of_key(key: str) -> str | None:
    """Return what is wrong with an API key, None where nothing is."""
    for pattern, fault in _NO_KEYS:
        if re.search(pattern, key):
            return fault
    return _fault(key, _NOT_IN_KEY, "cannot stand in a key; was it copied with something around it?")


def fault_of_address(address: str) -> str | None:
    """Return what is wrong with the address of an API, None where nothing is."""
    fault = _fault_of_location(address)
    if fault is None and (urlsplit(address).query or urlsplit(address).fragment):
        return "ends in a query or a fragment, and a path is put behind it"
    if fault is None and urlsplit(address).path.rstrip("/").lower().endswith(_CALLS):
        return "is that of one call, whose path is put behind it; end it before, such as https://api.openai.com/v1"
    return fault


def fault_of_full_address(address: str) -> str | None:
    """Return what is wrong with an address that is called as it is, with its query; None where nothing is."""
    fault = _fault_of_location(address)
    if fault is None and has_credentials(address):
        return "holds a user or a password, which belong into a header"
    if fault is None and urlsplit(address).fragment:
        return "ends in a fragment, which is never sent"
    return fault


def _fault_of_location(address: str) -> str | None:
    if _NOT_IN_ADDRESS.search(address):
        return "holds a space, a line break or a backslash, which no address has"
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
        # What Python does with it before it is looked up.
        (host or "").encode("idna")
    except ValueError:
        return "is no address: its host or port cannot be read"
    if parts.scheme not in {"http", "https"} or not host:
        return "is no address that begins with http:// or https://"
    return None


def has_credentials(address: str) -> bool:
    """Return whether an address holds a user or a password."""
    return "@" in urlsplit(address).netloc


def _fault(text: str, wrong: re.Pattern[str], consequence: str) -> str | None:
    match = wrong.search(text)
    if match is None:
        return None
    kinds = {"\n": "a line break", "\r": "a line break", " ": "a space", "\0": "a NUL"}
    kinds |= dict.fromkeys("\"'`", "a quotation mark")
    kind = kinds.get(match[0], "a letter that is not ASCII" if match[0] > "\x7f" else "a control character")
    return f"character {match.start() + 1} is {kind}, which {consequence}"
