"""What a first native client loads is loaded before, and nobody else waits for it."""

import importlib.util

from orchestrator.metering import langchain_clients

START = """
import sys, threading
from datetime import date
from importlib.machinery import PathFinder
from orchestrator import CacheUse, Orchestrator, load_config

orchestrator = Orchestrator(load_config(sys.argv[1], today=date(2026, 11, 23)))
"""
WARM = """
with orchestrator:
    orchestrator.warm_up(native=True)
    before = set(sys.modules)
    clients = []
    names = ["openai/gpt-6-luna", "google/gemini-3.8-flash", "openrouter/gpt-6-luna"] * 3
    threads = [threading.Thread(target=lambda name=name: clients.append(orchestrator.native(name))) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients) == len(names)
    for client in clients[:3]:
        client.invoke("Xin chào")
    print("loaded:", *sorted(set(sys.modules) - before), flush=True)
"""
WHILE_IT_LOADS = """
assert "langchain_openai" not in sys.modules
begun, may_go_on = threading.Event(), threading.Event()

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name != "langchain_openai":
            return None
        spec = PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def wait_and_load(module):
            begun.set()
            may_go_on.wait()
            load(module)

        spec.loader.exec_module = wait_and_load
        return spec

sys.meta_path.insert(0, Slow())
with orchestrator:
    clients = []
    threads = [
        threading.Thread(target=lambda: clients.append(orchestrator.native("openai/gpt-6-luna"))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    begun.wait()
    orchestrator.complete("Xin chào", cache=CacheUse.OFF, deadline_s=60)
    orchestrator.reload(orchestrator.config)
    assert not clients
    may_go_on.set()
    for thread in threads:
        thread.join()
    print(len(clients), flush=True)
"""


def test_after_a_warm_up_the_first_clients_load_next_to_nothing(
    environment: dict[str, str], make_config, warm
) -> None:
    """Loading takes seconds, in which all threads would stand still that want a client."""
    path = make_config().path
    first, *modules = warm(START + WARM, str(path), environment=environment).told().split()
    assert first == "loaded:"
    assert len(modules) < 40, modules


def test_while_the_first_client_loads_requests_are_answered(
    environment: dict[str, str], make_config, warm
) -> None:
    """No lock of ours is held meanwhile; who wants a client too waits, and gets one."""
    path = make_config().path
    assert warm(START + WHILE_IT_LOADS, str(path), environment=environment).told() == "3"


def test_what_is_loaded_ahead_is_what_the_clients_would_load() -> None:
    """A name that a new version has moved would bring back the wait."""
    for name in langchain_clients.FIRST_CLIENT_LOADS:
        assert importlib.util.find_spec(name) is not None
