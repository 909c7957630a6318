"""What is asked of providers' accounts goes to the configured address, and to no other."""

import gzip
import json
from collections.abc import Awaitable, Callable, Iterator

import orjson
import pytest

from orchestrator.catalog.catalog import ProviderKind, ProviderSettings
from orchestrator.core.secret_values import SecretText
from orchestrator.providers.account_api import Account, AccountError, open_session
from tests.providers.wire.misbehaving import Exchanged, bomb, serving
from tests.support.redirecting import STATUSES, Redirecting, redirecting

Question = Callable[[Account], Awaitable[object]]
QUESTIONS: dict[str, tuple[ProviderKind, Question]] = {
    "models of openai": (ProviderKind.OPENAI, lambda account: account.models()),
    "models of google": (ProviderKind.GOOGLE, lambda account: account.models()),
    "prices": (ProviderKind.OPENROUTER, lambda account: account.price_list()),
    "headroom": (ProviderKind.OPENROUTER, lambda account: account.headroom()),
    "a charge": (ProviderKind.OPENROUTER, lambda account: account.charged("gen-1")),
}


@pytest.fixture
def elsewhere() -> Iterator[Redirecting]:
    with redirecting() as seen:
        yield seen


def provider(kind: ProviderKind, address: str, **more: object) -> ProviderSettings:
    return ProviderSettings(kind=kind, priority=1, base_url=address, api_key=SecretText("sk-secret"), **more)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("status", STATUSES)
async def test_a_redirect_is_a_failure_and_followed_nowhere(
    elsewhere: Redirecting, question: str, status: int
) -> None:
    kind, ask = QUESTIONS[question]
    elsewhere.status = status
    async with open_session() as session:
        account = Account(provider(kind, elsewhere.url, headers={"x-team": "secret"}), session=session)
        with pytest.raises(AccountError, match=f"HTTP {status}: it points to another address") as caught:
            await ask(account)
    assert not caught.value.key_refused
    assert len(elsewhere.asked) == 1
    assert elsewhere.reached == []


async def test_a_netrc_does_not_replace_the_key(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(b'{"data": [{"id": "a"}]}')

    async with serving(answer) as server, open_session() as session:
        models = await Account(provider(ProviderKind.OPENAI, server.base_url), session=session).models()
    assert models == {"a"}
    assert "Bearer sk-secret" in server.requests[0].head
    assert "Basic" not in server.requests[0].head


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"<html>", "", "no such provider"),
        (b"[" * 100_000, "", "no such provider"),
        (bomb(40), "content-encoding: gzip\r\n", "larger than any answer"),
        (b"xx", "content-encoding: br\r\n", "packed in a way"),
    ],
)
async def test_what_is_no_list_is_one_clear_error(body: bytes, headers: str, reason: str) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(body, headers=headers)

    async with serving(answer) as server, open_session() as session:
        with pytest.raises(AccountError, match=reason):
            await Account(provider(ProviderKind.OPENAI, server.base_url), session=session).models()


async def test_a_packed_list_is_read() -> None:
    async def answer(exchanged: Exchanged) -> None:
        body = gzip.compress(json.dumps({"data": [{"id": "a"}, {"id": "b"}]}).encode())
        await exchanged.answer(body, headers="content-encoding: gzip\r\n")

    async with serving(answer) as server, open_session() as session:
        account = Account(provider(ProviderKind.OPENAI, server.base_url), session=session)
        assert await account.models() == {"a", "b"}


TOKENS = {"native_tokens_prompt": 1_000, "native_tokens_completion": 10}


@pytest.mark.parametrize(
    ("record", "cost_nusd"),
    [
        ({"total_cost": 0.0015, "is_byok": False, "upstream_inference_cost": 0.0015, **TOKENS}, 1_500_000),
        ({"total_cost": 0.0018, "is_byok": True, "upstream_inference_cost": 0.036, **TOKENS}, 37_800_000),
        ({"total_cost": 0, "is_byok": True, "upstream_inference_cost": 0.036, **TOKENS}, 36_000_000),
        ({"total_cost": 0.0018, "is_byok": True, **TOKENS}, None),
        ({"total_cost": 0.0018, "is_byok": True, "upstream_inference_cost": 0, **TOKENS}, None),
        ({"total_cost": 0, "is_byok": False, **TOKENS}, None),
        ({"total_cost": 1e-12, "is_byok": False, **TOKENS}, None),
        ({"total_cost": 1e-9, "is_byok": False, **TOKENS}, None),
        ({"total_cost": 0, "is_byok": False, "native_tokens_prompt": 0}, 0),
        ({"total_cost": -1, **TOKENS}, None),
        ({}, None),
    ],
)
async def test_the_record_of_a_reply_tells_its_whole_cost_or_none(record, cost_nusd) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(orjson.dumps({"data": record}))

    async with serving(answer) as server, open_session() as session:
        provider = ProviderSettings(kind=ProviderKind.OPENROUTER, priority=1, base_url=server.base_url)
        assert await Account(provider, session=session).charged("gen-1") == cost_nusd
