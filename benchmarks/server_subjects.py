"""Whom `benchmarks.server` asks over HTTP: our server and LiteLLM's, each one process that does nothing else.

Both ask for a key, reach the same practice provider, and keep their shipped settings otherwise. The proxy has
no database, so it books nothing.

    python -m benchmarks.server_subjects '{"openai": "http://127.0.0.1:…"}'     our server, as `serve` runs it
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from benchmarks.peer_subjects import MODEL
from benchmarks.stage import orchestrator_at

OURS, PROXY = "/v1", "LiteLLM Proxy"
PROXY_VERSION = (
    "import importlib.metadata as known, litellm.proxy.proxy_server; print(known.version('litellm'))"
)
_READY_S = 180.0
_LOOK_S = 0.2
_PLENTY = 10_000_000


@dataclass(frozen=True, slots=True)
class Asking:
    """How a server is asked."""

    url: str
    """Of chat completions."""
    model: str
    headers: Mapping[str, str] = field(default_factory=dict)


class ServerProcess:
    """A server in a process of its own, ended with the block."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], asking: Asking, ready: str
    ) -> None:
        """Start it; `ready` is the address that answers once it serves."""
        self.asking = asking
        self._ready = ready
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the process
        self._process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=self._output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def wait_ready(self) -> None:
        """Wait until it serves.

        Raises:
            RuntimeError: it ended, or did not begin in time; with its last words.
        """
        until_s = time.monotonic() + _READY_S
        while not _answers(self._ready):
            if self._process.poll() is not None or time.monotonic() > until_s:
                self._output.seek(0)
                words = self._output.read()[-2000:].decode(errors="replace")
                raise RuntimeError(f"a server of the benchmark does not serve: {words}")
            time.sleep(_LOOK_S)

    def cpu_s(self) -> float:
        """Return the seconds of CPU that its process took so far, of all its threads, in it and for it."""
        return time.clock_gettime(_clock_of(self._process.pid))

    def __enter__(self) -> Self:
        """Return it, started already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


def our_server(addresses: Mapping[str, str], stack: ExitStack) -> ServerProcess:
    """Return our server: budgets, ledger, plan, and the cache, which keeps what it has not seen."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
    port, key = free_port(), _key_in(folder)
    headers = {"authorization": f"Bearer {key}", "x-nextflow-cache": "refresh"}
    url = f"http://127.0.0.1:{port}"
    server = ServerProcess(
        [sys.executable, "-m", "benchmarks.server_subjects", json.dumps(addresses), str(folder), str(port)],
        {},
        Asking(f"{url}/v1/chat/completions", f"openai/{MODEL}", headers),
        f"{url}/readyz",
    )
    return stack.enter_context(server)


def litellm_proxy(python: str, addresses: Mapping[str, str], stack: ExitStack) -> ServerProcess:
    """Return LiteLLM's proxy, run by another Python, as its manual has it for production: one worker, few words."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
    port, key = free_port(), "sk-practice"
    params = {"model": f"openai/{MODEL}", "api_key": "practice", "api_base": addresses["openai"]}
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": params}],
        "general_settings": {"master_key": key},
        "litellm_settings": {"set_verbose": False, "num_retries": 0, "telemetry": False},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    server = ServerProcess(
        [python, "-c", "from litellm.proxy.proxy_cli import run_server; run_server()",
         "--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"],
        {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # no network
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "PYTHONPATH": "",
        },
        Asking(f"{url}/v1/chat/completions", MODEL, {"authorization": f"Bearer {key}"}),
        f"{url}/health/liveliness",
    )  # fmt: skip
    return stack.enter_context(server)


def proxy_version(python: str) -> str | None:
    """Return the version of the proxy that a Python can import, or None."""
    asked = subprocess.run(
        [python, "-c", PROXY_VERSION], capture_output=True, text=True, check=False,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""},
    )  # fmt: skip
    return asked.stdout.strip() if asked.returncode == 0 else None


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


def _clock_of(process_id: int) -> int:
    clock = ctypes.c_int()
    if ctypes.CDLL(None).clock_getcpuclockid(process_id, ctypes.byref(clock)):
        raise RuntimeError(f"no clock of process {process_id}")
    return clock.value


def _key_in(folder: Path) -> str:
    from orchestrator.access.api_keys import Role, ServerKey, Token, hash_of
    from orchestrator.access.key_folder import KeyFolder
    from orchestrator.core.clock import SystemClock

    token = Token.new()
    key = ServerKey(
        id=token.id, secret_hash=hash_of(token.secret), tenant="acme", name="benchmark", roles=(Role.CALL, Role.READ, Role.OPERATE),
        created_at=SystemClock().now(), requests_per_min=_PLENTY,
    )  # fmt: skip
    KeyFolder(folder / "keys").put(key)
    return str(token)


def _serve(addresses: Mapping[str, str], folder: Path, port: int) -> None:
    from orchestrator.access.settings import ServerSettings
    from orchestrator.server.serving import listening, serve_until_stopped

    def change(data: dict[str, Any]) -> None:
        data["budgets"]["limits"] = [{"scope": "all", "request": 1, "day": 1_000_000, "month": 1_000_000}]

    settings = ServerSettings(port=port, keys_path=str(folder / "keys"))
    with listening(settings) as listener, orchestrator_at(folder, addresses, change) as orchestrator:
        serve_until_stopped(orchestrator, settings, listener)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
