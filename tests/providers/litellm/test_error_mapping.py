"""What a provider really did is what our failure says: real servers, real LiteLLM, every provider and every fault."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime

import httpx
import orjson
import pytest
import yaml

from orchestrator import Orchestrator
from orchestrator.config.loader import embedded_path, load_config
from orchestrator.core.errors import LocalModelError, OrchestratorError
from orchestrator.core.failures import Failure, FailureKind, kind_of_status
from orchestrator.core.provider_answer import UnreadableAnswerError
from orchestrator.dispatch.attempt import InFlightAttempt
from orchestrator.practice import PracticeServer
from orchestrator.providers.litellm import error_mapping as translate
from orchestrator.providers.litellm.error_mapping import failure_of
from orchestrator.providers.litellm.loading import load_litellm
from tests.support.ways import open_litellm_transport

MODELS = {
    "openrouter": "openrouter/gpt-6-luna",
    "openai": "openai/gpt-6-luna",
    "google": "google/gemini-3.1-flash-lite",
}
PROVIDERS = tuple(MODELS)
TIMEOUT_S = 2.5


def configured(folder, server: PracticeServer, *, timeout_s: float = 5.0) -> Orchestrator:
    """Make an orchestrator that asks once, never gives up on a deployment, and does not wait for long."""
    data = yaml.load(embedded_path().read_bytes(), Loader=yaml.CSafeLoader)
    for provider in data["providers"].values():
        provider.update(
            requests_per_min=10**6,
            tokens_per_min=10**9,
            timeout_s=timeout_s,
            first_token_timeout_s=timeout_s,
            stall_timeout_s=timeout_s,
        )
    once = {"deadline_s": 10, "attempts_per_deployment": 1, "retry_delays_s": [], "fallback_delays_s": []}
    data["retry_profiles"]["once"] = once
    data["circuit_breaker"] = {"failures": 10**6}
    data["routing"]["min_samples"] = 10**6
    data["budgets"] = {}
    data["cache"]["enabled"] = False
    path = folder / "config.yaml"
    path.write_bytes(orjson.dumps(data))
    environment = {"ORCHESTRATOR_HOME": str(folder)}
    for provider, variable in (("openrouter", "OPENROUTER"), ("google", "GOOGLE"), ("openai", "OPENAI")):
        environment[f"{variable}_BASE_URL"] = server.base_url(provider)
    for variable in ("OPENROUTER", "GEMINI", "OPENAI"):
        environment[f"{variable}_API_KEY"] = f"practice-key-{variable}"
    config = load_config(path, today=date(2026, 11, 23), environment=environment)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("orchestrator.client.open_transport", open_litellm_transport)
        return Orchestrator(config)


@pytest.fixture(scope="module")
def server(listed_prices) -> Iterator[PracticeServer]:
    with PracticeServer(prices=listed_prices) as practice:
        yield practice


@pytest.fixture(scope="module", autouse=True)
def _litellm() -> None:
    load_litellm()


@pytest.fixture(scope="module")
def shared(server, tmp_path_factory) -> Iterator[Orchestrator]:
    with configured(tmp_path_factory.mktemp("translate"), server, timeout_s=TIMEOUT_S) as orchestrator:
        for model in MODELS.values():
            # LiteLLM loads each provider's part with its first request, which takes longer than we wait.
            with suppress(OrchestratorError):
                orchestrator.complete("Xin chào", model=model, profile="once")
            assert orchestrator.complete("Xin chào", model=model, profile="once").text
        yield orchestrator


@pytest.fixture
def failures(monkeypatch) -> list[Failure]:
    """The failures that attempts are told of, as they come."""
    told: list[Failure] = []
    real = InFlightAttempt.fail

    def fail(self, failure, **more):
        if not self._ended:
            told.append(failure)
        return real(self, failure, **more)

    monkeypatch.setattr(InFlightAttempt, "fail", fail)
    return told


@pytest.fixture
def ask(shared, server, failures):
    """Ask one provider while a fault is on, and return the one failure it was told as."""

    def ask_with(provider: str, fault: str, *, stream: bool = False) -> Failure:
        server.faults.clear()
        server.faults.add(f"{provider}:{fault}")
        shared._services.dispatch.rate_limiter._taken.clear()
        try:
            with pytest.raises(OrchestratorError):
                if stream:
                    list(shared.stream("Xin chào", model=MODELS[provider], profile="once"))
                else:
                    shared.complete("Xin chào", model=MODELS[provider], profile="once")
        finally:
            server.faults.clear()
        assert len(failures) == 1, failures
        return failures[0]

    return ask_with


STATUSES = {
    400: FailureKind.BAD_REQUEST,
    401: FailureKind.UNAUTHORIZED,
    402: FailureKind.NO_CREDIT,
    403: FailureKind.UNAUTHORIZED,
    404: FailureKind.MODEL_NOT_FOUND,
    408: FailureKind.TIMEOUT,
    413: FailureKind.CONTEXT_OVERFLOW,
    422: FailureKind.BAD_REQUEST,
    429: FailureKind.RATE_LIMITED,
    500: FailureKind.SERVER_ERROR,
    502: FailureKind.SERVER_ERROR,
    503: FailureKind.UNAVAILABLE,
    504: FailureKind.UNAVAILABLE,
    529: FailureKind.UNAVAILABLE,
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_told_as_the_provider_sent_it(ask, provider, status, stream):
    """LiteLLM makes a 500 of some 503, and an own class of each; what counts is what was on the wire."""
    failure = ask(provider, f"status={status}", stream=stream)
    assert (failure.kind, failure.status) == (STATUSES[status], status)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_prompt_too_long_is_told_apart_from_other_refusals(ask, provider):
    assert ask(provider, "status=400,reason=context_length").kind is FailureKind.CONTEXT_OVERFLOW


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_a_filtered_prompt_is_told_apart_from_other_refusals(ask, provider):
    """Gemini has no such error: it answers 200 with a block reason."""
    assert ask(provider, "status=400,reason=content_filter").kind is FailureKind.CONTENT_FILTERED


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("retry_after_s", [0, 1, 2.5, 60])
def test_a_retry_after_is_read(ask, provider, retry_after_s):
    failure = ask(provider, f"status=429,retry_after_s={retry_after_s}")
    # The header has whole seconds, rounded up by some servers.
    assert failure.retry_after_s is not None
    assert retry_after_s <= failure.retry_after_s <= retry_after_s + 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_that_is_not_known_is_told_as_such_whatever_the_status(tmp_path, failures, provider):
    """Google says 400 of it, which else would be the caller's own mistake."""
    with (
        PracticeServer(api_keys={"another"}) as strict,
        configured(tmp_path, strict) as orchestrator,
        pytest.raises(OrchestratorError),
    ):
        orchestrator.complete("Xin chào", model=MODELS[provider], profile="once")
    assert [failure.kind for failure in failures] == [FailureKind.UNAUTHORIZED]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_429_without_a_retry_after_says_none(ask, provider):
    assert ask(provider, "status=429").retry_after_s is None


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("reset", {FailureKind.DISCONNECTED}),
        ("silence", {FailureKind.TIMEOUT}),
        ("malformed_body", {FailureKind.MALFORMED, FailureKind.EMPTY, FailureKind.INTERRUPTED}),
        ("empty_content", {FailureKind.EMPTY}),
        ("wrong_types", {FailureKind.MALFORMED, FailureKind.EMPTY, FailureKind.INTERRUPTED}),
        ("no_choices", {FailureKind.MALFORMED, FailureKind.EMPTY, FailureKind.INTERRUPTED}),
        ("huge_body=20", {FailureKind.MALFORMED}),
    ],
)
def test_a_broken_exchange_is_told_by_what_broke(ask, provider, fault, kinds, stream):
    failure = ask(provider, fault, stream=stream)
    assert failure.kind in kinds
    assert failure.status is None
    assert failure.policy.fall_back
    assert failure.policy.unhealthy


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_of_broken_json_is_malformed(ask, provider):
    assert ask(provider, "malformed_chunk=0").kind is FailureKind.MALFORMED


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_that_is_cut_off_is_a_broken_connection(ask, provider):
    assert ask(provider, "cut_stream=0").kind is FailureKind.DISCONNECTED


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_port_that_speaks_no_tls_is_unreachable(tmp_path, failures, provider, server, monkeypatch):
    """A certificate that is wrong and a handshake that fails are the provider's, not the request's."""
    plain = server.base_url(provider)
    monkeypatch.setattr(server, "base_url", lambda _: plain.replace("http://", "https://"))
    with configured(tmp_path, server) as orchestrator, pytest.raises(OrchestratorError):
        orchestrator.complete("Xin chào", model=MODELS[provider], profile="once")
    assert [failure.kind for failure in failures] == [FailureKind.UNREACHABLE]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_error_inside_a_200_is_a_failure(ask, provider):
    failure = ask(provider, "error_in_200=502")
    assert failure.policy.fall_back
    assert failure.policy.unhealthy


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refused_connection_is_unreachable(tmp_path, failures, provider):
    with PracticeServer() as gone:
        orchestrator = configured(tmp_path, gone)
    with orchestrator, pytest.raises(OrchestratorError):
        orchestrator.complete("Xin chào", model=MODELS[provider], profile="once")
    assert [(failure.kind, failure.status) for failure in failures] == [(FailureKind.UNREACHABLE, None)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_address_that_does_not_exist_is_unreachable(tmp_path, failures, provider, server, monkeypatch):
    def no_such_host(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(server, "base_url", lambda _: "http://nowhere.invalid:1")
    orchestrator = configured(tmp_path, server)
    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    with orchestrator, pytest.raises(OrchestratorError):
        orchestrator.complete("Xin chào", model=MODELS[provider], profile="once")
    assert [failure.kind for failure in failures] == [FailureKind.UNREACHABLE]


# ---- without a server: the forms an exception can have


def http_error(status=429, **headers):
    request = httpx.Request("POST", "http://127.0.0.1/v1/chat/completions")
    response = httpx.Response(status, request=request, headers=headers)
    return httpx.HTTPStatusError("text with the prompt in it", request=request, response=response)


def test_a_failure_holds_no_text_of_the_error():
    assert failure_of(http_error(500)) == Failure(FailureKind.SERVER_ERROR, 500, None)
    assert "prompt" not in str(failure_of(http_error(500)))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("inf", None),
        ("1e999", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_retry_after_is_a_finite_number_or_nothing(value, seconds):
    assert failure_of(http_error(**{"retry-after": value})).retry_after_s == seconds


@pytest.mark.parametrize(("exact_ms", "seconds"), [("300", 0.3), ("0", 0), ("soon", 1), ("", 1)])
def test_a_retry_after_in_milliseconds_is_the_more_exact_one(exact_ms, seconds):
    error = http_error(**{"retry-after": "1", "retry-after-ms": exact_ms})
    assert failure_of(error).retry_after_s == seconds


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0700"])
def test_a_retry_after_may_be_a_date(zone):
    moment = datetime.now(UTC) + timedelta(seconds=90)
    if zone == "+0700":
        text = format_datetime(moment.astimezone(timezone(timedelta(hours=7))))
    else:
        text = format_datetime(moment).replace("+0000", zone)
    found = failure_of(http_error(**{"retry-after": text})).retry_after_s
    assert found is not None
    assert 85 < found <= 90


def test_a_retry_after_in_the_past_is_now():
    assert failure_of(http_error(**{"retry-after": "Mon, 23 Nov 2020 10:00:00 GMT"})).retry_after_s == 0


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def test_a_veto_is_a_veto_and_what_stopped_the_local_model_is_told():
    load_litellm()
    from orchestrator.providers.litellm.hooks import AttemptVetoedError

    vetoed = caused(AttemptVetoedError("'x' was not admitted"), PermissionError("'x' was not admitted"))
    assert failure_of(vetoed).kind is FailureKind.VETOED
    no_model = caused(AttemptVetoedError("no model"), LocalModelError("no model"))
    assert failure_of(no_model).kind is FailureKind.UNREACHABLE


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncio.CancelledError(), FailureKind.CANCELLED),
        (UnreadableAnswerError(Failure(FailureKind.EMPTY)), FailureKind.EMPTY),
        (TimeoutError(), FailureKind.TIMEOUT),
        (ConnectionResetError(), FailureKind.DISCONNECTED),
        (caused(httpx.ConnectError("x"), ConnectionResetError()), FailureKind.DISCONNECTED),
        (
            caused(RuntimeError("x"), caused(ValueError("y"), ConnectionRefusedError())),
            FailureKind.UNREACHABLE,
        ),
        (ZeroDivisionError(), FailureKind.UNKNOWN),
    ],
)
def test_an_exception_is_told_by_its_deepest_known_cause(error, kind):
    assert failure_of(error).kind is kind


def test_a_chain_of_causes_that_bites_its_tail_ends():
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__context__, other.__context__ = other, one
    assert failure_of(one).kind is FailureKind.UNKNOWN


@pytest.mark.parametrize("status", [500, 503, 529])
def test_a_status_that_only_litellm_claims_counts_when_it_is_the_servers(status):
    """An error inside a stream comes without an HTTP answer of its own."""
    error = RuntimeError("in the stream")
    error.status_code = status  # type: ignore[attr-defined]
    assert failure_of(error).kind is kind_of_status(status)


def test_no_class_is_in_both_tables():
    assert not translate.TELLING.keys() & translate.BY_STATUS_OR_CAUSE
