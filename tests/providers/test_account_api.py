"""What OpenRouter's record of a reply says that it cost, whoever's key it went to."""

import orjson
import pytest

from orchestrator.catalog.catalog import ProviderKind, ProviderSettings
from orchestrator.providers.account_api import Account, open_session
from tests.providers.wire.misbehaving import Exchanged, serving

TOKENS = {"native_tokens_prompt": 1_000, "native_tokens_completion": 10}


@pytest.mark.parametrize(
    ("record", "cost_nusd"),
    [
        ({"total_cost": 0.0015, "is_byok": False, "upstream_inference_cost": 0.0015, **TOKENS}, 1_500_000),
        ({"total_cost": 0.0018, "is_byok": True, "upstream_inference_cost": 0.036, **TOKENS}, 37_800_000),
        ({"total_cost": 0, "is_byok": True, "upstream_inference_cost": 0.036, **TOKENS}, 36_000_000),
        ({"total_cost": 0.0018, "is_byok": True, **TOKENS}, None),
        ({"total_cost": 0, "is_byok": False, **TOKENS}, None),
        ({"total_cost": 0, "is_byok": False, "native_tokens_prompt": 0}, 0),
        ({"total_cost": -1, **TOKENS}, None),
        ({}, None),
    ],
)
async def test_the_record_of_a_reply_tells_its_whole_cost_or_none(record, cost_nusd) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(orjson.dumps({"data": record}))

    async with serving(answer) as server, open_session() as session:
        provider = ProviderSettings(kind=ProviderKind.OPENROUTER, priority=1, base_url=server.base_url)
        assert await Account(provider, session=session).charged("gen-1") == cost_nusd
