"""The live list is fetched whole or not at all, and says where config.yaml is out of date."""

import asyncio
from datetime import UTC, date, datetime

import pytest
from aiohttp import web

from orchestrator.catalog.openrouter_prices import read_list
from orchestrator.config.loader import Config, embedded_path, load_config
from orchestrator.core.errors import ConfigError
from orchestrator.ops.prices import PriceDifference, PriceFetchError, Refreshed, compare, price_lines, refresh
from orchestrator.practice import PracticeServer
from orchestrator.providers.account_api import open_session

CONFIG = embedded_path()
TODAY = datetime.now(UTC).date()
PRICING = {"prompt": "0.000002", "completion": "0.00001"}


class Clock:
    """The day of the test, later when asked."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return 0.0

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(0)

    def pause(self, duration_s: float) -> None:
        pass


async def refreshed(config: Config) -> Refreshed:
    async with open_session() as session:
        return await refresh(config, session=session, clock=Clock())


@pytest.fixture
async def listed(tmp_path):
    """Serve one body as OpenRouter's list and return the configuration that leads there."""
    runners = []

    async def serve(body: object, *, status: int = 200) -> Config:
        async def models(_request: web.Request) -> web.Response:
            if isinstance(body, bytes):
                return web.Response(body=body, status=status)
            return web.json_response(body, status=status)

        app = web.Application()
        app.router.add_get("/v1/models", models)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        home = {
            "ORCHESTRATOR_HOME": str(tmp_path / "home"),
            "OPENROUTER_BASE_URL": f"http://127.0.0.1:{port}/v1",
        }
        return load_config(CONFIG, today=TODAY, environment=home)

    yield serve
    for runner in runners:
        await runner.cleanup()


async def test_the_list_of_a_provider_is_kept_with_its_date(configured, practice: PracticeServer):
    config = configured()
    refresh_result = await refreshed(config)
    assert refresh_result.skipped == ()
    kept = read_list(refresh_result.path)
    assert kept.fetched_at.date() == TODAY
    assert kept.models.keys() == refresh_result.kept.models.keys()
    for name, deployment in config.catalog.deployments.items():
        if deployment.provider_name == "openrouter":
            price, stated = kept.model(deployment.upstream).price, deployment.price.on(TODAY)
            assert (price.input, price.output) == (stated.input, stated.output), name


async def test_it_needs_no_key(tmp_path):
    with PracticeServer() as server:
        home = {"ORCHESTRATOR_HOME": str(tmp_path), "OPENROUTER_BASE_URL": server.base_url("openrouter")}
        refresh_result = await refreshed(load_config(CONFIG, today=TODAY, environment=home))
    assert refresh_result.kept.models


async def test_a_malformed_entry_is_named_and_the_rest_kept(listed):
    config = await listed(
        {"data": [{"id": "a/b", "pricing": PRICING}, {"id": "a/c", "pricing": {"prompt": "-1"}}]}
    )
    refresh_result = await refreshed(config)
    assert list(refresh_result.kept.models) == ["a/b"]
    assert [entry.model for entry in refresh_result.skipped] == ["a/c"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"data": []}, 200),
        ({"data": "none"}, 200),
        ([1], 200),
        (b"<html>welcome to the hotel</html>", 200),
        (b"", 200),
        ({"data": [{"id": "a/b", "pricing": {"prompt": "free"}}]}, 200),
        ({"error": {"message": "down"}}, 503),
        ({"error": {"message": "no"}}, 401),
    ],
)
async def test_whatever_else_comes_the_list_before_stays(listed, body, status):
    good = await listed({"data": [{"id": "a/b", "pricing": PRICING}]})
    path = (await refreshed(good)).path
    before = path.read_bytes()
    with pytest.raises(
        PriceFetchError, match=rf"price list of openrouter .*the list of {TODAY} stays in use"
    ) as caught:
        await refreshed(await listed(body, status=status))
    assert caught.value.exit_code == 4
    assert path.read_bytes() == before


async def test_without_a_network_it_says_what_is_used_instead(tmp_path):
    home = {"ORCHESTRATOR_HOME": str(tmp_path), "OPENROUTER_BASE_URL": "http://127.0.0.1:9/v1"}
    config = load_config(CONFIG, today=TODAY, environment=home)
    with pytest.raises(PriceFetchError, match="cannot be reached .*; no list was kept before"):
        await refreshed(config)


async def test_models_that_are_gone_are_told(listed):
    await refreshed(
        await listed({"data": [{"id": "a/b", "pricing": PRICING}, {"id": "a/c", "pricing": PRICING}]})
    )
    refresh_result = await refreshed(await listed({"data": [{"id": "a/b", "pricing": PRICING}]}))
    assert refresh_result.gone == ("a/c",)


async def test_a_configuration_without_openrouter_has_no_list(listed):
    config = await listed({"data": []})
    providers = {
        name: provider for name, provider in config.settings.providers.items() if name != "openrouter"
    }
    object.__setattr__(config, "settings", config.settings.model_copy(update={"providers": providers}))
    with pytest.raises(ConfigError, match="no provider of kind openrouter"):
        await refreshed(config)


async def test_the_shipped_prices_equal_the_other_sources(configured):
    compared = compare(configured(), today=date(2026, 11, 23))
    # OpenRouter lists no embeddings, and no package has its prices for them.
    unknown = {each.deployment for each in compared if each.verdict is PriceDifference.UNKNOWN}
    assert unknown == {"openrouter/text-embedding-3-small"}
    assert {each.verdict for each in compared} - {PriceDifference.UNKNOWN} == {PriceDifference.EQUAL}


async def test_a_price_that_moved_is_told_in_percent(listed):
    pricing = {"prompt": "0.0000001", "completion": "0.000001", "input_cache_read": "0.00000001"}
    config = await listed({"data": [{"id": "openai/gpt-6-luna", "pricing": pricing}]})
    await refreshed(config)
    (luna,) = [
        comparison
        for comparison in compare(config, today=TODAY)
        if comparison.deployment == "openrouter/gpt-6-luna"
    ]
    assert luna.verdict is PriceDifference.CHANGED
    assert luna.against.origin.value == "live list"
    changes = {change.name: change.percent for change in luna.changes}
    assert changes["output"] == pytest.approx(100)
    assert changes["output above 272,000 tokens"] == pytest.approx(100 / 3)
    assert "input" not in changes
    assert "cached input" not in changes


async def test_a_model_that_the_list_ends_is_ended(listed):
    ended = {"id": "openai/gpt-6-luna", "pricing": PRICING, "expiration_date": "2020-01-01"}
    config = await listed({"data": [ended]})
    await refreshed(config)
    verdicts = {comparison.deployment: comparison.verdict for comparison in compare(config, today=TODAY)}
    assert verdicts["openrouter/gpt-6-luna"] is PriceDifference.ENDED
    again = load_config(config.path, today=TODAY, environment={"ORCHESTRATOR_HOME": str(_home(config))})
    assert any(
        "gpt-6-luna was switched off by its vendor on 2020-01-01" in notice for notice in again.notices
    )


async def test_every_deployment_has_its_line_those_of_a_model_together(configured):
    lines = price_lines(configured(), today=TODAY)
    assert len(lines) == len(configured().settings.deployments)
    models = [line.model for line in lines]
    assert [model for place, model in enumerate(models) if model not in models[:place]] == sorted(
        set(models), key=models.index
    )
    assert all(line.quote is not None for line in lines)
    assert {other.origin.value for line in lines for other in line.others} == {"snapshot", "LiteLLM"}


def _home(config: Config):
    from pathlib import Path

    return Path(config.settings.prices.path).parents[1]
