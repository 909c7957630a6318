"""`orchestrator ask`: the answer on standard output, what it cost on standard error."""

import copy
import os
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.cli import session as session_module


def test_the_answer_goes_to_stdout_and_its_price_to_stderr(run, practice):
    """A pipe gets the answer alone; people see model, cost, attempts, time and request id."""
    ran = run("ask", "Đơn hàng DH1001 ở đâu?", "--tenant", "acme")
    assert ran.code == 0
    assert ran.out.startswith("This is a practice answer by openai/gpt-6.1-sol")
    assert ran.out.endswith("\n")
    assert "openrouter/gpt-6.1-sol · $0.0" in ran.err
    assert "1 attempt ·" in ran.err
    assert "request " in ran.err
    assert len(ran.err.splitlines()) == 1


def test_json_tells_everything_with_exact_money(run, practice):
    """--json is one object; its cost is what the provider billed, in nano-dollars and as a decimal text."""
    reply = run("ask", "hello", "--json").json
    billed = practice.bill.total_nusd()
    assert reply["cost_nusd"] == billed > 0
    assert Decimal(reply["cost_usd"]) * 10**9 == billed
    assert reply["attempts"][0]["cost_source"] == "provider"
    assert reply["plan"]["candidates"][0]["deployment"] == reply["deployment"]
    assert reply["cached"] == "miss"
    assert {"text", "usage", "latency_s", "request_id", "notices"} <= reply.keys()
    assert (reply["degraded"], reply["degraded_kinds"]) == (None, [])


def test_json_tells_why_a_reply_is_degraded_in_words_and_in_kinds(run, practice):
    practice.faults.add("openrouter:status=503")
    reply = run("ask", "hello", "--json").json
    assert "openrouter/gpt-6.1-sol unavailable" in reply["degraded"]
    assert reply["degraded_kinds"] == ["fallback"]


def test_a_second_ask_comes_from_the_cache_unless_told_otherwise(run, practice):
    """The same prompt costs nothing the second time; --no-cache asks again."""
    run("ask", "hello")
    again = run("ask", "hello")
    assert "cache hit" in again.err
    assert "$0.00 " in again.err
    assert run("ask", "hello", "--no-cache", "--json").json["cached"] == "miss"
    assert practice.bill.count() == 2


def test_the_prompt_may_be_piped_in(run, practice):
    """Without a prompt, or with -, standard input is the prompt, Vietnamese and a byte order mark included."""
    text = "Xin chào, cửa hàng mở cửa lúc mấy giờ?"
    for arguments in ((), ("-",)):
        ran = run("ask", *arguments, "--no-cache", stdin=b"\xef\xbb\xbf" + text.encode())
        assert ran.code == 0
        assert text in ran.out


def test_stdin_that_is_not_utf8_is_refused_with_what_to_do(run, practice):
    """Bytes of another encoding are named with their place; nothing is sent."""
    ran = run("ask", stdin=b"first line\nkh\xe1ch")
    assert ran.code == 2
    assert "standard input is not UTF-8: byte 13, line 2" in ran.err
    assert "iconv" in ran.err
    assert not practice.requests


def test_a_key_gets_the_same_answer_again_and_another_question_exits_2(run, practice):
    """--idempotency-key: the line about the second answer says that it was replayed, for nothing."""
    options = ("--idempotency-key", "order-17", "--no-cache", "--no-stream")
    first = run("ask", "hello", *options)
    again = run("ask", "hello", *options)
    assert again.out == first.out
    assert "· $0.00 · replayed ·" in again.err
    other = run("ask", "goodbye", *options)
    assert other.code == 2
    assert "use a new key for a new request" in other.err
    assert len(practice.requests) == 1


def test_an_empty_stdin_is_a_usage_error(run, practice):
    """Nothing to ask is said at once."""
    ran = run("ask", stdin=b"  \n")
    assert ran.code == 2
    assert "empty" in ran.err


def test_a_stream_prints_its_words_as_they_come(run, practice):
    """--stream gives the same text as the whole answer, and the same line about it."""
    ran = run("ask", "hello", "--stream", "--no-cache")
    assert ran.out.startswith("This is a practice answer")
    assert "openrouter/gpt-6.1-sol" in ran.err
    assert practice.requests[-1].body["stream"] is True


