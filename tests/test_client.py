"""The promises of the Orchestrator, end to end against practice providers and a real ledger file."""

import asyncio
import gc
import logging
import textwrap
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator import CacheState, CacheUse, Orchestrator
from orchestrator.client import FIXED_SETTINGS
from orchestrator.core.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    ClosedError,
    ConfigError,
    InvalidRequestError,
    LedgerError,
    PromptTooLargeError,
    UnknownNameError,
)
from orchestrator.core.money import nano_usd
from orchestrator.core.reply import DegradationKind, Outcome
from orchestrator.practice import Fault, PracticeServer
from orchestrator.routing.token_calibration import BOUND_SAMPLES_MIN

TIGHT = {"budgets": {"limits": [{"scope": "tenant:acme", "day": 0.02}]}}


def standing(orchestrator: Orchestrator, scope: str = "all") -> tuple[int, int]:
    """Spent and held of a scope today."""
    found = [one for one in orchestrator.standings() if one.scope == scope and one.window == "day"]
    return (found[0].spent, found[0].held) if found else (0, 0)


def chat_requests(practice: PracticeServer) -> int:
    return len(practice.requests)


def test_a_reply_says_who_answered_what_it_cost_and_why(practised: Orchestrator) -> None:
    """A13: one standard reply."""
    reply = practised.complete("Đơn hàng DH1001 của tôi ở đâu?", tenant="acme", user="lan", tags=["trial"])
    assert reply.text
    assert (reply.model, reply.deployment, reply.provider) == (
        "gpt-6.1-sol",
        "openrouter/gpt-6.1-sol",
        "openrouter",
    )
    assert reply.cost_nusd == sum(one.cost_nusd for one in reply.attempts) > 0
    assert reply.usage.input_tokens > 0
    assert reply.cached is CacheState.MISS
    assert reply.plan is not None
    assert reply.plan.candidates[0].reasons[0].text.startswith("GPT flagship")
    for scope in (
        "all",
        "tenant:acme",
        "use_case:customer_service",
        "user:lan",
        "provider:openrouter",
        "tag:trial",
    ):
        assert standing(practised, scope) == (reply.cost_nusd, 0)


def test_the_same_question_again_costs_nothing_and_sends_nothing(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """F08, for whole replies and streams alike."""
    first = practised.complete("Giờ mở cửa?", tenant="acme")
    second = practised.complete("Giờ mở cửa?", tenant="acme")
    stream = practised.stream("Giờ mở cửa?", tenant="acme")
    text = "".join(delta.text for delta in stream)
    assert second.text == first.text == text
    assert (second.cached, second.cost_nusd, second.usage.input_tokens) == (CacheState.HIT, 0, 0)
    assert stream.reply.cached is CacheState.HIT
    assert second.request_id != first.request_id
    assert practised.request(second.request_id).request.cached is CacheState.HIT
    assert chat_requests(practice) == 1
    assert standing(practised) == (first.cost_nusd, 0)


def test_tenants_never_share_answers(practised: Orchestrator, practice: PracticeServer) -> None:
    """The tenant is in the key."""
    practised.complete("Giờ mở cửa?", tenant="acme")
    assert practised.complete("Giờ mở cửa?", tenant="globex").cached is CacheState.MISS
    assert chat_requests(practice) == 2


def test_an_answer_of_a_lesser_model_is_not_kept(practised: Orchestrator, practice: PracticeServer) -> None:
    """A degraded reply must not outlive the outage."""
    practice.faults.add(Fault.parse("openrouter:status=503,times=3"))
    assert practised.complete("Giờ mở cửa?").degraded
    reply = practised.complete("Giờ mở cửa?")
    assert reply.cached is CacheState.MISS
    assert reply.degraded is None


def test_twenty_like_requests_at_once_are_sent_once(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """Single flight: nineteen join the first and cost nothing."""
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: practised.complete("Giờ mở cửa?"), range(20)))
    assert chat_requests(practice) == 1
    assert len({reply.text for reply in replies}) == 1
    assert sum(reply.cost_nusd for reply in replies) == standing(practised)[0] > 0
    assert len({reply.request_id for reply in replies}) == 20


