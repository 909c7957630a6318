"""A provider that quotes the key it was sent has it masked before a vendor's client makes an error of it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from orchestrator.core.secret_values import SecretText
from orchestrator.metering.echoed_keys import without_echo

KEY = "sk-the-whole-key-of-config"
GATE = "the-secret-of-the-gateway"


class Quoting(BaseHTTPRequestHandler):
    """Fails with what it was sent, in pieces that cut the key."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length") or 0))
        is_refusal = self.path.startswith("/refusing")
        is_stream = not is_refusal and (b'"stream":true' in sent.replace(b" ", b"") or "alt=sse" in self.path)
        key = self.headers.get("authorization") or self.headers["x-goog-api-key"]
        words = f"wrong key {key} at the gate {self.headers['x-gate']}"
        error = f'{{"error": {{"message": "{words}", "code": 401, "status": "UNAUTHENTICATED"}}}}'
        body = (f"data: {error}\n\n" if is_stream else error).encode()
        self.send_response(401 if is_refusal else 200)
        self.send_header("content-type", "text/event-stream" if is_stream else "application/json")
        self.send_header("x-you-sent", key)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), 7):
            self.wfile.write(body[start : start + 7])
            self.wfile.flush()


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quoting)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("name", ["openai/gpt-6-luna", "google/gemini-3.8-flash", "openrouter/gpt-6-luna"])
@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
@pytest.mark.parametrize("key", [KEY, "kz-7q"])
@pytest.mark.parametrize("where", ["refusing", "answering"])
async def test_no_error_of_a_native_client_quotes_the_key(
    make_orchestrator: Any, address: str, name: str, how: str, key: str, where: str
) -> None:
    """Neither a refusal nor an error inside an answer of status 200, whole or streamed."""
    provider = {"base_url": f"{address}/{where}/v1beta", "api_key": key, "headers": {"X-Gate": GATE}}
    native = make_orchestrator({"providers": {name.partition("/")[0]: provider}}).native(name, tenant="acme")
    with pytest.raises(Exception, match=r"wrong key|is no answer|No generation") as caught:
        match how:
            case "invoke":
                native.invoke("Xin chào")
            case "ainvoke":
                await native.ainvoke("Xin chào")
            case "stream":
                list(native.stream("Xin chào"))
            case _:
                [piece async for piece in native.astream("Xin chào")]
    error: BaseException | None = caught.value
    while error is not None:
        said = f"{error!r} {vars(error)} {getattr(getattr(error, 'response', None), 'headers', '')}"
        assert key not in said
        assert GATE not in said
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_an_answer_passes_as_it_came_but_for_the_key(size: int) -> None:
    r"""A short key may be a word of an answer, and `\r\n` may be cut in two; only an error masks it."""
    answer = 'data: {"text": "ollama chạy"}\r\n\r\n: ping\n\ndata: [DONE]'

    def shown(body: str, *sent: str) -> str:
        raw = body.encode()
        blocks = [raw[start : start + size] for start in range(0, len(raw), size)]
        response = httpx.Response(200, stream=Blocks(blocks))
        return without_echo(response, dict(enumerate(map(SecretText, sent)))).read().decode()  # type: ignore[arg-type]

    assert shown(answer, "Bearer ollama") == answer
    assert shown(f"data: {KEY}\n{answer}", f"Bearer {KEY}") == f"data: ********\n{answer}"
    failed = f'{answer}\ndata: {{"error": {{\n"message": "Bearer ollama"}}}}'
    assert shown(failed, "Bearer ollama") == failed.replace("Bearer ollama", "********")


class Blocks(httpx.SyncByteStream):
    """A body in blocks."""

    def __init__(self, blocks: list[bytes]) -> None:
        self.blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        yield from self.blocks
