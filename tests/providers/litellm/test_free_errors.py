"""Only a refusal of the provider's own, or no connection to it, is free."""

import aiohttp
import httpx
import litellm
import openai
import pytest

from orchestrator.providers.litellm.free_errors import was_refused, was_unconnected

REQUEST = httpx.Request("POST", "http://127.0.0.1:9/v1/chat/completions")


def raised_from(error: BaseException, cause: BaseException | None) -> BaseException:
    error.__cause__ = cause
    return error


def status(code: int) -> httpx.HTTPStatusError:
    return httpx.HTTPStatusError("x", request=REQUEST, response=httpx.Response(code, request=REQUEST))


@pytest.mark.parametrize(
    ("code", "is_refused"), [(200, False), (307, False), (400, True), (429, True), (503, True)]
)
def test_a_status_of_the_providers_own_is_a_refusal(code: int, is_refused: bool) -> None:
    made_up = litellm.InternalServerError("x", llm_provider="openai", model="m")
    assert was_refused(raised_from(made_up, status(code))) is is_refused
    answered = httpx.Response(code, request=REQUEST)
    assert was_refused(openai.APIStatusError("x", response=answered, body=None)) is is_refused


def test_a_status_that_litellm_makes_up_is_none() -> None:
    assert not was_refused(litellm.InternalServerError("x", llm_provider="openai", model="m"))
    assert not was_refused(litellm.RateLimitError("x", llm_provider="openai", model="m"))


def test_no_connection_to_the_host_is_free_and_none_behind_a_redirect_is_not() -> None:
    for kind in (httpx.ConnectError, httpx.ConnectTimeout):
        outer = raised_from(RuntimeError(), kind("x", request=REQUEST))
        assert was_unconnected(outer, origin="http://127.0.0.1:9")
        assert not was_unconnected(outer, origin="http://127.0.0.1:10")
    assert not was_unconnected(httpx.ReadError("x", request=REQUEST), origin="http://127.0.0.1:9")


def test_a_connection_that_broke_is_not_free_whatever_it_is_called() -> None:
    broke = raised_from(httpx.ConnectError("x", request=REQUEST), aiohttp.ClientOSError())
    assert not was_unconnected(broke, origin="http://127.0.0.1:9")
