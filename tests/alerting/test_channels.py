"""A message is taken once, or the error says why and whether to try again; no word of it is a secret."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from orchestrator.alerting.channels import send
from orchestrator.alerting.messages import message_of
from orchestrator.alerting.settings import ChannelSettings
from orchestrator.alerting.undelivered import UndeliveredError
from orchestrator.core.language import Language
from orchestrator.providers.wire.sessions import Sessions


@pytest.fixture
async def http():
    sessions = Sessions()
    yield sessions
    await sessions.close()


def channel(**fields) -> ChannelSettings:
    return ChannelSettings.model_validate({"kind": "webhook", **fields})


async def test_a_webhook_gets_the_facts_as_json_with_its_headers(http, receiver, alert):
    settings = channel(url=receiver.url, headers={"Authorization": "Bearer x"})
    assert await send(settings, message_of(alert(), Language.EN), http=http) == "HTTP 200"
    (body,) = receiver.bodies
    assert body["alerts"][0]["facts"] == {"name": "openrouter", "detail": "open"}
    assert (body["alerts"][0]["kind"], body["alerts"][0]["state"]) == ("provider_down", "began")
    assert receiver.paths == ["/hook?sig=hush"]
    assert receiver.headers[0]["authorization"] == "Bearer x"


async def test_telegram_is_asked_under_the_bots_address(http, receiver, alert):
    base = receiver.url.partition("/hook")[0]
    settings = channel(kind="telegram", url=base, token="1:AB", chat_id="-100")
    await send(settings, message_of(alert(), Language.VI), http=http)
    assert receiver.paths == ["/bot1:AB/sendMessage"]
    assert receiver.bodies[0]["chat_id"] == "-100"
    assert receiver.bodies[0]["text"].startswith("[CẢNH BÁO] Nhà cung cấp ngừng hoạt động: openrouter")


@pytest.mark.parametrize(("status", "may_retry"), [(500, True), (429, True), (404, False), (307, False)])
async def test_who_refuses_is_asked_again_only_where_that_may_help(http, receiver, alert, status, may_retry):
    receiver.statuses.append(status)
    with pytest.raises(UndeliveredError) as refusal:
        await send(channel(url=receiver.url), message_of(alert(), Language.EN), http=http)
    assert refusal.value.may_retry is may_retry
    assert str(status) in str(refusal.value)
    assert "hush" not in str(refusal.value)
    assert len(receiver.bodies) == 1, "no redirect is followed"


async def test_who_hangs_and_who_is_not_there_are_left_in_time(http, receiver, alert):
    receiver.hangs = True
    with pytest.raises(UndeliveredError, match=r"no answer within 0.2 s"):
        await send(channel(url=receiver.url, timeout_s=0.2), message_of(alert(), Language.EN), http=http)
    with pytest.raises(UndeliveredError, match="no connection"):
        await send(channel(url="http://127.0.0.1:9/x"), message_of(alert(), Language.EN), http=http)


async def test_a_command_reads_the_alert_and_no_key_of_ours(http, alert, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "hush")
    code = "import os, sys; open(sys.argv[1], 'w').write(repr(dict(os.environ)) + '\\n' + sys.stdin.read())"
    file = tmp_path / "seen; touch x"
    settings = channel(kind="command", argv=[sys.executable, "-c", code, str(file)])
    assert await send(settings, message_of(alert(), Language.EN), http=http) == "status 0"
    environment, read = (await asyncio.to_thread(Path(file).read_text)).split("\n", 1)
    assert json.loads(read)["alerts"][0]["rule"] == "down"
    assert "hush" not in environment


async def test_a_command_that_fails_hangs_or_is_missing_is_an_error(http, alert):
    message = message_of(alert(), Language.EN)
    for argv, words in [
        ([sys.executable, "-c", "raise SystemExit(3)"], "status 3"),
        ([sys.executable, "-c", "import time; time.sleep(600)"], "no answer within"),
        (["/nowhere/notify"], "cannot be started"),
    ]:
        with pytest.raises(UndeliveredError, match=words):
            timeout_s = 0.5 if "within" in words else 30
            await send(channel(kind="command", argv=argv, timeout_s=timeout_s), message, http=http)
