"""Vertex AI: where it carries Gemini's and Anthropic's formats, and how a client comes to a token for it.

A client brings no key but credentials, and fetches a token with them. A practice token is the key itself: of
a service account the `private_key_id`, of other credentials their subject token.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import parse_qs

import orjson

from orchestrator.practice.json_types import JsonObject
from orchestrator.practice.wire import WireCall
from orchestrator.practice.wire_anthropic import read_anthropic_request
from orchestrator.practice.wire_errors import Refusal
from orchestrator.practice.wire_gemini import read_gemini_request

TOKEN_PATH = "-/token"  # noqa: S105 -- a path
SUBJECT_PATH = "-/subject"
OPEN_PATHS = frozenset({TOKEN_PATH, SUBJECT_PATH})
"""Where a token is fetched, so none is asked for."""
_PROVIDER = "vertex_ai"
_PATH = re.compile(r"[^/]+/locations/[^/]+/publishers/(google|anthropic)/models/([^/:]+):(\w+)")
_VERBS = {
    "google": frozenset({"generateContent", "streamGenerateContent"}),
    "anthropic": frozenset({"rawPredict", "streamRawPredict"}),
}
_LIFE_S = 3600


@dataclass(frozen=True, slots=True)
class VertexTarget:
    """What a path asks for."""

    model: str
    is_claude: bool
    streams: bool


def target_at(path: str) -> VertexTarget | None:
    """Return what a path behind `/v1/projects/` asks for, None where it asks for no answer."""
    match = _PATH.fullmatch(path)
    if match is None or match[3] not in _VERBS[match[1]]:
        return None
    return VertexTarget(match[2], match[1] == "anthropic", match[3].startswith("stream"))


def read_vertex_request(target: VertexTarget, body: JsonObject) -> WireCall:
    """Return the request in a decoded body.

    Raises:
        Refusal: 400, as the format of the model refuses it.
    """
    if target.is_claude:
        return read_anthropic_request({**body, "model": target.model}, provider=_PROVIDER)
    return read_gemini_request(body, model=target.model, stream=target.streams, provider=_PROVIDER)


def vertex_credentials(address: str, key: str) -> str:
    """Return the JSON of credentials that lead to practice at a server's address, its key as their token."""
    credentials = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/practice",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{address}/v1/projects/{TOKEN_PATH}",
        "credential_source": {
            "url": f"{address}/v1/projects/{SUBJECT_PATH}?token={key}",
            "format": {"type": "json", "subject_token_field_name": "token"},
        },
    }
    return orjson.dumps(credentials).decode()


def token_for(body: bytes) -> JsonObject:
    """Return the answer to who fetches a token.

    Raises:
        Refusal: 400, when the body brings no credentials that practice knows.
    """
    fields = parse_qs(body.decode(errors="replace"))
    subject, assertion = (fields.get(name, [""])[0] for name in ("subject_token", "assertion"))
    token = subject or _key_id(assertion)
    if not token:
        raise Refusal(400, "invalid_grant: practice takes a subject_token, or an assertion with a key id")
    return {
        "access_token": token,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": _LIFE_S,
    }


def _key_id(assertion: str) -> str:
    """Return the key id in the head of a signed token; empty where there is none."""
    head = assertion.partition(".")[0]
    try:
        return str(orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))).get("kid") or "")
    except (binascii.Error, orjson.JSONDecodeError, AttributeError):
        return ""
