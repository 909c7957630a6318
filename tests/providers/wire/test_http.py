"""One question is sent once; its answer is read, and whatever a server does instead is a failure with a name."""

import asyncio
import gzip
import itertools
import subprocess
import sys
import traceback
import zlib
from contextlib import suppress
from typing import Any

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import SHOWN_THOUGHTS, AttemptFailedError, UnreadableAnswerError
from orchestrator.core.reply import Delta
from orchestrator.providers.wire import http, sessions
from orchestrator.providers.wire.body_reading import ANSWER_BYTES_MAX
from orchestrator.providers.wire.http import WireClient
from orchestrator.providers.wire.outbound import UnsendableError
from tests.providers.wire import gemini_exchanges as gemini
from tests.providers.wire import openai_exchanges as openai
from tests.providers.wire.exchange import COUNTED_USAGE, json_bytes, sse
from tests.providers.wire.misbehaving import Answer, Exchanged, Server, bomb, serving
from tests.providers.wire.outbound_requests import outbound

OPENAI, OPENROUTER, GOOGLE = ProviderKind.OPENAI, ProviderKind.OPENROUTER, ProviderKind.GOOGLE
WHOLE = openai.body(openai.said("Xin chào"))
EVENTS = sse([openai.ROLE, openai.piece("Xin "), openai.piece("chào"), openai.STOP, openai.COUNTED])
UNTIL_NOTICED_S = 20.0


class Heard:
    """What a caller hears of its call."""

    def __init__(self) -> None:
        self.sent = 0
        self.deltas: list[Delta] = []
        self.alive = asyncio.Event()
        self.ids: list[str] = []

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas)

    def on_sent(self) -> None:
        self.sent += 1

    def on_alive(self) -> None:
        self.alive.set()


async def call(
    client: WireClient,
    server: Server,
    kind: ProviderKind = OPENAI,
    heard: Heard | None = None,
    **changes: Any,
):
    heard = heard or Heard()
    return await client.call(
        outbound(kind, base_url=server.base_url, **changes),
        on_sent=heard.on_sent,
        on_delta=heard.deltas.append,
        on_alive=heard.on_alive,
        on_id=heard.ids.append,
    )


@pytest.fixture
async def client():
    client = WireClient()
    yield client
    await client.close()


async def failing(client: WireClient, answer: Answer, **changes: Any):
    """Return the error of a call to a server that answers so, and what the caller heard."""
    heard = Heard()
    async with serving(answer) as server:
        with pytest.raises(AttemptFailedError) as caught:
            await call(client, server, heard=heard, **changes)
    return caught.value, heard


async def whole_answer(exchanged: Exchanged) -> None:
    await exchanged.answer(WHOLE)


async def streamed_answer(exchanged: Exchanged) -> None:
    await exchanged.begin_stream()
    await exchanged.chunk(EVENTS)
    await exchanged.end_stream()


async def test_a_whole_answer_comes_back_and_its_connection_serves_the_next_call(client) -> None:
    heard = Heard()
    async with serving(whole_answer) as server:
        answers = [await call(client, server, heard=heard) for _ in range(3)]
    assert {answer.text for answer in answers} == {"Xin chào"}
    assert (heard.sent, len(server.requests), server.connections) == (3, 3, 1)


@pytest.mark.parametrize("status", ["201 Created", "202 Accepted"])
async def test_a_whole_answer_with_another_status_of_success_is_an_answer(client, status) -> None:
    """Some gateways say so of every POST; it was malformed, and booked at the bound."""
    async with serving(lambda exchanged: exchanged.answer(WHOLE, status=status)) as server:
        assert (await call(client, server)).text == "Xin chào"


async def test_a_stream_is_heard_piece_by_piece_and_its_connection_serves_the_next_call(client) -> None:
    heard = Heard()
    async with serving(streamed_answer) as server:
        for _ in range(3):
            answer = await call(client, server, heard=heard, stream=True)
    assert (answer.text, heard.text) == ("Xin chào", "Xin chào" * 3)
    assert (server.connections, heard.ids) == (1, ["gen-1"] * 3)