@pytest.mark.parametrize("in_flight", [1, 50])
def test_a_budget_is_never_overspent(make_orchestrator, practice: PracticeServer, in_flight: int) -> None:
    """Spent and held stay within the limit at any concurrency; refusals are typed and send nothing."""
    at_once = {"use_cases": {"customer_service": {"on_limit": {"wait_s": 0}}}}
    orchestrator = make_orchestrator({**TIGHT, **at_once})
    limit = nano_usd("0.02")

    async def one(number: int) -> str:
        try:
            await orchestrator.acomplete(
                f"Câu hỏi {number}", tenant="acme", max_tokens=200, cache=CacheUse.OFF
            )
        except BudgetExceededError as exc:
            assert exc.scope == "tenant:acme"
            assert exc.resets_at is not None
            assert exc.left < exc.needed
            return "refused"
        spent, held = standing(orchestrator, "tenant:acme")
        assert spent + held <= limit
        return "answered"

    async def all_of_them() -> list[str]:
        told: list[str] = []
        for start in range(0, 200, in_flight):
            told += await asyncio.gather(*(one(number) for number in range(start, start + in_flight)))
        return told

    told = asyncio.run(all_of_them())
    spent, held = standing(orchestrator, "tenant:acme")
    assert held == 0
    assert 0 < spent <= limit
    assert told.count("answered") > 0
    if in_flight == 50:
        assert told.count("refused") > 0


def test_a_limit_holds_for_a_tenant_in_every_spelling_of_its_name(
    make_orchestrator, practice: PracticeServer
) -> None:
    """Vietnamese keyboards compose the same name in several ways."""
    spellings = [unicodedata.normalize(form, "Hà Nội") for form in ("NFC", "NFD")] + [
        " Hà Nội",
        "Ha\u0300 Nội",
    ]
    with make_orchestrator(
        {"budgets": {"limits": [{"scope": f"tenant:{spellings[1]}", "day": 0.0005}]}}
    ) as orchestrator:
        with pytest.raises(BudgetExceededError):
            for number in range(99):
                orchestrator.complete("Giờ?", tenant=spellings[number % 4], model="gpt-6-luna", cache="off")
        spent = {status.scope for status in orchestrator.standings() if status.scope.startswith("tenant:")}
    assert spent == {"tenant:Hà Nội"}
    assert 0 < practice.bill.total_nusd() <= nano_usd("0.0005")


def test_a_dear_model_over_the_budget_gives_way_to_a_cheaper_one_of_the_plan(make_orchestrator) -> None:
    """What the first choice may cost no longer fits, what the third may cost does."""
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "tenant:acme", "day": 0.003}]}})
    reply = orchestrator.complete("Xin chào", tenant="acme", max_tokens=500)
    assert reply.model == "gpt-6-luna"
    assert reply.degraded is not None


