"""What nobody waits for is recorded once it was sent, and its faults are nobody's."""

import logging

from orchestrator.core.errors import UnavailableError
from orchestrator.core.payer import Payer
from orchestrator.pipeline.asking_aside import ask_aside, call_aside
from orchestrator.pipeline.call import Call
from tests.experiments.conftest import SHADOW, experimenting, voices

__all__ = ["experimenting", "voices"]


def aside(orchestrator, **fields):
    from orchestrator.core.request import ChatRequest

    request = ChatRequest.of("Số thẻ 4111", use_case="customer_service", tenant="acme", **fields)
    services, snapshot = orchestrator._services, orchestrator._snapshot
    live = Call.of(request, snapshot, clock=orchestrator.clock)
    return live, call_aside(
        live, request, config=snapshot.config, payer=Payer.of_shadow("faq"), arm=live.arm, services=services
    )


async def test_it_is_of_the_same_tenant_and_on_another_account_and_waits_for_no_money(experimenting):
    orchestrator = experimenting(SHADOW)
    live, call = aside(orchestrator)
    assert (call.request.tenant, call.payer.tenant) == ("acme", "shadow:faq")
    assert call.id != live.id
    assert (call.use_case.on_limit.wait_s, call.profile.attempts_per_deployment) == (0.0, 1)
    assert call.profile.background


async def test_a_mistake_of_ours_is_told_without_the_prompt_and_what_was_not_sent_has_no_row(
    experimenting, caplog
):
    orchestrator = experimenting(SHADOW)

    async def broken(call):
        raise ValueError(call.request.messages)

    async def refused(call):
        raise UnavailableError("nobody")

    with caplog.at_level(logging.DEBUG, logger="orchestrator"):
        for answer in (broken, refused):
            _, call = aside(orchestrator)
            assert await ask_aside(call, answer, services=orchestrator._services) is None
    assert "ValueError" in caplog.text
    assert "4111" not in caplog.text
    assert not orchestrator._services.ledger.store.exists
