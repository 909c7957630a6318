"""`orchestrator serve`: its address, its stop, its workers and its demo, as processes."""

import importlib.util
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator import Orchestrator, load_config
from orchestrator.access.settings import ServerSettings
from orchestrator.cli.serve import PACKAGES
from orchestrator.practice import Fault
from tests.cli.conftest import ROOT
from tests.server.conftest import served

LONG_S = 240
WARM = """
import os, sys
# What it logs is not read.
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
from orchestrator.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""`python -m orchestrator` as a forked process."""
BODY = {"model": "cost_sensitive", "messages": [{"role": "user", "content": "Hello?"}]}


def test_every_package_of_the_extra_is_looked_for_before_anything_begins(run, monkeypatch):
    """Some of them come with other packages, so one alone may be missing."""
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = {re.match(r"[a-z-]+", requirement)[0].replace("-", "_") for requirement in extra["serve"]}
    assert set(PACKAGES) == named
    found = importlib.util.find_spec
    for package in PACKAGES:
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, hidden=package: None if name == hidden else found(name)
        )
        ran = run("serve")
        assert ran.code == 2
        assert f"({package}): pip install 'nextflow-orchestrator[serve]'" in ran.err


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def serving(warm):
    """Start servers of one process each, forked of one that has LiteLLM loaded."""
    return lambda *arguments: warm(WARM, "serve", *arguments, environment=os.environ)


@pytest.fixture
def with_workers(tmp_path):
    """Start a server with two workers from nothing, as a service manager does; it is stopped at the end.

    In its working folder is a module that nobody meant.
    """
    started = []
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "uvicorn.py").write_text("raise SystemExit('a module of the working folder was run')")

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "orchestrator", "serve", "--workers", "2", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ.copy(), cwd=folder,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        if not process.stderr.closed:
            process.communicate(timeout=LONG_S)


def scraped(address: str, name: str) -> float:
    text = httpx.get(f"{address}/metrics", timeout=LONG_S, trust_env=False).text
    families = text_string_to_metric_families(text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def until_ready(address: str) -> None:
    ends = time.monotonic() + LONG_S
    while True:
        try:
            if httpx.get(f"{address}/readyz", timeout=LONG_S, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            assert time.monotonic() < ends
        time.sleep(0.05)


def test_beyond_this_machine_it_wants_a_key_first(run):
    refused = run("serve", "--host", "192.0.2.1", "--port", "0")
    assert refused.code == 2
    assert "keys make" in refused.err


def test_a_port_in_use_is_said(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = run("serve", "--port", str(taken.getsockname()[1]))
    assert refused.code == 2
    assert "choose another port with --port" in refused.err.lower()


def test_the_demo_takes_no_workers(run):
    assert run("serve", "--demo", "--workers", "2").code == 2


@pytest.mark.timeout(LONG_S * 2)
def test_workers_that_all_cannot_serve_end_with_what_is_wrong(with_workers, tmp_path, monkeypatch):
    """They began again and again, and whoever connected heard nothing."""
    (tmp_path / "litellm.py").write_text("raise ImportError('libfoo.so.1: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(ROOT))))
    server = with_workers("--port", str(free_port()))
    lines = server.communicate(timeout=LONG_S)[1].splitlines()
    assert server.returncode == 2
    assert lines[-1] == (
        "error: none of 2 workers can serve, each for the reason above; mend that and begin again"
    )
    assert "libfoo.so.1" in lines[-2]
    assert "requirements.lock" in lines[-2]


@pytest.mark.timeout(LONG_S * 2)
def test_one_process_lives_while_it_loads_and_ends_where_it_cannot(tmp_path, monkeypatch, practice):
    broken = f"""
import pathlib, time
while not pathlib.Path({str(tmp_path / "go")!r}).exists(): time.sleep(0.01)
raise ImportError('libfoo.so.1: cannot open shared object file')
"""
    (tmp_path / "litellm.py").write_text(broken)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(ROOT))))
    port = free_port()
    command = [sys.executable, "-P", "-m", "orchestrator", "serve", "--port", str(port)]
    address, ends = f"http://127.0.0.1:{port}", time.monotonic() + LONG_S
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server,
        httpx.Client(base_url=address, timeout=LONG_S, trust_env=False) as client,
    ):
        while True:
            try:
                assert client.get("/healthz").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < ends
                time.sleep(0.05)
        assert client.get("/readyz").status_code == 503
        (tmp_path / "go").touch()
        lines = server.communicate(timeout=LONG_S)[1].splitlines()
    assert server.returncode == 2
    assert "libfoo.so.1" in lines[-1]
    assert "requirements.lock" in lines[-1]


