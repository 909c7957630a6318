"""What a client may do to a connection, with real sockets: it is bounded, and nobody else notices."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from orchestrator.server import connections

LONG_S = 300


def connect(running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=LONG_S)


def all_of(connection: socket.socket) -> bytes:
    """Return what comes until the server closes."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionError:
        pass
    return received


def is_served(running) -> bool:
    with running.client() as client:
        return client.get("/healthz").status_code == 200


def test_rubbish_is_a_400_in_openais_shape(running):
    with connect(running) as connection:
        connection.sendall(b"\x16\x03\x01 rubbish \x00\xff\r\n\r\n")
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"malformed_request"' in answer
    assert is_served(running)


@pytest.mark.parametrize(
    "headers",
    [b"".join(b"x-%d: 1\r\n" % number for number in range(101)), b"x: " + b"a" * 40_000 + b"\r\n"],
    ids=["many", "large"],
)
def test_too_many_or_too_large_headers_are_431(running, headers):
    with connect(running) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n" + headers + b"\r\n")
        assert all_of(connection).startswith(b"HTTP/1.1 431 ")


def test_headers_that_never_end_are_cut_off_before_they_fill_the_memory(running):
    with connect(running) as connection, pytest.raises(ConnectionError):
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        for _ in range(1000):
            connection.sendall(b"x: " + b"a" * 10_000 + b"\r\n")
            time.sleep(0.001)


@pytest.mark.parametrize(
    "sent", [b"", b"\r\n", b"GET /healthz HTTP/1.1\r\nx: "], ids=["nothing", "line", "some"]
)
def test_a_client_that_does_not_finish_its_headers_in_time_is_cut_off(serve, sent):
    running = serve(header_s=0.3)
    with connect(running) as connection:
        connection.sendall(sent)
        answer = all_of(connection)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")


def test_a_byte_now_and_then_does_not_make_the_time_longer(serve):
    running = serve(header_s=0.5)
    with connect(running) as connection:
        began_s = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - began_s < LONG_S:
                connection.sendall(b"a")
                time.sleep(0.05)
    assert is_served(running)


def test_a_body_that_does_not_arrive_in_time_is_408(serve):
    running = serve(body_s=0.3)
    with connect(running) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"content-length: 100\r\n\r\n{"
        )
        assert all_of(connection).startswith(b"HTTP/1.1 408 ")


def test_a_crowd_of_idle_connections_keeps_nobody_out(serve):
    running = serve(connections=5)
    crowd = [connect(running) for _ in range(30)]
    try:
        assert is_served(running)
    finally:
        for connection in crowd:
            connection.close()


def test_a_body_above_the_bound_is_413_whether_its_length_is_said_or_not(serve):
    running = serve(body_bytes=10_000)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    with connect(running) as connection:
        connection.sendall(head + b"content-length: 1000000000\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
    with connect(running) as connection:
        connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n" + b"1000\r\n" + b"a" * 4096 + b"\r\n")
        connection.sendall((b"1000\r\n" + b"a" * 4096 + b"\r\n") * 2)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_request_that_was_answered_before_its_body_came_does_not_keep_its_connection(serve):
    running = serve(body_bytes=10)
    with connect(running) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"content-length: 1000000\r\n\r\n"
        )
        assert all_of(connection).startswith(b"HTTP/1.1 413 ")


def test_two_requests_at_once_on_a_connection_are_answered_in_their_order(running):
    with connect(running) as connection:
        request = b"GET /healthz HTTP/1.1\r\nhost: a\r\n"
        connection.sendall(request + b"\r\n" + request + b"connection: close\r\n\r\n")
        assert all_of(connection).count(b"200 OK") == 2


def post(path: bytes, body: bytes, *, key: str = "") -> tuple[bytes, bytes]:
    """Return the head and the body of a request."""
    lines = [b"POST " + path + b" HTTP/1.1", b"host: a", b"content-type: application/json"]
    lines += [b"authorization: Bearer " + key.encode()] if key else []
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", b""]), body


def test_a_body_that_comes_after_its_answer_leaves_the_connection_to_the_next_request(running, monkeypatch):
    """Behind a proxy the next one may be another tenant's."""
    monkeypatch.setattr(connections, "_LINGER_S", 600)
    with connect(running) as connection:
        head, body = post(b"/nowhere", b"{}")
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 404 ")
        (protocol,) = running.server.server_state.connections
        running.wait_for(lambda: protocol._linger_timer is not None)
        connection.sendall(body)
        running.wait_for(lambda: protocol._linger_timer is None)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_connection_whose_body_never_comes_is_closed(running, monkeypatch):
    monkeypatch.setattr(connections, "_LINGER_S", 0.05)
    with connect(running) as connection:
        connection.sendall(post(b"/nowhere", b"{}")[0])
        assert all_of(connection).startswith(b"HTTP/1.1 404 ")


@pytest.fixture
def crowd_size() -> Iterator[int]:
    """How many connections to open: both of their ends are files of this process, which has 1,024 by default."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = max(soft, 5000 if hard == resource.RLIM_INFINITY else min(hard, 5000))
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    yield min(2000, (files - 300) // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_thousands_that_wait_or_drip_keep_no_memory_and_nobody_out(serve, practice, crowd_size):
    """Half of the crowd says nothing, half never ends its headers; the server keeps its bound and answers others."""
    bound = min(200, crowd_size // 3)
    running = serve(connections=bound, header_s=LONG_S)
    beginning = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nx: "
    body = {"model": "cost_sensitive", "messages": [{"role": "user", "content": "Hello?"}]}
    size, crowd = crowd_size, []
    kept = running.server.server_state.connections
    try:
        for number in range(size):
            crowd.append(connect(running))
            if number % 2:
                crowd[-1].sendall(beginning)
            if number % (size // 4) == 0:
                with running.client() as client:
                    assert client.post("/v1/chat/completions", json=body).status_code == 200
                assert len(kept) <= bound + 1
        for dripping in crowd[1::2]:
            with contextlib.suppress(ConnectionError):
                dripping.sendall(b"a")
        assert is_served(running)
        running.wait_for(lambda: len(kept) <= bound)
        with running.client() as client:
            assert client.post("/v1/chat/completions", json=body).status_code == 200
    finally:
        for connection in crowd:
            connection.close()
    running.wait_for(lambda: not kept)