@pytest.mark.parametrize("stream", [False, True])
async def test_googles_format_is_spoken_too(client, stream) -> None:
    async def answer(exchanged: Exchanged) -> None:
        assert ("streamGenerateContent" in exchanged.head) is stream
        if not stream:
            await exchanged.answer(json_bytes(gemini.LAST))
            return
        await exchanged.begin_stream()
        await exchanged.chunk(sse([gemini.PIECE, gemini.LAST], end=b"", separator=b"\r\n\r\n"))
        await exchanged.end_stream()

    async with serving(answer) as server:
        reply = await call(client, server, GOOGLE, stream=stream)
    assert reply.text == ("Xin chào" if stream else "chào")


async def test_notices_of_what_was_left_out_are_in_the_answer(client) -> None:
    async with serving(whole_answer) as server:
        answer = await call(client, server, upstream="gpt-6-luna", temperature=0.1)
    assert answer.notices == ("'temperature' is not taken by gpt-6-luna and was left out",)


@pytest.mark.parametrize(
    ("charset", "written"),
    [
        ("iso-8859-1", "utf-8"),
        ("latin-1", "latin-1"),
        ("windows-1258", "windows-1258"),
        ("utf-8", "utf-8"),
        ("utf-16", "utf-8"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_letters_are_read_as_they_were_written(client, charset, written, stream) -> None:
    """JSON is UTF-8 whatever a header says; only where it is none does the header count."""
    whole = openai.body(openai.said("Đà Lạt, é" if written == "utf-8" else "café à"))
    events = sse([openai.piece("café à"), openai.STOP, openai.COUNTED])
    kind = "text/event-stream" if stream else "application/json"
    body = (events if stream else whole).decode().encode(written)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}; charset={charset}\r\n"

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.send(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    async with serving(answer) as server:
        reply = await call(client, server, stream=stream)
    assert reply.text in {"Đà Lạt, é", "café à"}


@pytest.mark.parametrize("stream", [False, True])
async def test_letters_that_nobody_can_read_are_no_answer(client, stream) -> None:
    body = WHOLE.replace("à".encode(), b"\xff")

    async def answer(exchanged: Exchanged) -> None:
        kind = "text/event-stream" if stream else "application/json"
        written = b"data: " + body + b"\n\n" if stream else body
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}; charset=klingon\r\n"
        await exchanged.send(f"{head}content-length: {len(written)}\r\n\r\n".encode() + written)

    error, _ = await failing(client, answer, stream=stream)
    assert error.failure.kind is FailureKind.MALFORMED


# Never sent


async def test_what_the_format_cannot_carry_reaches_no_server(client) -> None:
    heard = Heard()
    async with serving(whole_answer) as server:
        with pytest.raises(UnsendableError):
            await client.call(
                outbound(
                    OPENAI, {"role": "user", "content": [{"type": "input_text"}]}, base_url=server.base_url
                ),
                on_sent=heard.on_sent,
            )
    assert (heard.sent, server.connections) == (0, 0)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/v1", "http://nowhere.invalid/v1", "https://127.0.0.1:1/v1"]
)
async def test_without_a_connection_nothing_was_sent(client, address) -> None:
    heard = Heard()
    with pytest.raises(AttemptFailedError) as caught:
        await client.call(outbound(OPENAI, base_url=address), on_sent=heard.on_sent)
    assert type(caught.value) is AttemptFailedError
    assert (caught.value.failure.kind, caught.value.was_sent, heard.sent) == (
        FailureKind.UNREACHABLE,
        False,
        0,
    )


async def test_a_server_without_tls_is_not_reached_by_https_and_gets_no_key(client, monkeypatch) -> None:
    # It waits for the end of a head, and the client for a greeting: neither comes.
    monkeypatch.setattr(sessions, "CONNECT_TIMEOUT_S", 0.2)
    heard = Heard()
    async with serving(whole_answer) as server:
        with pytest.raises(AttemptFailedError) as caught:
            await client.call(
                outbound(OPENAI, base_url=server.base_url.replace("http:", "https:")), on_sent=heard.on_sent
            )
    assert type(caught.value) is AttemptFailedError
    assert (caught.value.failure.kind, caught.value.was_sent) == (FailureKind.UNREACHABLE, False)
    assert (heard.sent, server.requests) == (0, [])


# Sent, and answered with something else


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
async def test_a_redirect_is_followed_nowhere(client, status) -> None:
    async with serving(whole_answer) as other:

        async def answer(exchanged: Exchanged) -> None:
            await exchanged.answer(
                b"", status=status, headers=f"location: {other.base_url}/chat/completions\r\n"
            )

        error, heard = await failing(client, answer)
    assert (error.failure.kind, error.failure.status) == (FailureKind.MALFORMED, int(status[:3]))
    assert (error.failure.policy.billing, heard.sent, other.connections) == ("maybe", 1, 0)


async def test_a_refusal_is_told_by_its_status_body_and_headers(client) -> None:
    async def answer(exchanged: Exchanged) -> None:
        body = json_bytes({"error": {"message": "slow down", "code": "rate_limit_exceeded"}})
        await exchanged.answer(body, status="429 Too Many Requests", headers="retry-after-ms: 1500\r\n")

    error, _ = await failing(client, answer)
    assert type(error) is AttemptFailedError
    assert (error.failure.kind, error.failure.status, error.failure.retry_after_s) == (
        FailureKind.RATE_LIMITED,
        429,
        1.5,
    )
    assert error.was_sent


async def test_a_status_speaks_for_a_refusal_whose_body_breaks_off(client) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.send(b"HTTP/1.1 503 No\r\ncontent-length: 100\r\n\r\n{")
        exchanged.writer.close()

    error, _ = await failing(client, answer)
    assert (error.failure.kind, error.failure.status) == (FailureKind.UNAVAILABLE, 503)


async def test_of_a_huge_refusal_the_beginning_is_read_and_the_connection_closed(client) -> None:
    written = 0

    async def answer(exchanged: Exchanged) -> None:
        nonlocal written
        await exchanged.send(b"HTTP/1.1 500 No\r\ncontent-length: 500000000\r\n\r\n")
        for _ in range(7_000):
            await exchanged.send(b"a" * 65_536)
            written += 65_536

    error, _ = await failing(client, answer)
    assert error.failure.kind is FailureKind.SERVER_ERROR
    # What was still on its way in the buffers of both sides, and no more.
    assert written < 50_000_000


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("page", [b"<html><h1>502 Bad Gateway</h1></html>", b"", b"{}", b"null"])
async def test_a_200_that_is_no_answer_is_unreadable(client, stream, page) -> None:
    async def answer(exchanged: Exchanged) -> None:
        kind = b"text/html" if page.startswith(b"<") else b"application/json"
        await exchanged.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(page), page)
        )

    error, _ = await failing(client, answer, stream=stream)
    assert error.failure.kind is FailureKind.MALFORMED


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-ndjson", "text/html", "text/event-stream"]
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b": hello\n\n", b"event: message\n"])
async def test_a_stream_is_known_by_its_bytes_whatever_was_asked_for(client, kind, stream, before) -> None:
    heard = Heard()

    async def answer(exchanged: Exchanged) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(before + EVENTS)}\r\n\r\n"
        await exchanged.send(head.encode() + before + EVENTS)

    async with serving(answer) as server:
        whole = await call(client, server, heard=heard, stream=stream)
    assert (whole.text, whole.usage) == ("Xin chào", COUNTED_USAGE)
    assert heard.text in ({"Xin chào"} if stream else {"", "Xin chào"})


