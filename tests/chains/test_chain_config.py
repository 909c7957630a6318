"""What a chain is built of applies to each of its requests, and is checked when it is built."""

import pytest

from chains import content_generation, cost_sensitive, customer_service
from orchestrator.core.errors import InvalidRequestError, UnknownNameError
from tests.chains.samples import ITEM


def test_the_tenant_and_more_reach_the_ledger_and_the_cache(orchestrator, server):
    chain = cost_sensitive(orchestrator, tenant="acme")
    chain.invoke(ITEM)
    chain.invoke(ITEM, user="an", tenant="globex")
    scopes = {standing.scope for standing in orchestrator.standings() if standing.spent}
    assert {"tenant:acme", "tenant:globex", "user:an", "use_case:cost_sensitive"} <= scopes
    assert len(server.requests) == 2


def test_a_mistake_in_the_building_is_told_while_building(orchestrator):
    with pytest.raises(InvalidRequestError, match="no prompts in language 'fr'; choose one of 'vi', 'en'"):
        customer_service(orchestrator, language="fr")
    with pytest.raises(InvalidRequestError, match="Did you mean 'max_tokens'"):
        customer_service(orchestrator, max_token=5)
    with pytest.raises(UnknownNameError, match="retry profile"):
        content_generation(orchestrator, profile="patient")


def test_an_idempotency_key_is_refused_since_a_chain_makes_several_requests(orchestrator, server):
    with pytest.raises(InvalidRequestError, match="an idempotency key stands for one: leave it out"):
        cost_sensitive(orchestrator, idempotency_key="import-42")
    with pytest.raises(InvalidRequestError, match="idempotency key"):
        cost_sensitive(orchestrator).invoke(ITEM, idempotency_key="import-42")
    assert server.requests == ()