def test_an_outage_is_survived_and_said(run, practice):
    """With OpenRouter down another provider answers, and the line says that it is degraded."""
    practice.faults.add("openrouter:status=503")
    ran = run("ask", "hello")
    assert ran.code == 0
    assert "google/gemini-3.8-flash" in ran.err
    assert "degraded: openrouter/gpt-6.1-sol unavailable" in ran.err


@pytest.fixture
def impatient(shipped_data, tmp_path, monkeypatch):
    """The shipped configuration, which waits for nobody to recover."""
    data = copy.deepcopy(shipped_data)
    data["retry_profiles"]["interactive"]["max_recovery_wait_s"] = 0
    path = tmp_path / "config.yaml"
    path.write_bytes(orjson.dumps(data))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))


@pytest.mark.parametrize("streamed", ["--stream", "--no-stream"])
def test_when_nobody_answers_a_person_reads_an_apology_and_a_program_an_exit_code(
    run, practice, impatient, monkeypatch, streamed
):
    """In the language of the question, with the request's id; why stands on standard error."""
    monkeypatch.setenv("LOCAL_MODEL_BASE_URL", "http://127.0.0.1:9/v1")
    practice.faults.add("*:status=503")
    ran = run("ask", "Đơn hàng của tôi ở đâu?", streamed)
    assert ran.code == 4
    assert ran.out.startswith("Xin lỗi, lúc này chúng tôi chưa thể trả lời")
    assert "error: nobody answered: no provider could answer" in ran.err
    assert "error:   openrouter/" in ran.err
    failed = run("ask", "Where is my order?", "--json")
    assert failed.code == 4
    assert failed.json["error"]["type"] == "AllProvidersFailedError"


def test_a_short_deadline_is_the_providers_and_not_that_of_our_own_start(run, practice):
    """Loading LiteLLM takes seconds, which nobody means who gives a question five."""
    assert run("ask", "hello", "--deadline-s", "5").code == 0


def test_without_a_key_a_vietnamese_question_gets_its_apology_at_once(run):
    """No tiny model writes words that are none; what to do stands below, in one line."""
    ran = run("ask", "Đơn DH1001 của tôi ở đâu?")
    assert ran.code == 4
    assert ran.out.startswith("Xin lỗi")
    assert "the emergency model writes en alone" in ran.err
    assert ran.err.count("no key is set") == 1
    assert ran.err.splitlines()[-1].startswith("hint: no provider has a key; 'orchestrator ask --practice'")


def test_practice_answers_a_question_without_a_key_and_leaves_nothing_behind(run, home):
    """The first command of a newcomer: a whole answer of the first choice, that says what it is."""
    ran = run("ask", "--practice", "Đơn DH1001 của tôi ở đâu?")
    assert ran.code == 0
    assert ran.out.startswith("This is a practice answer by openai/gpt-6.1-sol")
    assert "openrouter/gpt-6.1-sol · $0.0" in ran.err
    assert "hint" not in ran.err
    assert not home.exists()


def test_unknown_names_are_met_with_the_likely_one(run, practice):
    """A misspelt use case or model exits 2, and the message knows what was meant."""
    ran = run("ask", "hi", "--use-case", "customer_servce")
    assert ran.code == 2
    assert "Did you mean 'customer_service'?" in ran.err
    ran = run("ask", "hi", "--model", "gpt-6-lunna")
    assert ran.code == 2
    assert "Did you mean 'gpt-6-luna'?" in ran.err


def test_over_budget_exits_3_and_sends_nothing(run, practice, tmp_path, monkeypatch):
    """A spent budget refuses before anything is sent, and says which and how to go on."""
    config = _with_day_limit(tmp_path, "0.0000001")
    ran = run("--config", str(config), "ask", "hello", "--model", "gpt-6.1-sol")
    assert ran.code == 3
    assert "budget of all" in ran.err
    assert not practice.requests


def test_a_failing_json_command_tells_its_error_as_json(run, practice):
    """A program that asked for JSON gets the error as JSON, with type, message and exit code."""
    ran = run("ask", "hi", "--use-case", "nope", "--json")
    assert ran.code == 2
    assert ran.json["error"]["type"] == "UnknownNameError"
    assert ran.json["error"]["exit_code"] == 2


