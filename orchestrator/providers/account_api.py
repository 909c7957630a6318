"""What a provider tells of a key: whether it is accepted, which models it may use, what is left of it.

Free requests that no LiteLLM knows of; nothing is generated, so nothing is booked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from orchestrator.catalog.catalog import ProviderKind, ProviderSettings
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.money import NanoUsd, nano_usd
from orchestrator.providers.wire.usage_reading import openrouter_cost

AccountSession = aiohttp.ClientSession
"""Connections to providers' account addresses, to be closed by the code that opened them."""

_TIMEOUT_S = 15.0
_REFUSED = frozenset({401, 403})
_BAD_REQUEST = 400
_OK = 200
_NOT_FOUND = 404
_RECORDED_TOKENS = ("tokens_prompt", "tokens_completion", "native_tokens_prompt", "native_tokens_completion")


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


def open_session() -> AccountSession:
    """Return new connections, for `async with`; proxies of the environment apply as they do to requests."""
    return aiohttp.ClientSession(trust_env=True)


class Account:
    """One provider's own view of the configured key."""

    def __init__(self, provider: ProviderSettings, *, session: AccountSession) -> None:
        """Remember which provider to ask, and how."""
        self._kind = provider.kind
        self._base_url = (provider.base_url or "").rstrip("/")
        self._headers = {**provider.headers, **_key_header(provider)}
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
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with self._session.get(
                f"{self._base_url}/{path}", headers=self._headers, timeout=timeout
            ) as response:
                if response.status != _OK:
                    raise _refusal(response.status, self._kind)
                answer = await response.json(content_type=None)
        except TimeoutError as exc:
            raise AccountError(f"no answer within {_TIMEOUT_S:g} s", key_refused=False) from exc
        except aiohttp.ClientError as exc:
            raise AccountError(f"cannot be reached ({type(exc).__name__})", key_refused=False) from exc
        except ValueError as exc:
            raise AccountError("what answers there is no such provider", key_refused=False) from exc
        if not isinstance(answer, dict):
            raise AccountError("what answers there is no such provider", key_refused=False)
        return answer


def _key_header(provider: ProviderSettings) -> dict[str, str]:
    key = provider.api_key.get_secret_value() if provider.api_key is not None else ""
    if not key:
        return {}
    return (
        {"x-goog-api-key": key}
        if provider.kind is ProviderKind.GOOGLE
        else {"Authorization": f"Bearer {key}"}
    )


def _refusal(status: int, kind: ProviderKind) -> AccountError:
    # Google says 400 of a key it does not know.
    refused = status in _REFUSED or (kind is ProviderKind.GOOGLE and status == _BAD_REQUEST)
    return AccountError(f"HTTP {status}", key_refused=refused, status=status)


def _items(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    items = answer.get(name)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _recorded_cost(record: Mapping[str, Any]) -> NanoUsd | None:
    upstream = record.get("upstream_inference_cost")
    cost = openrouter_cost(record.get("total_cost"), upstream, is_byok=record.get("is_byok"))
    return None if cost == 0 and any(record.get(name) for name in _RECORDED_TOKENS) else cost


def _money(usd: Any) -> NanoUsd | None:
    if isinstance(usd, bool) or not isinstance(usd, int | float | str):
        return None
    try:
        return nano_usd(usd)
    except ValueError:
        # A key that is overdrawn.
        return NanoUsd(0)