def test_five_asyncio_runs_in_a_row_make_exactly_one_call_each(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """Clients belong to the orchestrator's own loop, whatever loop the caller has."""
    for number in range(5):
        asyncio.run(practised.acomplete(f"Câu hỏi {number}"))
    assert chat_requests(practice) == 5


def test_synchronous_calls_work_inside_a_running_loop(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """A notebook's loop already runs, and `.complete` works in its cells."""

    async def cell() -> str:
        return practised.complete("Xin chào").text

    assert asyncio.run(cell())
    assert chat_requests(practice) == 1


def test_threads_share_one_orchestrator(practised: Orchestrator, practice: PracticeServer) -> None:
    """Exactly one upstream call each."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: practised.complete(f"Câu hỏi {number}"), range(16)))
    assert chat_requests(practice) == 16
    assert standing(practised)[1] == 0


def test_a_cancelled_call_is_booked_before_the_caller_goes_on(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """Nothing stays held, and what may have been billed is counted."""
    practised.warm_up()
    practice.faults.add(Fault.parse("openrouter:silence"))

    async def give_up() -> None:
        await asyncio.wait_for(practised.acomplete("Xin chào", cache=CacheUse.OFF), timeout=0.5)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    spent, held = standing(practised)
    assert held == 0
    assert spent > 0


@pytest.mark.parametrize("how", ["break", "close", "drop"])
def test_an_abandoned_stream_is_booked(practised: Orchestrator, practice: PracticeServer, how: str) -> None:
    """Whoever stops reading ends the call; what had arrived is paid for and nothing stays held."""
    practice.faults.add(Fault.parse("openrouter:stall_stream,after_chunks=3"))
    stream = practised.stream("Xin chào", cache=CacheUse.OFF)
    pieces = iter(stream)
    next(pieces)
    if how == "close":
        stream.close()
    else:
        if how == "break":
            pieces.close()
        del pieces, stream
        gc.collect()
    _until(lambda: standing(practised)[1] == 0)
    spent, held = standing(practised)
    assert held == 0
    assert spent > 0


async def test_an_abandoned_asynchronous_stream_is_booked(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """The same for `async for`."""
    practice.faults.add(Fault.parse("openrouter:stall_stream,after_chunks=3"))
    async with practised.stream("Xin chào", cache=CacheUse.OFF) as stream:
        async for _ in stream:
            break
    assert standing(practised)[1] == 0


def test_ctrl_c_in_the_middle_loses_nothing(
    environment: dict[str, str], practice: PracticeServer, make_config, warm
) -> None:
    """A process that is interrupted books what it owes before it ends."""
    practice.faults.add(Fault.parse("openrouter:silence"))
    config = make_config()
    script = textwrap.dedent(f"""
        import datetime
        from orchestrator import Orchestrator, CacheUse, load_config
        orchestrator = Orchestrator(load_config({str(config.path)!r}, today=datetime.date(2026, 11, 23)))
        orchestrator.warm_up()
        print("ready", flush=True)
        try:
            orchestrator.complete("Xin chào", cache=CacheUse.OFF)
        except KeyboardInterrupt:
            print([(one.spent > 0, one.held) for one in orchestrator.standings() if one.scope == "all"], flush=True)
    """)
    child = warm(script, environment=environment)
    assert child.told() == "ready"
    _until(lambda: chat_requests(practice) == 1)
    child.interrupt()
    assert child.told() == "[(True, 0), (True, 0)]"


def test_a_killed_process_leaves_its_hold_counted(
    environment: dict[str, str], practice: PracticeServer, make_config, make_orchestrator, warm
) -> None:
    """Kill -9 between the send and the settlement: the reservation stays, in full."""
    practice.faults.add(Fault.parse("openrouter:silence,times=1"))
    config = make_config()
    script = textwrap.dedent(f"""
        import datetime
        from orchestrator import Orchestrator, CacheUse, load_config
        orchestrator = Orchestrator(load_config({str(config.path)!r}, today=datetime.date(2026, 11, 23)))
        orchestrator.complete("Xin chào", cache=CacheUse.OFF)
    """)
    child = warm(script, environment=environment)
    _until(lambda: chat_requests(practice) == 1)
    child.kill()
    child.wait()
    orchestrator = make_orchestrator()
    bound = orchestrator.estimate("Xin chào").bound_nusd
    assert standing(orchestrator) == (0, bound)


def test_a_full_ledger_stops_the_request_before_it_is_sent(
    make_orchestrator, practice: PracticeServer, tmp_path: Path
) -> None:
    """No call is made that could not be booked."""
    blocked = tmp_path / "a file, no folder"
    blocked.write_text("")
    orchestrator = make_orchestrator({"ledger": {"path": str(blocked / "ledger.sqlite3")}})
    with pytest.raises(LedgerError, match="make the file and its folder writable"):
        orchestrator.complete("Xin chào", cache=CacheUse.OFF)
    assert chat_requests(practice) == 0


def test_a_broken_cache_fails_no_request(
    make_orchestrator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said in the log once, and the model is asked."""
    blocked = tmp_path / "a file, no folder"
    blocked.write_text("")
    orchestrator = make_orchestrator({"cache": {"path": str(blocked / "cache")}})
    with caplog.at_level(logging.WARNING, logger="orchestrator.cache"):
        assert orchestrator.complete("Xin chào").text
    assert any("answering without it" in record.message for record in caplog.records)


def test_bad_requests_say_what_to_do(practised: Orchestrator, practice: PracticeServer) -> None:
    """A mistake of the caller's is a typed error, and nothing is sent."""
    with pytest.raises(UnknownNameError, match="Did you mean 'customer_service'"):
        practised.complete("Xin chào", use_case="custommer_service")
    with pytest.raises(UnknownNameError, match="Did you mean 'gpt-6-luna'"):
        practised.complete("Xin chào", model="gpt-6-lunar")
    with pytest.raises(InvalidRequestError, match="no messages"):
        practised.complete([])
    with pytest.raises(InvalidRequestError, match="config.yaml alone"):
        practised.complete("Xin chào", api_base="http://127.0.0.1:1/v1")
    with pytest.raises(PromptTooLargeError, match="shorten it"):
        practised.complete("xin chào " * 2_000_000, model="local/smollm2-135m-instruct")
    assert chat_requests(practice) == 0


def test_a_request_limit_lowers_max_tokens_and_says_so(make_orchestrator) -> None:
    """F03: a request that would break its own limit is clamped before it is refused."""
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "all", "request": 0.002}]}})
    reply = orchestrator.complete("Xin chào", max_tokens=2000, model="openrouter/gpt-6.1-sol")
    assert any("max_tokens lowered from 2000" in notice for notice in reply.notices)
    with pytest.raises(BudgetExceededError, match="request budget .* raise the limit under 'budgets'"):
        orchestrator.complete("Xin chào " * 400, max_tokens=2000, model="openrouter/gpt-6.1-sol")


