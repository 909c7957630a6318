"""Takes requests in: finds the provider, checks the key, acts out a waiting fault, and has them answered."""

import re
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson
from aiohttp import web

from orchestrator.practice import wire_vertex
from orchestrator.practice.continuing import begun_answer
from orchestrator.practice.control import PREFIX as CONTROL_PREFIX
from orchestrator.practice.control import Control, check_origin
from orchestrator.practice.desks import PREFIXES, Chat, Desk
from orchestrator.practice.exchange import Exchange, House
from orchestrator.practice.faults import FaultQueue
from orchestrator.practice.odd_bills import tier_of
from orchestrator.practice.tokens import input_tokens
from orchestrator.practice.wire import Envelope
from orchestrator.practice.wire_errors import Refusal, error_body, error_headers, key_refusal, odd_error

_SECRET_HEADERS = frozenset(
    {"authorization", "x-goog-api-key", "api-key", "x-api-key", "cookie", "proxy-authorization"}
)


_SIGNER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/[\w-]+/bedrock/aws4_request, "
    r"SignedHeaders=[\w;-]*host[\w;-]*, Signature=[0-9a-f]{64}"
)
"""A signature of Amazon's, which names the id of the key and is not checked."""
_KEY_HEADERS = {"anthropic": "x-api-key", "azure": "api-key"}
"""Who takes the key in a header of its own."""


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as it came in, without its keys."""

    provider: str
    model: str | None
    """None where no answer was asked for, or the request could not be read."""
    method: str
    path: str
    """Without the query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: dict[str, Any] | None
    """None when it was empty or no JSON object."""


class Reception:
    """Answers every HTTP request of a practice server."""

    def __init__(
        self,
        *,
        desk: Desk,
        house: House,
        faults: FaultQueue,
        api_keys: frozenset[str] | None,
        requests_kept: int,
    ) -> None:
        """Take the server's parts; `api_keys` None takes every key."""
        self._desk = desk
        self._house = house
        self._faults = faults
        self._control = Control(faults=faults, bill=house.bill)
        self._api_keys = api_keys
        self.seen: deque[SeenRequest] = deque(maxlen=requests_kept)
        # Ids stay unique when a server is started again beside the same ledger.
        self._seed = secrets.token_hex(4)
        self._numbers = count(1)

    async def answer(self, http: web.BaseRequest) -> web.StreamResponse:
        """Return the response to one request, an error in the provider's own shape included."""
        body = await http.read()
        path = http.path
        for provider, prefix in PREFIXES.items():
            if path.startswith(prefix):
                return await self._provider(
                    http, provider=provider, path=path.removeprefix(prefix), body=body
                )
        try:
            check_origin(http.headers)
            control_path = path.removeprefix(CONTROL_PREFIX) if path.startswith(CONTROL_PREFIX) else path
            return _json(self._control.answer(http.method, path=control_path, query=http.query, body=body))
        except Refusal as refusal:
            return _json(
                {"error": {"message": refusal.message, "code": refusal.status}}, status=refusal.status
            )

    async def _provider(
        self, http: web.BaseRequest, *, provider: str, path: str, body: bytes
    ) -> web.StreamResponse:
        chat: Chat | dict[str, Any] | None = None
        model = ""
        try:
            if path not in wire_vertex.OPEN_PATHS:
                self._check_key(http, provider)
            chat = self._desk.read(provider, method=http.method, path=path, query=http.query, body=body)
            if not isinstance(chat, Chat):
                return _json(chat)
            model = chat.call.request.model
        except Refusal as refusal:
            return _refused(provider, refusal)
        finally:
            self._remember(http, provider=provider, model=model or None, body=body)
        try:
            return await self._chat(http, chat)
        except Refusal as refusal:
            return _refused(provider, refusal)

    async def _chat(self, http: web.BaseRequest, chat: Chat) -> web.StreamResponse:
        request, embeds = chat.call.request, chat.call.embeds
        goes_on = begun_answer(request) is not None
        fault = self._faults.take(request.provider, request.model, goes_on=goes_on, embeds=embeds)
        envelope = Envelope(
            reply_id=f"{chat.id_prefix}{self._seed}{next(self._numbers):08x}",
            created_s=int(self._house.clock.now().timestamp()),
            provider=request.provider,
            model=self._desk.served_model(request.provider, request.model),
            include_usage=chat.call.include_usage,
            input_tokens=input_tokens(request),
            answers=chat.call.answers,
            service_tier=tier_of(fault.bill if fault else None, provider=request.provider),
        )
        exchange = Exchange(http, call=chat.call, envelope=envelope, house=self._house, fault=fault)
        refused = await exchange.refuse()
        if refused is not None:
            return refused
        if chat.call.stream:
            return await exchange.stream(chat.stream(envelope))
        return await exchange.whole(chat.whole)

    def _check_key(self, http: web.BaseRequest, provider: str) -> None:
        if self._api_keys is None:
            return
        if provider in _KEY_HEADERS:
            key = http.headers.get(_KEY_HEADERS[provider], "")
        elif provider == "google":
            key = http.headers.get("x-goog-api-key") or http.query.get("key") or ""
        else:
            sent = http.headers.get("Authorization", "")
            signer = _SIGNER.match(sent) if provider == "bedrock" else None
            key = signer[1] if signer else sent.removeprefix("Bearer ").strip()
        if key not in self._api_keys:
            raise key_refusal(provider, has_key=bool(key))

    def _remember(self, http: web.BaseRequest, *, provider: str, model: str | None, body: bytes) -> None:
        headers = {name.lower(): value for name, value in http.headers.items()}
        for name in _SECRET_HEADERS & headers.keys():
            del headers[name]
        self.seen.append(SeenRequest(provider, model, http.method, http.path, headers, _object(body)))


def _object(body: bytes) -> dict[str, Any] | None:
    if not body:
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _json(
    value: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=orjson.dumps(value), status=status, headers=headers, content_type="application/json"
    )


def _refused(provider: str, refusal: Refusal) -> web.Response:
    headers, odd = error_headers(provider, refusal), odd_error(refusal)
    if odd is None:
        return _json(error_body(provider, refusal), status=refusal.status, headers=headers)
    kind = "application/json" if odd.startswith(b"{") else "text/html"
    return web.Response(body=odd, status=refusal.status, headers=headers, content_type=kind)
