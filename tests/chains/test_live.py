"""The chains on the real local model, which gives valid JSON under a grammar, and poor values."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chains import BulkItem, cost_sensitive, customer_service_text
from orchestrator import Orchestrator, load_config
from tests.chains.conftest import CONFIG
from tests.chains.samples import QUESTION

pytestmark = pytest.mark.live


@pytest.fixture
async def orchestrator(local_model, tmp_path):
    """An orchestrator with no key at all: the local model is the only one."""
    environment = {
        "ORCHESTRATOR_HOME": str(tmp_path),
        "LOCAL_MODEL_BASE_URL": await local_model.base_url(),
        "LOCAL_MODEL_API_KEY": local_model.api_key,
    }
    config = load_config(CONFIG, today=datetime.now(UTC).date(), environment=environment)
    # A busy machine may take longer for its words than a caller should wait.
    patient = {
        name: profile.model_copy(update={"deadline_s": 600.0})
        for name, profile in config.settings.retry_profiles.items()
    }
    config = replace(config, settings=config.settings.model_copy(update={"retry_profiles": patient}))
    with Orchestrator(config) as running:
        yield running


async def test_a_135_million_parameter_model_gives_one_of_the_labels(orchestrator):
    item = BulkItem(text="The delivery was far too slow, I am disappointed!", labels=("praise", "complaint"))
    result = await cost_sensitive(orchestrator, language="en").with_details().ainvoke(item)
    assert result.value.label in item.labels
    assert result.model == "smollm2-135m-instruct"
    assert result.cost_nusd == 0
    assert "emergency" in result.degraded


async def test_a_text_streams_from_it(orchestrator):
    chain = customer_service_text(orchestrator, language="en", max_tokens=24)
    pieces = [piece async for piece in chain.astream(QUESTION)]
    assert len(pieces) > 3
    assert "".join(pieces).strip()