def test_a_use_case_may_rather_be_refused_than_shortened(make_orchestrator, practice: PracticeServer) -> None:
    """`on_limit: refuse`: a typed refusal that says what a whole answer may cost; nothing is sent."""
    orchestrator = make_orchestrator({"use_cases": {"customer_service": {"on_limit": "refuse"}}})
    with pytest.raises(
        BudgetExceededError, match=r"max_cost_nusd of this request .* raise max_cost_nusd\."
    ) as refused:
        orchestrator.complete("Xin chào", max_cost_nusd=nano_usd("0.005"))
    whole = orchestrator.estimate("Xin chào")
    assert refused.value.needed == whole.bound_nusd
    assert chat_requests(practice) == 0


def test_expectations_follow_what_providers_count(make_orchestrator) -> None:
    """After some answers a Vietnamese prompt is foreseen as its model counts it, also by the next process."""
    question = (
        "Đơn hàng {} của tôi đã đặt từ tuần trước mà đến hôm nay vẫn chưa được giao, xin kiểm tra giúp. " * 3
    )

    def miss(orchestrator: Orchestrator) -> float:
        asked = question.format(*"ABC")
        expected = orchestrator.explain(asked).candidates[0].input_expected_tokens
        counted = orchestrator.complete(asked, cache="off").usage.input_tokens
        return abs(expected - counted) / counted

    first = make_orchestrator()
    before = miss(first)
    for number in range(25):
        first.complete(question.format(number, number, number))
    assert miss(first) < before / 2
    first.close()
    assert miss(make_orchestrator()) < before / 2


def test_a_calibrated_bound_is_closer_and_holds(make_orchestrator) -> None:
    """`budgets.input_bound: calibrated`: less is held, and what is charged stays within it."""
    question = (
        "Đơn hàng số {} đã đặt từ tuần trước mà vẫn chưa được giao, xin kiểm tra và báo lại giúp tôi. " * 4
    )
    orchestrator = make_orchestrator({"budgets": {"input_bound": "calibrated"}})
    proven = orchestrator.explain(question).candidates[0]
    for number in range(BOUND_SAMPLES_MIN):
        orchestrator.complete(question.format(number, number, number, number), cache="off")
    closer = orchestrator.explain(question).candidates[0]
    assert closer.input_bound_tokens < proven.input_bound_tokens
    reply = orchestrator.complete(question, cache="off")
    assert reply.usage.input_tokens <= closer.input_bound_tokens
    assert reply.cost_nusd <= closer.bound_nusd


def test_the_names_of_the_source_document_still_work(practised: Orchestrator) -> None:
    """D6: an old name asks its successor."""
    assert practised.complete("Xin chào", model="gpt-3.5-turbo").model == "gpt-6-luna"


def test_explain_and_estimate_send_nothing(practised: Orchestrator, practice: PracticeServer) -> None:
    """A dry run is free, and the true cost stays within its bound."""
    plan = practised.explain("Xin chào", use_case="data_analysis")
    assert plan.candidates[0].deployment == "openrouter/gpt-6.1-sol"
    candidate = practised.estimate("Xin chào")
    assert chat_requests(practice) == 0
    assert standing(practised) == (0, 0)
    assert practised.complete("Xin chào").cost_nusd <= candidate.bound_nusd


def test_a_changed_configuration_is_used_by_the_next_request(practised: Orchestrator, make_config) -> None:
    """A04: models are switched without a restart."""
    swapped = {
        "use_cases": {
            "customer_service": {"primary": {"deployment": "google/gemini-4-argon", "reason": "Trial."}}
        }
    }
    practised.reload(make_config(swapped))
    assert practised.complete("Xin chào").deployment == "google/gemini-4-argon"


def test_another_time_zone_is_refused_until_the_ledger_has_it_and_what_runs_goes_on(
    make_config, make_orchestrator
) -> None:
    """Taken over, it would have each request refused: a change of a file would be an outage."""
    orchestrator = make_orchestrator()
    orchestrator.complete("Xin chào", tenant="acme")
    other = make_config({"budgets": {"time_zone": "America/New_York"}})
    with pytest.raises(ConfigError, match="ledger time-zone America/New_York"):
        orchestrator.reload(other)
    assert orchestrator.complete("Cảm ơn", tenant="acme").text
    assert orchestrator.config.settings.budgets.time_zone == "Asia/Ho_Chi_Minh"
    orchestrator._services.ledger.store.change_time_zone("America/New_York")
    orchestrator.reload(other)
    assert orchestrator.complete("Tạm biệt", tenant="acme").text


