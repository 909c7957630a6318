"""The image, as compose.yaml starts it: served, hardened, stopped in order, and its state outlives it.

It needs Docker and the image: `docker build -f deploy/Dockerfile -t nextflow-orchestrator .`
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from uuid import uuid4

import httpx
import pytest
import yaml

from orchestrator.practice.desks import PREFIXES

COMPOSE = Path(__file__).resolve().parents[2] / "deploy" / "compose.yaml"
IMAGE = "nextflow-orchestrator"
PRACTICE = "http://127.0.0.1:8399"
QUESTION = {"model": "customer_service", "messages": [{"role": "user", "content": "Đơn DH1001 đâu rồi?"}]}
ON_BOARD = {"model": "local/smollm2-135m-instruct", "messages": [{"role": "user", "content": "Say hello."}]}
LONG_S = 120


def docker(*arguments: str) -> str:
    ran = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=LONG_S)
    assert ran.returncode == 0, f"docker {' '.join(arguments)}: {ran.stderr}"
    return ran.stdout.strip()


def has_image() -> bool:
    if shutil.which("docker") is None:
        return False
    looked = subprocess.run(
        ["docker", "image", "inspect", IMAGE], capture_output=True, check=False, timeout=LONG_S
    )
    return looked.returncode == 0


pytestmark = pytest.mark.skipif(
    not has_image(),
    reason=f"no Docker here, or it has no image: docker build -f deploy/Dockerfile -t {IMAGE} .",
)


def service() -> dict[str, object]:
    return yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["orchestrator"]


def as_compose_runs_it(state: str) -> list[str]:
    """Return the options of `docker run` that say what compose.yaml says of the service."""
    lines = service()
    words = ["--read-only"] if lines["read_only"] else []
    words += [f"--tmpfs={path}" for path in lines["tmpfs"]]
    words += [f"--cap-drop={name}" for name in lines["cap_drop"]]
    words += [f"--security-opt={option}" for option in lines["security_opt"]]
    words += [f"--stop-timeout={str(lines['stop_grace_period']).removesuffix('s')}"]
    return [*words, *(f"--volume={mount.replace('state', state, 1)}" for mount in lines["volumes"])]


def to_practice() -> list[str]:
    """Return the variables with which the shipped config.yaml leads to practice providers in the container."""
    names = {"OPENROUTER": "openrouter", "GOOGLE": "google", "OPENAI": "openai"}
    bases = [f"--env={name}_BASE_URL={PRACTICE}{PREFIXES[of].rstrip('/')}" for name, of in names.items()]
    return bases + [f"--env={name}_API_KEY=practice" for name in ("OPENROUTER", "GEMINI", "OPENAI")]


@pytest.fixture
def state() -> Iterator[str]:
    """Return a volume of Docker that ends with the test."""
    name = docker("volume", "create", f"orchestrator-{uuid4().hex}")
    yield name
    docker("volume", "rm", name)


@contextmanager
def started(state: str) -> Iterator[tuple[str, str]]:
    """Run the service with practice providers beside it: the container and its address."""
    name = docker(
        *("run", "--detach", "--publish=127.0.0.1::8400"),
        *as_compose_runs_it(state),
        *to_practice(),
        *(IMAGE, *service()["command"]),
    )
    try:
        docker("exec", "--detach", name, "orchestrator", "practice")
        address = f"http://{docker('port', name, '8400').splitlines()[0]}"
        wait_for(lambda: is_ready(address))
        wait_for(lambda: practises(name))
        yield name, address
    finally:
        docker("rm", "--force", name)


def practises(name: str) -> bool:
    """Return whether the practice providers in a container listen."""
    words = ("python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8399))")
    looked = subprocess.run(
        ["docker", "exec", name, *words], capture_output=True, check=False, timeout=LONG_S
    )
    return looked.returncode == 0


def waiting_faults(name: str) -> list[object]:
    """Return the faults of a container's practice providers that no request has met yet."""
    return list(json.loads(docker("exec", name, "orchestrator", "practice", "faults", "--json"))["faults"])


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        sleep(0.2)


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", trust_env=False, timeout=LONG_S).status_code == 200
    except httpx.TransportError:
        return False


def new_key(state: str) -> str:
    """Make a key as the how-to does, before the first start."""
    words = ("run", "--rm", *as_compose_runs_it(state), IMAGE, "keys", "make", "--tenant", "acme")
    match = re.search(r"nfk_\w+", docker(*words))
    assert match is not None
    return match[0]


def ask(address: str, key: str, question: dict[str, object] = QUESTION) -> httpx.Response:
    return httpx.post(
        f"{address}/v1/chat/completions",
        json=question,
        headers={"authorization": f"Bearer {key}", "x-nextflow-cache": "off"},
        trust_env=False,
        timeout=LONG_S,
    )


def test_the_image_answers_is_healthy_stops_in_order_and_its_state_outlives_it(state):
    key = new_key(state)
    with started(state) as (name, address):
        assert ask(address, "nfk_of_nobody").status_code == 401
        first = ask(address, key)
        assert first.status_code == 200, first.text
        on_board = ask(address, key, ON_BOARD | {"max_tokens": 4})
        assert on_board.status_code == 200, on_board.text
        check = json.loads(docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", name))
        docker("exec", name, *check[1:])
        docker("exec", name, "sh", "-c", "! touch /etc/written && touch /tmp/written")
        assert re.search(r"CapEff:\s0+$", docker("exec", name, "grep", "CapEff", "/proc/1/status"))
        docker("exec", name, "orchestrator", "practice", "fault", "*:slow_first_token=5,times=1")
        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(ask, address, key)
            wait_for(lambda: under_way.done() or waiting_faults(name) == [])
            docker("stop", name)
            assert under_way.result().status_code == 200
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0"
    with started(state) as (name, address):
        found = docker(
            "exec", name, "orchestrator", "requests", "show", first.headers["x-nextflow-request-id"], "--json"
        )
        assert json.loads(found)["tenant"] == "acme"
