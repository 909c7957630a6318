"""Each request that ends is one line, with its cost to the nano-dollar and without a word of its prompt."""

import asyncio
import logging

import orjson
import pytest

from orchestrator.core.errors import UnavailableError
from orchestrator.core.json_log import JsonLogFormatter


@pytest.fixture
def lines():
    """Collect what a program would write that installs the formatter."""
    written: list[dict] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(orjson.loads(self.format(record)))

    handler, top, requests = (
        Collecting(),
        logging.getLogger("orchestrator"),
        logging.getLogger("orchestrator.requests"),
    )
    handler.setFormatter(JsonLogFormatter())
    top.addHandler(handler)
    requests.setLevel(logging.INFO)
    yield written
    top.removeHandler(handler)
    requests.setLevel(logging.NOTSET)


def test_each_request_that_ends_is_one_line_with_its_cost(make_orchestrator, practice, lines):
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    reply = orchestrator.complete("mã 4711", tenant="acme", user="lan", tags=["trial"])
    again = orchestrator.complete("mã 4711", tenant="acme")
    practice.faults.add("*:status=503")
    with pytest.raises(UnavailableError) as caught:
        orchestrator.complete("mã 4711 nữa", tenant="other", deadline_s=1)
    ended = [line for line in lines if line["logger"] == "orchestrator.requests"]
    assert [(line["request_id"], line["outcome"], line["cached"]) for line in ended] == [
        (reply.request_id, "succeeded", "miss"),
        (again.request_id, "succeeded", "hit"),
        (caught.value.request_id, "failed", "miss"),
    ]
    first, _, failed = ended
    assert (first["cost_nusd"], first["tenant"], first["user"], first["tags"], first["use_case"]) == (
        reply.cost_nusd, "acme", "lan", ["trial"], "customer_service",
    )  # fmt: skip
    assert (failed["error"], failed["tenant"]) == (type(caught.value).__name__, "other")
    warnings = [line for line in lines if line["level"] == "warning"]
    assert warnings
    assert {line["request_id"] for line in warnings} == {failed["request_id"]}
    assert "4711" not in str(lines)
    assert reply.text not in str(lines)


def test_requests_at_once_are_not_mixed_up(make_orchestrator, lines):
    orchestrator = make_orchestrator({})

    async def ask_all():
        return await asyncio.gather(
            *(orchestrator.acomplete(f"q{number}", tenant=f"t{number}") for number in range(10))
        )

    replies = asyncio.run(ask_all())
    ended = {
        line["request_id"]: line["tenant"] for line in lines if line["logger"] == "orchestrator.requests"
    }
    assert ended == {reply.request_id: f"t{number}" for number, reply in enumerate(replies)}


def test_where_nobody_asks_for_it_nothing_is_logged(make_orchestrator, caplog):
    make_orchestrator({}).complete("hello", tenant="acme")
    assert [record for record in caplog.records if record.name == "orchestrator.requests"] == []
