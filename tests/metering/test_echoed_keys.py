"""A provider that quotes the key it was sent has it masked before a vendor's client makes an error of it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

KEY = "sk-the-whole-key-of-config"
GATE = "the-secret-of-the-gateway"


class Quoting(BaseHTTPRequestHandler):
    """Refuses with what it was sent, in pieces that cut the key."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        key = self.headers.get("authorization") or self.headers["x-goog-api-key"]
        words = f"wrong key {key} at the gate {self.headers['x-gate']}"
        body = f'{{"error": {{"message": "{words}", "code": 401, "status": "UNAUTHENTICATED"}}}}'.encode()
        self.send_response(401)
        self.send_header("content-type", "application/json")
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
    yield f"http://127.0.0.1:{server.server_port}/v1beta"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("name", ["openai/gpt-6-luna", "google/gemini-3.8-flash", "openrouter/gpt-6-luna"])
@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
async def test_no_error_of_a_native_client_quotes_the_key(
    make_orchestrator: Any, address: str, name: str, how: str
) -> None:
    provider = {"base_url": address, "api_key": KEY, "headers": {"X-Gate": GATE}}
    native = make_orchestrator({"providers": {name.partition("/")[0]: provider}}).native(name, tenant="acme")
    with pytest.raises(Exception, match="wrong key") as caught:
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
        assert KEY not in said
        assert GATE not in said
        error = error.__cause__ or error.__context__
