"""What has been read of an answer is kept for the bill, whether it comes to an end or not."""

import pytest

from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import UnreadableAnswerError
from orchestrator.providers.wire.answer_draft import AnswerDraft
from orchestrator.providers.wire.usage_reading import read_gemini_usage


def test_an_answer_has_begun_with_its_first_thought() -> None:
    draft = AnswerDraft(read_gemini_usage)
    draft.think("")
    assert not draft.has_content
    draft.think("hm")
    assert draft.has_content


def test_the_first_name_counts_of_the_tier_the_last_and_nonsense_is_none() -> None:
    draft = AnswerDraft(read_gemini_usage)
    draft.name(upstream_id=7, served_model="", service_tier=None)
    draft.name(upstream_id="a" * 257, served_model="a\nb", service_tier=None)
    draft.name(upstream_id="a", served_model="m", service_tier="default")
    draft.name(upstream_id="b", served_model="n", service_tier="flex")
    assert (draft.upstream_id, draft.served_model, draft.service_tier) == ("a", "m", "flex")


def test_what_a_stream_counts_before_its_end_is_no_count_of_the_answer() -> None:
    draft = AnswerDraft(read_gemini_usage, has_last_count=False)
    counts = {"promptTokenCount": 10, "candidatesTokenCount": 5}
    draft.count(counts, ends=False)
    assert draft.as_it_stands().usage.estimated
    draft.count(counts, ends=True)
    assert draft.as_it_stands().usage.output_tokens == 5


def test_without_a_finish_reason_it_broke_off_and_keeps_its_words() -> None:
    draft = AnswerDraft(read_gemini_usage, texts=["Xin ", "chào"])
    with pytest.raises(UnreadableAnswerError) as caught:
        draft.whole()
    assert caught.value.failure.kind is FailureKind.INTERRUPTED
    assert caught.value.answer is not None
    assert caught.value.answer.text == "Xin chào"


def test_tool_calls_that_cannot_be_read_bring_the_words_before_them_along() -> None:
    draft = AnswerDraft(read_gemini_usage, texts=["Đợi"], finish_reason="tool_calls")
    draft.calls.add({"id": "a", "function": {"name": "f", "arguments": "{"}})
    with pytest.raises(UnreadableAnswerError) as caught:
        draft.whole()
    assert caught.value.answer is not None
    assert (caught.value.answer.text, caught.value.failure.kind) == ("Đợi", FailureKind.MALFORMED)


@pytest.mark.parametrize(
    "piece",
    [
        {"type": "reasoning.text", "index": 1, "text": "b"},
        {"type": "reasoning.summary", "index": 0, "summary": "b"},
        {"type": "reasoning.text", "text": "b"},
        {"type": "reasoning.encrypted", "index": 0, "data": "b"},
    ],
)
def test_blocks_of_thought_that_do_not_belong_together_stay_apart(piece) -> None:
    draft = AnswerDraft(read_gemini_usage)
    draft.grow_thought_block({"type": "reasoning.text", "index": 0, "text": "a"})
    draft.grow_thought_block(piece)
    assert draft.thought_blocks == [{"type": "reasoning.text", "index": 0, "text": "a"}, piece]
