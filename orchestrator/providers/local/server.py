"""The local model's own process: load a GGUF file, serve it on a loopback port, end with the parent.

It is a process of its own because llama.cpp inside ours was seen to crash (SIGSEGV) when the program ends
in the middle of a generation, and to hang for ever in a child after fork.

`orchestrator.providers.local.model` runs this file. One line of JSON comes in on standard input
(`ServerOptions`), one goes out on standard output: `{"port": 40123}` or `{"error": "…"}`. When standard
input ends, because the parent closed it or died in whatever way, the process ends at once. Standard library
and xllamacpp only, so that it starts in a moment.
"""

import json
import os
import sys
from typing import TypedDict


class ServerOptions(TypedDict):
    """What is to be served, and how."""

    model_path: str
    model_name: str
    """The `model` that replies carry; without it they would carry the path."""
    context_tokens: int
    """Prompt and reply of one request."""
    parallel: int
    threads: int
    port: int
    """0 means any free one."""
    api_key: str
    """Asked of every request but those for its health."""


def main() -> None:
    """Serve until standard input ends."""
    options: ServerOptions = json.loads(sys.stdin.readline())
    try:
        # Kept in a variable: the server stops when its object goes.
        server, port = start(options)
    except (RuntimeError, MemoryError, ImportError, OSError) as exc:
        _say({"error": f"{type(exc).__name__}: {exc}"})
        sys.exit(1)
    # What llama.cpp says from here on may quote a request, and is not read.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    _say({"port": port})
    sys.stdin.read()
    # Not sys.exit: the server's own end waits for a generation whose answer is not read any more.
    os._exit(0 if server else 1)


def start(options: ServerOptions) -> tuple[object, int]:
    """Load the model and return the running server with its port; RuntimeError if llama.cpp cannot.

    llama.cpp says the reason on standard error.
    """
    import xllamacpp  # noqa: PLC0415 -- a failing import is an answer of `main`

    params = xllamacpp.CommonParams()
    params.model.path = options["model_path"]
    params.model_alias = {options["model_name"]}
    params.n_parallel = options["parallel"]
    params.n_ctx = options["context_tokens"] * options["parallel"]
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = options["threads"]
        # Spinning threads starve all other programs on a busy machine.
        cpu.poll = 0
    params.hostnames = ["127.0.0.1"]
    params.port = options["port"]
    # Other users of this machine reach its loopback ports too.
    params.api_keys = [options["api_key"]]
    # The likeliest words, where a request asks for no others: a tiny model that draws lots tells tales.
    params.sampling.temp = 0.0
    # Errors only.
    params.verbosity = 1
    # Its prompt cache would grow to 8 GiB; ours is in `cache.response_cache`.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    # The settings decide how much memory is used, not a search for what fits.
    params.fit_params = False
    # No page of a browser may talk to it, and nothing shows one caller the prompts of another.
    params.cors_origins = ""
    params.cors_origins_explicit = True
    params.endpoint_slots = False
    params.ui = False
    server = xllamacpp.Server(params)
    return server, int(server.listening_address.rsplit(":", 1)[1])


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