@pytest.mark.timeout(LONG_S * 2)
def test_workers_share_one_port_and_one_ledger_and_stop_after_what_runs_has_ended(
    with_workers, practice, home, run, monkeypatch
):
    port, temporary = free_port(), home.parent / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    server = with_workers("--port", str(port), "--log-json")
    address = f"http://127.0.0.1:{port}"
    until_ready(address)
    practice.faults.add(Fault.parse("*:slow_first_token=1,times=1"))
    with httpx.Client(timeout=LONG_S, trust_env=False) as client:
        answers = [client.post(f"{address}/v1/chat/completions", json=BODY | {"seed": n}) for n in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 6
    # Whichever worker answers, it counts those of both.
    assert scraped(address, "nextflow_requests_total") == 6
    assert scraped(address, "nextflow_cost_nanodollars_total") == practice.bill.total_nusd()
    assert [path.stat().st_mode & 0o077 for path in temporary.iterdir()] == [0]
    server.send_signal(signal.SIGTERM)
    lines = server.communicate(timeout=LONG_S)[1].splitlines()
    assert server.returncode == 0
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    ids = {line["request_id"] for line in logged if line["logger"] == "orchestrator.requests"}
    assert ids == {answer.headers["x-nextflow-request-id"] for answer in answers}
    assert not any(temporary.glob("orchestrator-metrics-*"))
    practice.wait_idle()
    verified = run("ledger", "verify", "--json").json
    assert verified["counters_are_right"]
    spent = sum(answer.json()["nextflow"]["cost_nusd"] for answer in answers)
    assert spent == practice.bill.total_nusd()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}/healthz", trust_env=False)


@pytest.mark.timeout(LONG_S * 2)
def test_the_demo_prints_an_address_and_a_key_that_stock_clients_take(serving):
    server = serving("--demo", "--port", "0")
    exported = dict(server.told().removeprefix("export ").split("=", 1) for _ in range(2))
    headers = {"authorization": f"Bearer {exported['OPENAI_API_KEY']}"}
    address = exported["OPENAI_BASE_URL"]
    until_ready(address.removesuffix("/v1"))
    answer = httpx.post(
        f"{address}/chat/completions", json=BODY, headers=headers, timeout=LONG_S, trust_env=False
    )
    assert "practice answer" in answer.json()["choices"][0]["message"]["content"]
    dashboard = next(line for line in server.stdout if line.startswith("dashboard: "))
    assert dashboard.split()[1] == f"{address.removesuffix('/v1')}/dashboard#key={exported['OPENAI_API_KEY']}"
    parts = f"{address.removesuffix('/v1')}/dashboard/parts/overview"
    assert httpx.get(parts, headers=headers, timeout=LONG_S, trust_env=False).status_code == 200
    server.interrupt()
    assert server.wait(LONG_S) == 0


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("in use", "something else is on it: choose another port"),
        ("203.0.113.7", "this machine has no such address, whatever the port"),
        ("nobody.invalid", "no machine has this name"),
        ("a..b", "no machine has this name"),
        ("a" * 64, "no machine has this name"),
    ],
)
def test_an_address_that_cannot_be_had_is_answered_with_what_helps(run, host, words):
    """Another port would not help where the address is not this machine's."""
    run("keys", "make", "--tenant", "acme")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address, port = taken.getsockname() if host == "in use" else (host, 0)
        ran = run("serve", "--host", address, "--port", str(port))
    assert ran.code == 2
    assert words in ran.err
    assert "Serving" not in ran.err
    assert ("--port" in ran.err) is (host == "in use")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_damaged_ledger_is_told_before_anything_is_served(run, home, workers):
    """Workers would begin again and again."""
    home.mkdir()
    (home / "ledger.sqlite3").write_bytes(b"Dear diary, this is no database. " * 100)
    ran = run("serve", "--port", "0", "--workers", workers)
    assert ran.code == 6
    assert ran.err.startswith("error: cannot use the ledger")
    assert "Serving" not in ran.err