async def test_half_a_stream_where_a_whole_answer_was_asked_for_is_none(client) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(EVENTS[: len(EVENTS) // 2])

    error, _ = await failing(client, answer)
    assert error.failure.kind in {FailureKind.MALFORMED, FailureKind.INTERRUPTED}


async def test_a_whole_answer_where_a_stream_was_asked_for_is_one_piece_of_it(client) -> None:
    heard = Heard()
    async with serving(whole_answer) as server:
        answer = await call(client, server, heard=heard, stream=True)
    assert (answer.text, [delta.text for delta in heard.deltas]) == ("Xin chào", ["Xin chào"])


# Too much


async def _flooding(exchanged: Exchanged) -> None:
    await exchanged.send(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    for _ in range(10_000):
        await exchanged.chunk(b"a" * 65_536)


async def _announcing(exchanged: Exchanged) -> None:
    await exchanged.send(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        % (ANSWER_BYTES_MAX + 1)
    )
    await exchanged.closed_by_client()


async def _exploding(exchanged: Exchanged) -> None:
    await exchanged.answer(bomb(64), headers="content-encoding: gzip\r\n")


async def _long_line(exchanged: Exchanged) -> None:
    await exchanged.begin_stream()
    for _ in range(10_000):
        await exchanged.chunk(b"data: " * 10_000)


async def _exploding_stream(exchanged: Exchanged) -> None:
    await exchanged.begin_stream("content-encoding: gzip\r\n")
    await exchanged.chunk(bomb(100))


@pytest.mark.parametrize(
    ("answer", "stream"),
    [
        (_flooding, False),
        (_announcing, False),
        (_exploding, False),
        (_long_line, True),
        (_exploding_stream, True),
    ],
)
async def test_more_than_any_answer_is_none_and_others_have_their_turn_meanwhile(
    client, answer, stream
) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    busy = asyncio.create_task(others())
    error, _ = await failing(client, answer, stream=stream)
    busy.cancel()
    assert error.failure.kind is FailureKind.MALFORMED
    assert turns > 5


async def test_a_burst_of_twenty_thousand_pieces_leaves_others_their_turn(client) -> None:
    pieces = [openai.piece("a")] * 20_000
    body = sse([*pieces, openai.STOP, openai.COUNTED])
    turns: list[int] = []
    heard = Heard()

    async def others() -> None:
        while True:
            turns.append(len(heard.deltas))
            await asyncio.sleep(0)

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(body, json=False)

    busy = asyncio.create_task(others())
    async with serving(answer) as server:
        reply = await call(client, server, heard=heard, stream=True)
    busy.cancel()
    assert len(reply.text) == 20_000
    gaps = [later - earlier for earlier, later in itertools.pairwise(turns)]
    assert max(gaps) < 200


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes), ("GZIP", gzip.compress)],
)
async def test_an_answer_that_was_packed_unasked_is_read_all_the_same(client, encoding, pack) -> None:
    async def answer(exchanged: Exchanged) -> None:
        assert "accept-encoding: identity" in exchanged.head.lower()
        await exchanged.answer(pack(WHOLE), headers=f"content-encoding: {encoding}\r\n")

    async with serving(answer) as server:
        assert (await call(client, server)).text == "Xin chào"


