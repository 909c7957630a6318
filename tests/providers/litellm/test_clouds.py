"""Bedrock and Vertex AI: what clouds ask for beside a key, and what LiteLLM would take from the environment."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.reply import ChatReply
from orchestrator.practice import PracticeAnswer, PracticeServer, PracticeToolCall, Scripted
from orchestrator.providers.litellm.loading import load_litellm
from tests.support.prefixed import BEDROCK, KEY, VERTEX, VERTEX_CLAUDE, prefixed, prefixed_server

NEXT = "google/gemini-3.8-flash"
WHOLE_AND_STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
REGION = "eu-central-1"
SIGNED = {"aws_region_name": REGION, "aws_access_key_id": KEY, "aws_secret_access_key": "a secret"}


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """Within the deadline of a request a busy machine may not load it."""
    load_litellm()


def ask(
    orchestrator: Orchestrator, *, stream: bool = False, prompt: object = "Xin chào", **more
) -> ChatReply:
    overrides = {"cache": CacheUse.OFF, "max_tokens": 200, **more}
    if not stream:
        return orchestrator.complete(prompt, **overrides)
    with orchestrator.stream(prompt, **overrides) as pieces:
        for _ in pieces:
            pass
    return pieces.reply


class Converse(BaseHTTPRequestHandler):
    """Bedrock, which remembers how it was asked."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.path, headers, body))
        message = {"role": "assistant", "content": [{"text": "Chào"}]}
        usage = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
        reply = json.dumps(
            {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def converse() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Converse)
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def signed(server: PracticeServer, *, base_url: str | None) -> dict[str, Any]:
    return prefixed(
        server,
        BEDROCK,
        NEXT,
        providers={"bedrock": {"api_key": "", "base_url": base_url, "parameters": SIGNED}},
    )


def test_a_request_is_signed_with_its_own_keys_and_no_variable_of_amazons_changes_that(
    make_orchestrator, practice, converse, monkeypatch
) -> None:
    """The signature is that of what leaves, by Amazon's own library; the host is that of config.yaml."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "another-account")
    monkeypatch.setenv("AWS_BEDROCK_RUNTIME_ENDPOINT", "http://127.0.0.1:9")
    address = f"http://127.0.0.1:{converse.server_port}"
    assert ask(make_orchestrator(signed(practice, base_url=address))).text == "Chào"
    ((path, headers, body),) = converse.seen
    again = AWSRequest("POST", address + path, data=body, headers={"Content-Type": "application/json"})
    again.context["timestamp"] = headers["x-amz-date"]
    again.headers["X-Amz-Date"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(KEY, "a secret"), "bedrock", REGION)
    signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    assert headers["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("name", "variable"),
    [(BEDROCK, "AWS_BEDROCK_RUNTIME_ENDPOINT"), (VERTEX, "VERTEXAI_API_BASE")],
)
def test_nothing_goes_where_a_variable_points(
    make_orchestrator, practice, converse, monkeypatch, name: str, variable: str
) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{converse.server_port}")
    with prefixed_server() as server:
        prefix = name.partition("/")[0]
        reply = ask(make_orchestrator(prefixed(server, name, NEXT, providers={prefix: {"base_url": None}})))
    assert reply.deployment == NEXT
    failed = reply.attempts[0]
    assert (failed.deployment, failed.failure, failed.cost_nusd) == (name, "not_sent", 0)
    assert not converse.seen


def test_keys_of_amazons_are_taken_by_practice(make_orchestrator) -> None:
    with prefixed_server() as server:
        orchestrator = make_orchestrator(signed(server, base_url=server.base_url("bedrock")))
        for stream in (False, True):
            assert ask(orchestrator, stream=stream).deployment == BEDROCK


@WHOLE_AND_STREAM
def test_an_error_in_a_stream_of_frames_is_no_answer(make_orchestrator, practice, stream: bool) -> None:
    with prefixed_server() as server:
        changes = prefixed(server, BEDROCK, NEXT)
        orchestrator = make_orchestrator(changes | {"circuit_breaker": {"failures": 10**6}})
        for fault in (
            "error_in_200=429",
            "error_in_200=503",
            "malformed_chunk=1",
            "odd_chunk=1",
            "end_stream=1",
        ):
            server.faults.clear()
            server.faults.add(f"bedrock:{fault},times=2")
            reply = ask(orchestrator, stream=stream)
            assert reply.deployment == NEXT, fault
            assert reply.attempts[0].deployment == BEDROCK, fault
            assert not server.faults.waiting or server.faults.waiting[0].times != 2, fault


def test_what_is_cached_at_bedrock_is_priced_as_written_and_as_read(make_orchestrator) -> None:
    text = {
        "type": "text",
        "text": "Chính sách " * 2_000,
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
    prompt = [{"role": "system", "content": [text]}, {"role": "user", "content": "Xin chào"}]
    with prefixed_server() as server:
        orchestrator = make_orchestrator(prefixed(server, BEDROCK))
        written, read = ask(orchestrator, prompt=prompt), ask(orchestrator, prompt=prompt, stream=True)
        assert written.attempts[0].usage.cache_write_tokens > 1024
        assert read.attempts[0].usage.cached_input_tokens > 1024
        assert written.cost_nusd + read.cost_nusd == server.bill.total_nusd()


@pytest.mark.parametrize("name", [BEDROCK, VERTEX_CLAUDE])
@WHOLE_AND_STREAM
def test_thoughts_of_claude_come_out_of_a_cloud_and_go_back_signed(
    make_orchestrator, name: str, stream: bool
) -> None:
    call, thought = (
        PracticeToolCall("find_order", '{"number": "DH1001"}'),
        "It is about an order: look it up.",
    )
    answerer = Scripted([PracticeAnswer(tool_calls=(call,), reasoning=thought), "On its way."])
    parameters = {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}
    tool = {
        "type": "function",
        "function": {"name": "find_order", "description": "x", "parameters": parameters},
    }
    question = {"role": "user", "content": "Where is order DH1001?"}
    fields = {"tools": [tool], "max_tokens": 2_000, "reasoning_effort": "low"}
    with prefixed_server(answerer=answerer) as server:
        orchestrator = make_orchestrator(prefixed(server, name))
        asked = ask(orchestrator, prompt=[question], stream=stream, **fields)
        assert (asked.reasoning.text, asked.reasoning.vendor) == (thought, "anthropic")
        result = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "left this morning"}
        told = ask(orchestrator, prompt=[question, asked.as_message(), result], **fields)
        assert told.text == "On its way."
        assert thought in json.dumps(server.requests[-1].body)
        assert asked.cost_nusd + told.cost_nusd == server.bill.total_nusd()


def service_account(token_uri: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 -- quick, and opens nothing
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "our-project",
            "private_key_id": KEY,
            "private_key": pem,
            "client_email": "crm@our-project.iam.gserviceaccount.com",
            "token_uri": token_uri,
        }
    )


def with_credentials(server: PracticeServer, credentials: str) -> dict[str, Any]:
    place = {"vertex_project": "our-project", "vertex_location": "europe-west4"}
    provider = {"parameters": {**place, "vertex_credentials": credentials}}
    return prefixed(server, VERTEX, NEXT, providers={"vertex_ai": provider})


def test_a_service_account_fetches_its_token_where_its_file_says(make_orchestrator) -> None:
    with prefixed_server() as server:
        account = service_account(f"{server.url}/v1/projects/-/token")
        orchestrator = make_orchestrator(with_credentials(server, account))
        assert ask(orchestrator).deployment == ask(orchestrator, stream=True).deployment == VERTEX
        assert sum(seen.path.endswith("/-/token") for seen in server.requests) == 1


@pytest.mark.parametrize("credentials", ["no JSON", '{"type": "service_account"}', "unreachable"])
def test_credentials_that_give_no_token_send_nothing(make_orchestrator, practice, credentials: str) -> None:
    if credentials == "unreachable":
        credentials = service_account("http://127.0.0.1:9/token")
    with prefixed_server() as server:
        reply = ask(make_orchestrator(with_credentials(server, credentials)))
        assert reply.deployment == NEXT
        assert (reply.attempts[0].failure, reply.attempts[0].cost_nusd) == ("not_sent", 0)
        assert not server.requests
