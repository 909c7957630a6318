"""What a provider tells of a key: whether it is accepted, which models it may use, what is left of it.

Free requests that no LiteLLM knows of; nothing is generated, so nothing is booked. They go over the sessions
of our own wire: no redirect is followed, so the key and the configured headers go to no other address.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from orchestrator.catalog.catalog import ProviderKind, ProviderSettings
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.money import NanoUsd, nano_usd
from orchestrator.core.provider_answer import AttemptFailedError
from orchestrator.core.secret_values import secret_text, secret_texts
from orchestrator.providers.wire.body_reading import BodyUnreadableError, read_body
from orchestrator.providers.wire.outbound import UnsendableError, WireRequest
from orchestrator.providers.wire.sessions import Sessions
from orchestrator.providers.wire.usage_reading import openrouter_cost
from orchestrator.providers.wire.wire_json import read_object_or_none

_TIMEOUT_S = 15.0
_BODY_BYTES_MAX = 32 * 1024 * 1024
"""Of a list of models; OpenRouter's has more than a megabyte."""
_REFUSED = frozenset({401, 403})
_BAD_REQUEST = 400
_OK = 200
_NOT_FOUND = 404
_RECORDED_TOKENS = ("tokens_prompt", "tokens_completion", "native_tokens_prompt", "native_tokens_completion")
_TOKENS_FOR_A_NANO = 100
_REDIRECTS = range(300, 400)


class AccountError(OrchestratorError):
    """A provider did not tell; the message says why, and never quotes its answer."""

    def __init__(self, message: str, *, key_refused: bool, status: int | None = None) -> None:
        """Keep whether the key is at fault, and the HTTP status where there was one."""
        self.key_refused = key_refused
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Headroom:
    """What a key may still spend."""

    left_nusd: NanoUsd | None
    """None: the key has no limit of its own."""
    used_nusd: NanoUsd


class AccountSession:
    """Connections to providers' account addresses, for `async with` by the code that opens them."""

    def __init__(self) -> None:
        """Open nothing yet; proxies of the environment apply as they do to requests."""
        self._sessions = Sessions()

    async def __aenter__(self) -> Self:
        """Return the session."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._sessions.close()

    async def get(self, url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return the status of the response, and its body where the status is 200.

        Raises:
            UnsendableError: the address or a header is none that HTTP can carry.
            AttemptFailedError: there is no connection, or it broke.
            BodyUnreadableError: the body is larger than any list, or packed in an unknown way.
            aiohttp.ClientError: the connection broke in the body.
        """
        request = WireRequest(url, headers, b"", method="GET")
        response = await self._sessions.send(request, lambda: None)
        try:
            if response.status != _OK:
                return response.status, b""
            return _OK, await read_body(response, bytes_max=_BODY_BYTES_MAX)
        finally:
            response.close()


def open_session() -> AccountSession:
    """Return new connections, for `async with`."""
    return AccountSession()


class Account:
    """One provider's own view of the configured key."""

    def __init__(self, provider: ProviderSettings, *, session: AccountSession) -> None:
        """Remember which provider to ask, and how."""
        self._kind = provider.kind
        self._base_url = (provider.base_url or "").rstrip("/")
        self._headers = {**secret_texts(provider.headers), **_key_header(provider)}
        self._session = session

    async def models(self) -> frozenset[str]:
        """Return the ids of all models on offer.

        Raises:
            AccountError: the key is refused, or the provider does not answer.
        """
        if self._kind is ProviderKind.GOOGLE:
            answer = await self._get("models?pageSize=1000")
            return frozenset(
                str(item.get("name", "")).removeprefix("models/") for item in _items(answer, "models")
            )
        answer = await self._get("models")
        return frozenset(str(item.get("id", "")) for item in _items(answer, "data"))

    async def price_list(self) -> list[Any]:
        """Return the entries of OpenRouter's model list as they came; it needs no key.

        Raises:
            AccountError: the provider does not answer, or not with a list.
        """
        entries = (await self._get("models")).get("data")
        if not isinstance(entries, list) or not entries:
            raise AccountError("what it answered is no list of models", key_refused=False)
        return entries

    async def headroom(self) -> Headroom | None:
        """Return what the key may still spend; None where the provider does not tell.

        Raises:
            AccountError: the key is refused, or the provider does not answer.
        """
        if self._kind is not ProviderKind.OPENROUTER:
            return None
        data = (await self._get("key")).get("data")
        key_info: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        left = _money(key_info.get("limit_remaining"))
        return Headroom(left, _money(key_info.get("usage")) or NanoUsd(0))

    async def charged(self, upstream_id: str) -> NanoUsd | None:
        """Return what a past reply cost by OpenRouter's record, on a key of the customer's own too.

        None where it has no record, or one that says 0 of a reply with tokens: a model that is priced is
        not free.

        Raises:
            AccountError: the key is refused, or the provider does not answer.
        """
        if self._kind is not ProviderKind.OPENROUTER:
            return None
        try:
            data = (await self._get(f"generation?id={quote(upstream_id, safe='')}")).get("data")
        except AccountError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return _recorded_cost(data) if isinstance(data, Mapping) else None

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status, body = await self._session.get(f"{self._base_url}/{path}", self._headers)
        except TimeoutError as exc:
            raise AccountError(f"no answer within {_TIMEOUT_S:g} s", key_refused=False) from exc
        except AttemptFailedError as exc:
            raise AccountError(f"cannot be reached ({exc.detail})", key_refused=False) from None
        except (aiohttp.ClientError, OSError) as exc:
            raise AccountError(f"cannot be reached ({type(exc).__name__})", key_refused=False) from exc
        except (UnsendableError, BodyUnreadableError) as exc:
            raise AccountError(str(exc), key_refused=False) from None
        if status != _OK:
            raise _refusal(status, self._kind)
        answer = read_object_or_none(body)
        if answer is None:
            raise AccountError("what answers there is no such provider", key_refused=False)
        return answer


def _key_header(provider: ProviderSettings) -> dict[str, str]:
    key = secret_text(provider.api_key)
    if not key:
        return {}
    return (
        {"x-goog-api-key": key}
        if provider.kind is ProviderKind.GOOGLE
        else {"Authorization": f"Bearer {key}"}
    )


def _refusal(status: int, kind: ProviderKind) -> AccountError:
    if status in _REDIRECTS:
        return AccountError(
            f"HTTP {status}: it points to another address, which is not followed",
            key_refused=False,
            status=status,
        )
    # Google says 400 of a key it does not know.
    refused = status in _REFUSED or (kind is ProviderKind.GOOGLE and status == _BAD_REQUEST)
    return AccountError(f"HTTP {status}", key_refused=refused, status=status)


def _items(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    items = answer.get(name)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _recorded_cost(record: Mapping[str, Any]) -> NanoUsd | None:
    upstream = record.get("upstream_inference_cost")
    cost = openrouter_cost(record.get("total_cost"), upstream, is_byok=record.get("is_byok"))
    tokens = [count for name in _RECORDED_TOKENS if type(count := record.get(name)) is int]
    # Next to nothing for tokens is no cost; no model's has ever been a hundredth of a nano-dollar a token.
    return None if cost is not None and cost * _TOKENS_FOR_A_NANO < max(tokens, default=0) else cost


def _money(usd: Any) -> NanoUsd | None:
    if isinstance(usd, bool) or not isinstance(usd, int | float | str):
        return None
    try:
        return nano_usd(usd)
    except ValueError:
        # A key that is overdrawn.
        return NanoUsd(0)