@pytest.mark.parametrize("encoding", ["br", "gzip"])
async def test_what_cannot_be_unfolded_is_unreadable(client, encoding) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(WHOLE, headers=f"content-encoding: {encoding}\r\n")

    error, _ = await failing(client, answer)
    assert error.failure.kind is FailureKind.MALFORMED


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: a\r\n" % number for number in range(10_000)),
        b"HTTP/1.1 200 OK\r\nx-long: " + b"a" * 1_000_000 + b"\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n",
    ],
    ids=["many headers", "a long header", "no HTTP", "no length"],
)
async def test_what_is_no_http_may_have_been_billed_and_is_no_answer(client, head) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.send(head + b"\r\n")
        await exchanged.closed_by_client()

    error, _ = await failing(client, answer)
    assert error.failure.kind is FailureKind.MALFORMED
    assert error.failure.policy.billing == "maybe"


# Broken off


async def test_a_connection_that_breaks_before_an_answer_is_told_as_sent(client) -> None:
    async def answer(exchanged: Exchanged) -> None:
        exchanged.reset()

    error, heard = await failing(client, answer)
    assert type(error) is AttemptFailedError
    assert (error.failure.kind, error.was_sent, heard.sent) == (FailureKind.DISCONNECTED, True, 1)


async def test_a_request_is_sent_once_though_a_kept_connection_breaks_under_it(client) -> None:
    async def answer(exchanged: Exchanged) -> None:
        if len(server.requests) == 1:
            await exchanged.answer(WHOLE)
        else:
            exchanged.reset()

    async with serving(answer) as server:
        await call(client, server)
        with pytest.raises(AttemptFailedError) as caught:
            await call(client, server)
    assert type(caught.value) is AttemptFailedError
    assert (len(server.requests), caught.value.failure.kind) == (2, FailureKind.DISCONNECTED)


