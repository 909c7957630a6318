"""Whatever stands in a body or a header: never a mistake of the server, and every error in OpenAI's shape."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from orchestrator.access.key_folder import KeyFolder, KeyRing
from orchestrator.access.settings import ServerSettings
from orchestrator.core.clock import SystemClock
from orchestrator.server.app import build_app
from orchestrator.server.chat_request import _KNOWN
from orchestrator.testing.practice import Practice

EXAMPLES = 60
OURS = {503, 504}
"""Of the errors of a server only those that say: nobody answered, or not in time."""

ODD_TEXTS = st.sampled_from(
    ["", " ", "\x00", "\ud800", "Đơn 🧾", "null", "a" * 3000, "../..", "customer_service", "key:abc", "-1", "1e999",
     "data:image/png;base64,AAAA", "data:;base64,%%%", "http://127.0.0.1:1/x.png", "file:///etc/passwd", "{}", "[]"]
)  # fmt: skip
ODD_NUMBERS = st.sampled_from(
    [0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**30, 0.0, -0.0, 1e308, 1e-308, 0.5]
)
SCALARS = st.none() | st.booleans() | ODD_NUMBERS | st.integers() | ODD_TEXTS | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PART_NAMES = (
    "type",
    "text",
    "image_url",
    "input_audio",
    "file",
    "url",
    "detail",
    "data",
    "format",
    "cache_control",
)
PARTS = st.dictionaries(
    st.sampled_from(PART_NAMES),
    st.sampled_from(["text", "image_url", "input_audio", "file"])
    | VALUES
    | st.fixed_dictionaries({"url": SCALARS}),
    max_size=4,
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "tool", "developer", "function", ""]) | VALUES},
    optional={
        "content": st.just("Hello?") | VALUES | st.lists(PARTS, max_size=3),
        "name": VALUES,
        "tool_call_id": VALUES,
        "tool_calls": VALUES
        | st.lists(
            st.fixed_dictionaries(
                {}, optional={"id": VALUES, "type": VALUES, "function": VALUES
                              | st.fixed_dictionaries({"name": SCALARS, "arguments": SCALARS})},
            ),
            max_size=2,
        ),
        "refusal": VALUES,
        "reasoning_content": VALUES,
    },
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "cost_sensitive",
        "customer_service",
        "embedding",
        "gpt-6-luna",
        "google/gemini-3.8-flash",
        "text-embedding-3-small",
    ]
)
TOOLS = st.lists(
    VALUES
    | st.fixed_dictionaries(
        {"type": st.just("function"), "function": st.fixed_dictionaries({"name": SCALARS, "parameters": VALUES})}
    ),
    max_size=2,
)  # fmt: skip
FORMATS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "json_object", "json_schema"]) | SCALARS},
    optional={"json_schema": VALUES | st.fixed_dictionaries({"name": SCALARS, "schema": VALUES, "strict": VALUES})},
)  # fmt: skip
CHAT_FIELDS = sorted({*_KNOWN, "functions", "unheard_of"} - {"model", "messages", "tools", "response_format"})
CHATS = st.fixed_dictionaries(
    {"model": NAMES | VALUES, "messages": st.lists(MESSAGES | VALUES, max_size=3) | VALUES},
    optional={"tools": TOOLS | VALUES, "response_format": FORMATS | VALUES}
    | dict.fromkeys(CHAT_FIELDS, VALUES),
)
SOUND_CHATS = st.fixed_dictionaries(
    {"model": st.just("cost_sensitive"), "messages": st.just([{"role": "user", "content": "Hello?"}])},
    optional={"tools": TOOLS, "response_format": FORMATS} | dict.fromkeys(CHAT_FIELDS, VALUES),
)
EMBEDDINGS = st.fixed_dictionaries(
    {"model": NAMES | VALUES, "input": ODD_TEXTS | st.lists(VALUES, max_size=3) | VALUES},
    optional=dict.fromkeys(("encoding_format", "dimensions", "user", "unheard_of"), VALUES)
    | {"encoding_format": st.sampled_from(["float", "base64"])},
)
FEEDBACK = st.dictionaries(
    st.sampled_from(["request_id", "score", "corrected", "source", "unheard_of"]), VALUES, max_size=4
)
ASKED = (
    st.tuples(st.just("/v1/chat/completions"), CHATS | SOUND_CHATS)
    | st.tuples(st.just("/v1/embeddings"), EMBEDDINGS)
    | st.tuples(st.just("/v1/feedback"), FEEDBACK)
)
HEADER_NAMES = (
    *("idempotency-key", "authorization", "content-type", "content-encoding", "origin", "accept-language"),
    *(f"x-nextflow-{name}" for name in ("use-case", "tags", "cache", "deadline-s", "max-cost-usd", "run")),
    *("x-nextflow-run-max-cost-usd", "x-nextflow-unheard-of"),
)
HEADER_VALUES = st.sampled_from(
    [b"", b"a", b"off", b"0", b"-1", b"nan", b"inf", b"1e400", b"0.000000000001", b"5", b"1_000", b"\xff\xfe",
     "Đơn/một".encode(), b"a/b/c", b"/", b",,,", b"key:abc", b"customer_service", b"x" * 300, b"gzip", b"text/plain"]
)  # fmt: skip
HEADERS = st.dictionaries(st.sampled_from(HEADER_NAMES), HEADER_VALUES, max_size=2)
BROKEN = st.binary(max_size=40) | st.sampled_from(
    [b"", b"null", b"[]", b'"a"', b"[" * 500, b'{"a":' * 500, b"NaN", b'{"model": 1e999}', b'{"model": "\xff"}',
     b'{"model": "\\ud800", "messages": []}', b'{"model": "a", "model": {}, "messages": {}}']
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The server in this process, in front of providers in this process."""
    home = tmp_path_factory.mktemp("fuzzed")
    practice = Practice(home=home)
    keys = KeyRing(KeyFolder(home / "keys"), clock=SystemClock())
    app = build_app(practice.open(), ServerSettings(), keys)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as running:
        yield running
    practice.close()


def check(client: TestClient, path: str, body: bytes, headers: dict[str, bytes]) -> None:
    sent: Any = {"content-type": b"application/json", **headers}
    answer = client.post(path, content=body, headers=sent)
    assert answer.status_code < 500 or answer.status_code in OURS, (answer.text, path, body, headers)
    assert b'"internal_error"' not in answer.content, (path, body, headers)
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code", "request_id"}
        assert all(isinstance(error[name], str) and error[name] for name in ("message", "type", "code"))
        assert answer.headers["x-should-retry"] in {"true", "false"}


def as_bytes(body: Any) -> bytes:
    """Return JSON of any number and any text, also of those that no other encoder writes."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body).encode()


@settings(max_examples=EXAMPLES * 3, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=ASKED, headers=HEADERS)
def test_no_body_and_no_header_is_a_mistake_of_the_server(client, asked, headers) -> None:
    path, body = asked
    check(client, path, as_bytes(body), headers)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(["/v1/chat/completions", "/v1/embeddings", "/v1/feedback"]), body=BROKEN)
def test_what_is_no_object_is_refused(client, path, body) -> None:
    check(client, path, body, {})