class Rolling:
    """Clients that ask the first server that takes them, again and with the same key where one does not."""

    def __init__(self, *addresses):
        self.addresses = addresses
        self.retries = 0

    def ask(self, number):
        ends = time.monotonic() + LONG_S
        with httpx.Client(timeout=LONG_S, trust_env=False) as client:
            for address in itertools.cycle(self.addresses):
                assert time.monotonic() < ends, "no server took it"
                answer = self.asked_at(address, client, number)
                if answer is not None:
                    break
                self.retries += 1
                time.sleep(0.02)
        return answer

    @staticmethod
    def asked_at(address, client, number):
        """Return an answer's body, None where the server takes no request any more."""
        question = {"role": "user", "content": f"Đơn DH{number} đâu rồi?"}
        try:
            answer = client.post(
                f"{address}/v1/chat/completions",
                json=BODY | {"messages": [question]},
                headers={"idempotency-key": f"order-{number}"},
            )
        except httpx.TransportError:
            return None
        assert answer.status_code == 200 or answer.headers["x-should-retry"] == "true"
        return answer.json() if answer.status_code == 200 else None


@pytest.fixture
def staying(practice, tmp_path):
    """The address of a server of this process on the same ledger, which stays."""
    settings = ServerSettings(port=0, keys_path=str(tmp_path / "keys"))
    config = load_config(today=datetime.now(UTC).date())
    with Orchestrator(config) as orchestrator, served(orchestrator, settings) as running:
        orchestrator.warm_up()
        yield running.address


@pytest.mark.timeout(LONG_S * 2)
def test_a_rolling_restart_under_load_loses_no_request_with_a_key(serving, practice, staying, run):
    """One of two servers on one ledger is stopped while it is busy: each key has one answer and one booking."""
    port = free_port()
    leaving = serving("--port", str(port))
    addresses = [f"http://127.0.0.1:{port}", staying]
    for address in addresses:
        until_ready(address)
    clients, keys = Rolling(*addresses), range(16)
    # Of the first four: they are under way when the signal comes.
    practice.faults.add(Fault.parse("*:slow_first_token=1,times=4"))
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(clients.ask, number) for number in keys]
        while not any(seen.method == "POST" for seen in practice.requests):
            time.sleep(0.01)
        leaving.terminate()
        replies = [answer.result() for answer in answers]
    assert leaving.wait(LONG_S) == 0
    assert clients.retries > 0, "nobody was turned away: it was no restart under load"
    ids = [reply["id"] for reply in replies]
    assert len(set(ids)) == len(keys)
    # Asked again, a key gives the same answer, whoever had it first.
    again = [Rolling(addresses[1]).ask(number) for number in keys]
    assert [reply["id"] for reply in again] == ids
    practice.wait_idle()
    assert practice.bill.count() == len(keys)
    assert sum(reply["nextflow"]["cost_nusd"] for reply in replies) == practice.bill.total_nusd()
    listed = run("requests", "--limit", "100", "--json").json
    assert sorted(f"chatcmpl-{row['id']}" for row in listed["requests"]) == sorted(ids)
    assert sum(row["cost_nusd"] for row in listed["requests"]) == practice.bill.total_nusd()
    assert run("ledger", "verify", "--json").json["counters_are_right"]
