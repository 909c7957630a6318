"""Odd answers of OpenAI's Responses API have its shape, and end as they should at whoever reads them."""

from typing import Any

import pytest

from orchestrator.core.errors import UnavailableError
from orchestrator.practice import Fault, PracticeServer
from orchestrator.practice.odd_answers import GOOD_TEXT, HALF_TEXT, THOUGHTS, odd_stream
from orchestrator.practice.odd_shapes import OddShape
from tests.metering.test_langchain_clients import standing
from tests.practice.test_odd_answers import objects
from tests.providers.test_one_attempt import TOOL

WHOLE = {
    *(OddShape.NO_USAGE, OddShape.BURST, OddShape.SPLIT_CHARACTER, OddShape.FINISH_IN_EACH, OddShape.OPEN_END),
    *(OddShape.PACKED, OddShape.ONE_BODY, OddShape.PROMPTED_THOUGHTS),
    *(OddShape.ODD_LINES, OddShape.STRAY_CHUNKS, OddShape.STRAY_LINES, OddShape.TORN_END),
    *(OddShape.CALLS_WITH_INDEX_0, OddShape.CALLS_WITHOUT_INDEX),
    # Told by the message: its status is `incomplete`, and says why.
    *(OddShape.FILTERED, OddShape.FILTER_CUT, OddShape.THOUGHT_ONLY),
}  # fmt: skip
NO_EVENTS = {OddShape.STRAY_LINES, OddShape.TORN_END}
BODIES = [shape for shape in OddShape if shape is not OddShape.GZIP_BOMB]


@pytest.mark.parametrize("shape", [shape for shape in BODIES if shape not in NO_EVENTS])
def test_every_event_is_one_of_the_responses_api(shape: OddShape) -> None:
    events = objects(odd_stream("openai", shape, in_items=True))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert events[-1]["response"]["object"] == "response"
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    assert text.startswith(("word word", HALF_TEXT, GOOD_TEXT[:14], THOUGHTS)) or not text


@pytest.mark.parametrize("shape", BODIES)
async def test_an_odd_response_is_an_answer_or_an_error_and_booked(
    practised, practice: PracticeServer, shape: OddShape
) -> None:
    practice.faults.add(Fault.parse(f"openai:odd_answer={shape}"))
    client = practised.native("openai/gpt-6-luna", tenant="acme", max_tokens=64, reasoning_effort="high")
    asked: Any = client.bind_tools([TOOL]).ainvoke("Xin chào")
    if shape in WHOLE:
        assert (await asked).response_metadata["status"] in {"completed", "incomplete"}
    else:
        with pytest.raises(UnavailableError, match="is no answer"):
            await asked
    spent, held = standing(practised)
    assert held == 0
    assert spent > 0


@pytest.mark.parametrize("fault", ["wrong_types", "no_choices"])
async def test_an_odd_body_of_the_responses_api_is_an_error(practised, practice, fault: str) -> None:
    practice.faults.add(f"openai:{fault}")
    client = practised.native("openai/gpt-6-luna", tenant="acme", max_tokens=64, reasoning_effort="high")
    with pytest.raises(UnavailableError, match="is no answer"):
        await client.bind_tools([TOOL]).ainvoke("Xin chào")
    spent, held = standing(practised)
    assert held == 0
    assert spent > 0