def test_another_time_zone_is_taken_over_where_nothing_was_counted(make_config, make_orchestrator) -> None:
    orchestrator = make_orchestrator()
    orchestrator.reload(make_config({"budgets": {"time_zone": "America/New_York"}}))
    assert orchestrator.complete("Xin chào", tenant="acme").text


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ledger", {"ledger": {"keep_days": 500}}),
        ("idempotency", {"idempotency": {"keep_s": 7200}}),
        ("local_model", {"local_model": {"parallel": 3}}),
        ("server", {"server": {"port": 8401}}),
        ("telemetry", {"telemetry": {"service_name": "crm"}}),
        ("alerts.path", {"alerts": {"path": "elsewhere"}}),
    ],
)
def test_what_is_read_once_says_that_a_change_takes_a_restart(
    practised: Orchestrator, make_config, caplog, name, change
) -> None:
    """Every one of them, and no other."""
    before = practised.config
    practised.reload(make_config(change))
    practised.reload(before)
    practised.reload(make_config({"alerts": {"check_every_s": 20}}))
    said = [record.getMessage() for record in caplog.records if "restart" in record.getMessage()]
    assert said == [f"a changed '{name}' in config.yaml takes effect after a restart"] * 2
    assert name in FIXED_SETTINGS


def test_a_closed_orchestrator_says_so(practised: Orchestrator) -> None:
    """Closing twice is fine, asking afterwards is not."""
    practised.close()
    practised.close()
    with pytest.raises(ClosedError, match="make a new one"):
        practised.complete("Xin chào")


def test_no_key_and_no_prompt_reaches_the_logs(
    practised: Orchestrator,
    practice: PracticeServer,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not from us and not from LiteLLM, whatever fails."""
    practice.faults.add(Fault.parse("openrouter:status=500"), Fault.parse("google:status=401"))
    with caplog.at_level(logging.DEBUG):
        practised.complete("bí mật của khách hàng", cache=CacheUse.OFF)
    printed = "".join(capfd.readouterr())
    logged = "\n".join(
        r.getMessage() for r in caplog.records if r.name.startswith(("orchestrator", "LiteLLM"))
    )
    for secret in ("practice-key", "bí mật"):
        assert secret not in logged
        assert secret not in printed


@pytest.mark.live
def test_without_any_key_the_local_model_answers(make_orchestrator) -> None:
    """A12: business goes on without a provider, and the reply says that it is the emergency model."""
    orchestrator = make_orchestrator(OPENROUTER_API_KEY="", GEMINI_API_KEY="", OPENAI_API_KEY="")
    reply = orchestrator.complete("Hello, who are you?", max_tokens=16)
    assert reply.deployment == "local/smollm2-135m-instruct"
    assert reply.text
    assert reply.cost_nusd == 0
    assert reply.degraded is not None
    assert DegradationKind.EMERGENCY_MODEL in reply.degraded.kinds
    assert "emergency model" in str(reply.degraded)
    assert reply.attempts[0].outcome is Outcome.SUCCEEDED
    assert reply.usage.output_tokens <= 16


def test_a_local_model_that_cannot_start_says_what_to_do(make_orchestrator, tmp_path: Path) -> None:
    """The last level's own words reach the caller."""
    orchestrator = make_orchestrator(
        {"local_model": {"model_path": str(tmp_path / "missing.gguf")}},
        OPENROUTER_API_KEY="",
        GEMINI_API_KEY="",
        OPENAI_API_KEY="",
    )
    with pytest.raises(AllProvidersFailedError, match=r"missing\.gguf"):
        orchestrator.complete("When do you open?")


@pytest.mark.live
def test_when_every_provider_is_down_the_local_model_answers_a_stream(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """The last level of the hierarchy, after real attempts on the others."""
    practice.faults.add(Fault.parse("*:status=503"))
    stream = practised.stream("Hello, who are you?", max_tokens=16)
    text = "".join(delta.text for delta in stream)
    assert text == stream.reply.text != ""
    assert stream.reply.provider == "local"
    assert len({one.deployment for one in stream.reply.attempts}) == 6


def _until(true: "object", *, patience_s: float = 300.0) -> None:
    give_up = time.monotonic() + patience_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < give_up, "it did not come about"
        threading.Event().wait(0.02)