def test_a_prompt_larger_than_any_context_is_refused(run, practice):
    """A prompt that no model can take exits 2 and says to shorten it."""
    ran = run("ask", stdin=("đơn hàng " * 400_000).encode())
    assert ran.code == 2
    assert "shorten it" in ran.err
    assert not practice.requests


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_ledger_stops_before_anything_is_sent(run, practice, home):
    """What cannot be booked is not sent: exit 6, one message, no traceback."""
    home.mkdir()
    home.chmod(0o500)
    ran = run("ask", "hello")
    assert ran.code == 6
    assert not practice.requests


def test_a_ledger_that_is_a_folder_exits_6_without_a_traceback(run, practice, home):
    """A ledger that cannot be opened is named with what to do, in one line."""
    (home / "ledger.sqlite3").mkdir(parents=True)
    ran = run("ask", "hello")
    assert ran.code == 6
    assert "cannot use the ledger" in ran.err
    assert "Traceback" not in ran.err
    assert not practice.requests


def test_a_cache_that_cannot_be_written_only_warns(run, practice, home):
    """The answer comes all the same; one warning says what to mend."""
    home.mkdir()
    (home / "cache").write_text("a file where a folder should be")
    ran = run("ask", "hello")
    assert ran.code == 0
    assert ran.out.startswith("This is a practice answer")
    assert "warning: cannot" in ran.err
    assert "set cache.path" in ran.err


def test_a_broken_stream_shows_what_came_and_exits_4(run, practice):
    """The words that arrived stay on standard output; the error says that they are not all."""
    practice.faults.add("openrouter:cut_stream=4")
    ran = run("ask", "hello", "--stream", "--no-cache")
    if ran.code == 0:
        assert "degraded" in ran.err  # rescued by the next deployment
        return
    assert ran.code == 4
    assert ran.out.startswith("This is a")
    assert ran.err.startswith("error: ")


def _with_day_limit(folder: Path, usd: str) -> Path:
    text = Path(os.environ["ORCHESTRATOR_CONFIG"]).read_text("utf-8")
    changed = text.replace(
        "{scope: all, request: 0.50, day: 100, month: 2500}", f"{{scope: all, day: {usd}}}"
    )
    assert changed != text
    path = folder / "config.yaml"
    path.write_text(changed, "utf-8")
    return path


@pytest.mark.parametrize("how", ["--stream", "--no-stream", "--json"])
def test_what_a_model_and_a_tenant_write_does_not_act_on_the_terminal(run, practice, how) -> None:
    """Neither in the answer nor in the tables and errors that name the tenant."""
    acting = "\x1b]0;owned\x07\x1b[2J[/oops] \u202eabc"
    practice._reception._house.answerer.add(f"Xin {acting} chào")
    tenant = "[/oops]"
    answered = run("ask", "hello", how, "--tenant", tenant, "--no-cache")
    told = [answered, run("report"), run("report", "--csv"), run("report", "--tenant", tenant)]
    told += [
        run("route", "hello", "--tenant", tenant),
        run("ledger", "verify"),
        run("ask", "x", "--model", tenant),
    ]
    assert [ran.code for ran in told] == [0, 0, 0, 0, 0, 0, 2]
    assert "\\x1b]0;owned" in answered.out or "\\u001b]0;owned" in answered.out
    for ran in told:
        assert "\x1b" not in ran.out + ran.err
        assert "\u202e" not in ran.out + ran.err


@pytest.mark.parametrize(("kind", "warmed_up"), [("openai", 0), ("litellm", 1)])
def test_litellm_is_loaded_before_the_question_where_a_provider_needs_it(kind, warmed_up):
    """It takes seconds, which are none of a model's."""
    provider = SimpleNamespace(kind=ProviderKind(kind))
    catalog = SimpleNamespace(deployments={"a/b": SimpleNamespace(provider=provider)})
    calls = []
    session_module.load_what_is_needed(
        SimpleNamespace(config=SimpleNamespace(catalog=catalog), warm_up=lambda: calls.append(1))
    )
    assert len(calls) == warmed_up
