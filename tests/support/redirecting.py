"""A server that points every request to another one, which notes whatever reaches it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

STATUSES = (301, 302, 303, 307, 308)


@dataclass
class Redirecting:
    """Two servers: one that is configured, and one that nobody configured."""

    url: str = ""
    """Where every request is answered with a redirect."""
    status: int = 307
    """Of the redirect."""
    location: str = "http://{host}:{port}"
    """Where it points, before the path; without one nothing is said."""
    asked: list[str] = field(default_factory=list)
    """The paths of the requests that were redirected."""
    reached: list[str] = field(default_factory=list)
    """What arrived where the redirect points: method and path."""


@contextmanager
def redirecting() -> Iterator[Redirecting]:
    """Serve until the block ends."""
    seen = Redirecting()
    elsewhere = ThreadingHTTPServer(("127.0.0.1", 0), _noting(seen))
    here = ThreadingHTTPServer(("127.0.0.1", 0), _pointing(seen, elsewhere.server_port))
    seen.url = f"http://127.0.0.1:{here.server_port}/v1"
    threads = [Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in (elsewhere, here)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        for server in (elsewhere, here):
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_one(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.handle_one()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.handle_one()


def _noting(seen: Redirecting) -> type[_Handler]:
    class Noting(_Handler):
        def handle_one(self) -> None:
            seen.reached.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    return Noting


def _pointing(seen: Redirecting, port: int) -> type[_Handler]:
    class Pointing(_Handler):
        def handle_one(self) -> None:
            seen.asked.append(self.path)
            self.send_response(seen.status)
            if seen.location:
                # Another host by name, as a stranger's is.
                self.send_header("location", seen.location.format(host="localhost", port=port) + self.path)
            self.send_header("refresh", f"0; url=http://localhost:{port}/")
            self.send_header("content-length", "0")
            self.end_headers()

    return Pointing
