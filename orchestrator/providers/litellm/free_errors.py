"""Errors of LiteLLM behind which nothing can have been billed: a refusal, or no connection.

LiteLLM makes up a status for whatever it cannot read, and follows redirects, so its own classes tell neither.
"""

from collections.abc import Iterator

import aiohttp
import httpx
import openai

_REFUSED_FROM = 400


def was_refused(error: BaseException) -> bool:
    """Return whether the provider itself refused, with a status of its own."""
    return any(_is_refusal(below) for below in _chain(error))


def origin_of(url: httpx.URL) -> str:
    """Return to whom an address leads, and how: `http` shows key and prompt on the way."""
    return f"{url.scheme}://{url.netloc.decode()}"


def was_unconnected(error: BaseException, *, origin: str) -> bool:
    """Return whether there was no connection to `origin`, and not only none to where it redirected."""
    return any(
        isinstance(below, httpx.ConnectError | httpx.ConnectTimeout)
        and not _broke(below)
        and origin_of(below.request.url) == origin
        for below in _chain(error)
    )


def _is_refusal(error: BaseException) -> bool:
    # LiteLLM's own classes are children of the SDK's, with a response that they make up.
    if type(error).__module__.startswith("litellm.exceptions"):
        return False
    is_answered = isinstance(error, httpx.HTTPStatusError | openai.APIStatusError)
    return is_answered and error.response.status_code >= _REFUSED_FROM  # type: ignore[attr-defined]


def _broke(error: BaseException) -> bool:
    """Return whether a connection broke in the middle, which LiteLLM calls none over aiohttp."""
    return any(
        isinstance(below, aiohttp.ClientOSError) and not isinstance(below, aiohttp.ClientConnectorError)
        for below in _chain(error)
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    below: BaseException | None = error
    while below is not None:
        yield below
        below = below.__cause__ or below.__context__
