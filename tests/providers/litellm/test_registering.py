"""A deployment is registered with LiteLLM once for a process, and again when somebody has changed its map."""

import copy

import litellm
import pytest

from orchestrator.providers.litellm.router import CatalogRouter


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What LiteLLM has registered from here on, by name."""
    names: list[str] = []
    register = litellm.register_model

    def noting(model_cost, **options):
        names.extend(model_cost)
        register(model_cost, **options)

    monkeypatch.setattr(litellm, "register_model", noting)
    return names


@pytest.fixture
def build(make_config):
    """Build the Router of a configuration."""
    return lambda changes=None: CatalogRouter(make_config(changes).catalog).built()


def test_later_routers_register_nothing_and_know_every_deployment(build, registered) -> None:
    build()
    # LiteLLM found the mode of some upstreams with the first, and writes it down with the second.
    build()
    del registered[:]
    before = copy.deepcopy(litellm.model_cost)
    router = build()
    assert registered == []
    assert litellm.model_cost == before
    assert len(router.model_list) > 20
    assert {each["model_info"]["id"] for each in router.model_list} <= litellm.model_cost.keys()


def test_a_new_deployment_alone_is_registered(build, registered) -> None:
    build()
    build()
    del registered[:]
    added = {"model": "gpt-6-luna", "provider": "openai", "upstream": "gpt-6-luna"}
    build({"deployments": {"openai/another": added}})
    # And its upstream, which two names share.
    assert registered[0] == "deployment openai/another"
    assert len(registered) <= 2


def test_when_others_have_changed_the_map_every_deployment_is_registered_anew(build, registered) -> None:
    build()
    litellm.register_model({"a-model-of-the-program": {"litellm_provider": "openai"}})
    del registered[:]
    router = build()
    assert {f"deployment {each['model_name']}" for each in router.model_list} <= set(registered)


def test_a_new_map_gets_every_deployment(build, registered, monkeypatch) -> None:
    build()
    mine = {name: entry for name, entry in litellm.model_cost.items() if not name.startswith("deployment ")}
    monkeypatch.setattr(litellm, "model_cost", mine)
    router = build()
    assert {each["model_info"]["id"] for each in router.model_list} <= mine.keys()


def test_the_program_registers_as_ever_behind_it(build, registered) -> None:
    register = litellm.register_model
    build()
    assert litellm.register_model is register
    for _ in range(2):
        litellm.register_model({"a-model-of-the-program": {"litellm_provider": "openai"}})
    assert registered[-2:] == ["a-model-of-the-program"] * 2