def short(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n"
    return head + body


@pytest.mark.parametrize("cut", [1, 20])
async def test_a_body_shorter_than_it_says_is_no_answer(client, cut: int) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.send(short(WHOLE[:-cut]))
        exchanged.writer.close()

    error, _ = await failing(client, answer)
    assert (error.failure.kind, error.failure.policy.billing) == (FailureKind.DISCONNECTED, "maybe")


@pytest.mark.parametrize("how", ["closed", "open", "open with spaces"])
async def test_a_whole_object_is_an_answer_whatever_becomes_of_its_connection(
    client, monkeypatch, how: str
) -> None:
    """It has been paid for; a second request would be paid for too."""
    monkeypatch.setattr(http, "LAST_WORD_S", 0.05)

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.send(short(WHOLE))
        if how == "closed":
            exchanged.writer.close()
        while how == "open with spaces":
            await exchanged.send(b" ")
            await asyncio.sleep(0.01)
        if how == "open":
            await exchanged.closed_by_client()

    async with serving(answer) as server, asyncio.timeout(UNTIL_NOTICED_S):
        assert (await call(client, server)).text == "Xin chào"
        assert len(server.requests) == 1


@pytest.mark.parametrize("proper_end", [False, True])
async def test_a_stream_that_breaks_off_brings_along_what_it_said(client, proper_end) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        await exchanged.chunk(sse([openai.piece("Xin ")], end=b""))
        await (exchanged.end_stream() if proper_end else asyncio.sleep(0))
        exchanged.writer.close()

    error, heard = await failing(client, answer, stream=True)
    assert isinstance(error, UnreadableAnswerError)
    assert error.answer is not None
    assert (error.failure.kind, error.answer.text, heard.text) == (FailureKind.INTERRUPTED, "Xin ", "Xin ")


async def test_a_stream_that_breaks_before_its_first_word_was_sent_and_said_nothing(client) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        await exchanged.chunk(b": waiting\n\n")
        exchanged.reset()

    error, heard = await failing(client, answer, stream=True)
    assert type(error) is AttemptFailedError
    assert (error.failure.kind, error.was_sent, heard.deltas) == (FailureKind.DISCONNECTED, True, [])


async def test_a_stream_that_breaks_after_its_finish_is_whole_and_its_usage_estimated(client) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        await exchanged.chunk(sse([openai.piece("Chào"), openai.STOP], end=b""))
        exchanged.writer.close()

    async with serving(answer) as server:
        reply = await call(client, server, stream=True)
    assert (reply.text, reply.usage.estimated) == ("Chào", True)


# A connection that stays open


@pytest.mark.parametrize(
    ("kind", "events"),
    [
        (OPENAI, EVENTS),
        (OPENROUTER, sse([openai.piece("Xin chào"), openai.STOP, openai.OPENROUTER_LAST], end=b"")),
        (GOOGLE, sse([gemini.PIECE, gemini.LAST], end=b"", separator=b"\r\n\r\n")),
    ],
)
async def test_a_finished_stream_is_not_waited_for_and_its_connection_closed(
    client, monkeypatch, kind, events
) -> None:
    monkeypatch.setattr("orchestrator.providers.wire.sessions.END_WAIT_S", 0.05)
    monkeypatch.setattr(http, "LAST_WORD_S", 0.05)
    closed = asyncio.Event()

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        await exchanged.chunk(events)
        if await exchanged.closed_by_client():
            closed.set()

    async with serving(answer) as server, asyncio.timeout(UNTIL_NOTICED_S):
        assert (await call(client, server, kind, stream=True)).text == "Xin chào"
        await closed.wait()


@pytest.mark.parametrize(
    ("kind", "events"),
    [
        (GOOGLE, [sse([each], end=b"") for each in (gemini.response(gemini.text("Xin "), finish="STOP"), gemini.LAST)]),
        (OPENAI, [sse([openai.chunk({"content": each}, "stop", usage=openai.USAGE)], end=b"") for each in ("Xin ", "chào")]),
    ],
)  # fmt: skip
async def test_what_comes_behind_a_finish_belongs_to_the_answer_however_its_bytes_are_cut(
    client, kind, events
) -> None:
    """Some servers say of each piece that it is the last: to believe the first would cut the answer off."""
    heard, first = Heard(), asyncio.Event()

    def hear(delta: Delta) -> None:
        heard.deltas.append(delta)
        first.set()

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        await exchanged.chunk(events[0])
        await first.wait()
        await exchanged.chunk(events[1])
        await exchanged.end_stream()

    async with serving(answer) as server, asyncio.timeout(UNTIL_NOTICED_S):
        reply = await client.call(
            outbound(kind, base_url=server.base_url, stream=True), on_sent=heard.on_sent, on_delta=hear
        )
    assert (reply.text, heard.text) == ("Xin chào", "Xin chào")


async def test_comments_behind_a_finish_keep_no_answer_waiting(client, monkeypatch) -> None:
    monkeypatch.setattr(http, "LAST_WORD_S", 0.05)

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        await exchanged.chunk(sse([openai.piece("Chào"), openai.STOP], end=b""))
        while True:
            await exchanged.chunk(b": still here\n\n")
            await asyncio.sleep(0.01)

    async with serving(answer) as server, asyncio.timeout(UNTIL_NOTICED_S):
        assert (await call(client, server, stream=True)).text == "Chào"


async def test_usage_that_never_comes_holds_a_finished_answer_for_a_moment_only(client, monkeypatch) -> None:
    monkeypatch.setattr(http, "LAST_WORD_S", 0.05)

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        await exchanged.chunk(sse([openai.piece("Chào"), openai.STOP], end=b""))
        await exchanged.closed_by_client()

    async with serving(answer) as server, asyncio.timeout(UNTIL_NOTICED_S):
        reply = await call(client, server, stream=True)
    assert (reply.text, reply.usage.estimated) == ("Chào", True)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_call_closes_its_connection_at_once(client, stream) -> None:
    waiting, closed = asyncio.Event(), asyncio.Event()

    async def answer(exchanged: Exchanged) -> None:
        if stream:
            await exchanged.begin_stream()
            await exchanged.chunk(sse([openai.piece("Xin")], end=b""))
        waiting.set()
        if await exchanged.closed_by_client():
            closed.set()

    async with serving(answer) as server, asyncio.timeout(UNTIL_NOTICED_S):
        calling = asyncio.create_task(call(client, server, stream=stream))
        await waiting.wait()
        calling.cancel()
        with suppress(asyncio.CancelledError):
            await calling
        await closed.wait()


async def test_events_without_words_are_told_apart_from_words(client) -> None:
    go_on = asyncio.Event()
    heard = Heard()

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream("x-generation-id: gen-7\r\n")
        await exchanged.chunk(sse([openai.ROLE], end=b""))
        await go_on.wait()
        await exchanged.chunk(EVENTS)
        await exchanged.end_stream()

    async with serving(answer) as server, asyncio.timeout(UNTIL_NOTICED_S):
        calling = asyncio.create_task(call(client, server, OPENROUTER, heard, stream=True))
        await heard.alive.wait()
        assert (heard.ids, heard.deltas) == (["gen-7"], [])
        go_on.set()
        assert (await calling).upstream_id == "gen-7"
    assert (heard.ids, heard.text) == (["gen-7"], "Xin chào")


async def test_a_comment_keeps_no_answer_alive_that_never_begins(client) -> None:
    go_on = asyncio.Event()
    heard = Heard()
    heard.ids = _Told(go_on)

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream("x-generation-id: gen-7\r\n")
        await go_on.wait()
        for _ in range(20):
            await exchanged.chunk(b": OPENROUTER PROCESSING\n\n")
        await exchanged.chunk(EVENTS)
        await exchanged.end_stream()

    async with serving(answer) as server, asyncio.timeout(UNTIL_NOTICED_S):
        await call(client, server, OPENROUTER, heard, stream=True)
    assert heard.text == "Xin chào"
    assert not heard.alive.is_set()


class _Told(list[str]):
    """Sets an event when the first id comes."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    def append(self, upstream_id: str) -> None:
        super().append(upstream_id)
        self._event.set()


async def test_a_stream_in_drops_of_one_byte_is_the_same_stream(client) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        for at in range(len(EVENTS)):
            await exchanged.chunk(EVENTS[at : at + 1])
        await exchanged.end_stream()

    heard = Heard()
    async with serving(answer) as server:
        assert (await call(client, server, heard=heard, stream=True)).text == heard.text == "Xin chào"


async def test_a_listener_that_fails_ends_the_call_with_its_own_error(client) -> None:
    def fail(delta: Delta) -> None:
        raise KeyError(delta.text)

    async with serving(streamed_answer) as server:
        with pytest.raises(KeyError):
            await client.call(
                outbound(OPENAI, base_url=server.base_url, stream=True), on_sent=lambda: None, on_delta=fail
            )


async def test_a_listener_whose_own_connection_breaks_is_not_taken_for_the_provider(client) -> None:
    def fail(delta: Delta) -> None:
        raise BrokenPipeError

    async with serving(streamed_answer) as server:
        with pytest.raises(BrokenPipeError):
            await client.call(
                outbound(OPENAI, base_url=server.base_url, stream=True), on_sent=lambda: None, on_delta=fail
            )


async def test_a_refusal_whose_body_never_ends_is_told_by_its_status(client, monkeypatch) -> None:
    monkeypatch.setattr(http, "LAST_WORD_S", 0.05)

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.send(b"HTTP/1.1 429 No\r\ncontent-length: 100\r\nretry-after: 7\r\n\r\n{")
        await exchanged.closed_by_client()

    async with asyncio.timeout(UNTIL_NOTICED_S):
        error, _ = await failing(client, answer)
    assert (error.failure.kind, error.failure.retry_after_s) == (FailureKind.RATE_LIMITED, 7)


async def _no_http(exchanged: Exchanged) -> None:
    await exchanged.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


@pytest.mark.parametrize("answer", [_no_http, whole_answer], ids=["no HTTP", "no connection"])
async def test_the_key_stands_in_no_error_nor_behind_one(client, answer) -> None:
    address = "http://127.0.0.1:1/v1" if answer is whole_answer else None
    async with serving(answer) as server:
        with pytest.raises(AttemptFailedError) as caught:
            await client.call(
                outbound(OPENAI, base_url=address or server.base_url, stream=True), on_sent=lambda: None
            )
    shown = "".join(traceback.format_exception(caught.value))
    assert "sk-secret" not in shown
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_the_wire_needs_no_other_library_of_a_vendor() -> None:
    program = (
        "import sys, orchestrator.providers.wire.http\n"
        "print(sorted({'litellm', 'openai', 'httpx', 'langchain_core', 'google.genai'} & sys.modules.keys()))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


async def test_a_stream_whose_thoughts_began_in_the_prompt_is_told_once_and_then_parted(client) -> None:
    """Of the first one nobody knows before it is shown; the model is known from then on, until it changes."""
    thinking = sse([openai.piece("hm "), openai.piece("hm</think>\n\n"), openai.piece("Chào"), openai.STOP])
    plain = sse([openai.piece("Chào "), openai.piece("bạn"), openai.STOP])
    coming = iter([thinking, thinking, thinking, plain, plain])

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.begin_stream()
        await exchanged.chunk(next(coming))
        await exchanged.end_stream()

    told = []
    async with serving(answer) as server:
        for _ in range(5):
            heard = Heard()
            got = await call(client, server, heard=heard, stream=True)
            assert heard.text == got.text
            told.append((got.text, got.reasoning, SHOWN_THOUGHTS in got.notices))
    assert told == [
        ("hm hm</think>\n\nChào", "", True),
        *[("Chào", "hm hm", False)] * 2,
        *[("Chào bạn", "", False)] * 2,
    ]
