"""Several answers in one stream are read for their one bill: exactly, or not at all."""

import json
from typing import Any

import pytest

from orchestrator.core.provider_answer import AttemptFailedError
from orchestrator.core.reply import Usage
from orchestrator.metering.several_answers import SeveralReader
from orchestrator.providers.wire.sse import SentEvent

COUNTS = {"prompt_tokens": 10, "completion_tokens": 40, "total_tokens": 50}
PARTIAL = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}


def piece(index: int, text: str = "", finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}], **more}


def reader_of(*events: dict[str, Any]) -> SeveralReader:
    reader = SeveralReader(2, reports_cost=False)
    for event in events:
        reader.take(SentEvent(json.dumps({"id": "gen-1", **event}).encode()))
    reader.take(SentEvent(b"[DONE]"))
    return reader


BEGUN = [piece(0, "Xin"), piece(1, "Chào"), piece(1, " bạn", "stop"), piece(0, " chào", "stop")]
LAST = {"choices": [], "usage": COUNTS}


@pytest.mark.parametrize(
    "events",
    [
        [*BEGUN, LAST],
        [*BEGUN[:3], piece(0, "", "stop", usage=COUNTS)],
        [*(event | {"usage": PARTIAL} for event in BEGUN), LAST],
        [{"choices": [BEGUN[0]["choices"][0], BEGUN[1]["choices"][0]]}, *BEGUN[2:], LAST],
        [piece(0, "Xin", "stop"), piece(1, "Chào", "stop"), LAST],
    ],
    ids=["mixed", "with the last finish", "counted all along", "side by side", "one after the other"],
)
def test_the_count_of_all_answers_is_the_bill(events: list[dict[str, Any]]) -> None:
    reader = reader_of(*events)
    assert reader.is_complete
    assert reader.whole().usage == Usage(10, 40)


@pytest.mark.parametrize(
    "events",
    [
        [piece(0, "Xin", "stop", usage=PARTIAL)],
        [piece(0, "Xin", "stop"), {"choices": [], "usage": PARTIAL}, piece(1, "Chào")],
        [*BEGUN, piece(2, "ai?"), LAST],
        [*BEGUN[:3], LAST],
    ],
    ids=["one alone", "counted before the other", "a third", "one without an end"],
)
def test_what_one_of_them_has_used_is_no_bill(events: list[dict[str, Any]]) -> None:
    with pytest.raises(AttemptFailedError) as raised:
        reader_of(*events).whole()
    assert raised.value.answer is not None
    assert raised.value.answer.usage.estimated


def test_without_a_count_they_are_an_estimate() -> None:
    reader = reader_of(*BEGUN)
    assert not reader.is_complete
    assert reader.whole().usage.estimated
