"""`orchestrator practice`: providers in the foreground, steered from another terminal."""

import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import orjson
import pytest

from orchestrator.practice import Fault, FaultKind

ROOT = Path(__file__).resolve().parents[2]


class Foreground:
    """A practice process, with the addresses it printed."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "orchestrator", "practice", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        lines = [self.process.stdout.readline().strip() for _ in range(6)]
        # As a shell reads them.
        self.environment = dict(shlex.split(line)[1].split("=", 1) for line in lines)
        self.port = self.environment["OPENROUTER_BASE_URL"].split(":")[2].split("/")[0]

    def ask(self) -> int:
        """Send one question and return the HTTP status."""
        body = {"model": "openai/gpt-6-luna", "messages": [{"role": "user", "content": "hi"}]}
        request = urllib.request.Request(  # noqa: S310 -- our own loopback address
            f"{self.environment['OPENROUTER_BASE_URL']}/chat/completions",
            orjson.dumps(body),
            {"Authorization": "Bearer k 1", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request, timeout=300
            ) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Stop it as Ctrl-C does; return exit code, output and errors."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=300)
        return self.process.returncode, out, err


@pytest.fixture
def foreground():
    """A process with one fault from the start."""
    started = Foreground("--key", "k 1", "--fault", "openrouter:status=503,times=1")
    yield started
    if started.process.poll() is None:
        started.stop(signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_it_prints_what_to_export_logs_what_comes_and_ends_with_the_bill(foreground, run):
    """The life of a rehearsal: exports, a fault, an answer, faults and bill from outside, Ctrl-C, the bill."""
    assert foreground.environment["OPENROUTER_API_KEY"] == "k 1"
    assert foreground.ask() == 503
    assert foreground.ask() == 200
    port = foreground.port
    assert (
        run("practice", "fault", "openrouter:status=500,times=2", "--port", port).out
        == "openrouter:status=500,times=2     HTTP 500, 2 times\n"
    )
    assert foreground.ask() == 500
    refused = run("practice", "fault", "anthropic:status=503", "--port", port)
    assert (refused.code, "choose one of openrouter, google, openai, or *" in refused.err) == (2, True)
    assert (
        run("practice", "faults", "--port", port).out == "openrouter:status=500,times=1     HTTP 500, once\n"
    )
    assert run("practice", "clear", "--port", port).out == "1 fault dropped\n"
    bill = run("practice", "bill", "--port", port, "--json").json
    assert bill["providers"]["openrouter"]["count"] == 1
    assert "openrouter" in run("practice", "bill", "--port", port).out
    url = foreground.environment["OPENROUTER_BASE_URL"].removesuffix("/openrouter/api/v1")
    code, out, err = foreground.stop()
    assert code == 0
    assert "asked    openrouter  POST" in out
    assert "charged  openrouter  openai/gpt-6-luna" in out
    assert "provider" in out.splitlines()[-4]
    for name in ("openrouter", "google", "openai"):
        assert f"provider {name}: {url}" in err
    assert f"'orchestrator practice fault', 'faults', 'clear' and 'bill' find these with --port {port}" in err
    assert "fault: openrouter:status=503,times=1  (HTTP 503, once)" in err
    assert "Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_port_in_use_is_one_clear_line(foreground, run):
    """Two on one port: the second exits 2 and says to choose another; SIGTERM ends the first in peace."""
    ran = run("practice", "--port", foreground.port)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert f"port {foreground.port} cannot be had" in ran.err
    assert foreground.stop(signal.SIGTERM)[0] == 0


def test_every_kind_of_fault_is_listed_with_its_units_and_can_be_written_so(run):
    lines = run("practice", "kinds").out.splitlines()
    assert [Fault.parse(line.split()[0]).kind for line in lines] == list(FaultKind)
    assert "*:slow_first_token=5              5 s before it begins" in lines
    assert {"*:drip=100", "100", "bytes", "a", "second"} == set(lines[list(FaultKind).index("drip")].split())
    assert run("practice", "kinds", "--json").json["kinds"][0] == {
        "text": "*:status=503",
        "words": "HTTP 503",
    }


def test_nothing_there_and_nonsense_are_usage_errors(run, practice):
    """No practice providers on the port, or a fault that makes no sense: exit 2 with the way out."""
    ran = run("practice", "bill", "--port", "9")
    assert ran.code == 2
    assert "start them with 'orchestrator practice --port 9'" in ran.err
    ran = run("practice", "fault", "openrouter:explode", "--port", str(practice.port))
    assert ran.code == 2
    assert "unknown fault 'explode'" in ran.err
    assert run("practice", "--fault", "nobody:status=500", "--port", "0").code == 2
    ran = run("practice", "--fault", "anthropic:status=503", "--port", "0")
    assert (ran.code, "--fault anthropic:status=503: nobody asks" in ran.err) == (2, True)
    assert run("practice", "--answers", "magic").code == 2
