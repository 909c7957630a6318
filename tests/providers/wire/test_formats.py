"""Every kind of provider that our wire carries has a format of its own in the table; the others are LiteLLM's."""

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.money import nano_usd
from orchestrator.providers.wire.formats import FORMATS
from orchestrator.providers.wire.sse import SentEvent

WHOLE = {
    ProviderKind.GOOGLE: b'{"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}',
}
OPENAI = (
    b'{"id": "1", "choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}], '
    b'"usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4, "cost": 0.5}}'
)


def test_every_kind_but_litellms_has_its_row():
    assert set(FORMATS) == set(ProviderKind) - {ProviderKind.LITELLM}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_reads_its_own_answer_and_only_openrouters_says_what_it_cost(kind):
    answer = FORMATS[kind].read(WHOLE.get(kind, OPENAI))
    assert (answer.text, answer.finish_reason) == ("Hi", "stop")
    assert answer.reported_cost_nusd == (nano_usd("0.5") if kind is ProviderKind.OPENROUTER else None)


@pytest.mark.parametrize("kind", FORMATS)
def test_each_stream_is_read_by_a_reader_of_its_own(kind):
    first, second = FORMATS[kind].reader(), FORMATS[kind].reader()
    assert first is not second
    data = WHOLE.get(kind, b'{"choices": [{"delta": {"content": "Hi"}}]}')
    assert [delta.text for delta in first.take(SentEvent(data))] == ["Hi"]
    assert not second.has_finished
