"""Thoughts in tags before an answer are none of its text, however the pieces are cut."""

import orjson
import pytest

from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import UnreadableAnswerError
from orchestrator.core.sampling import Sampling
from orchestrator.providers.wire.answer_checks import check_was_offered
from orchestrator.providers.wire.openai_format import OpenAiReader, read_openai_answer
from orchestrator.providers.wire.sse import SentEvent
from orchestrator.providers.wire.thought_tags import ThoughtTags, parted_at_stray_end

CASES = [
    ("Chào <think>bạn</think>.", "Chào <think>bạn</think>.", ""),
    ("<think>hm</think>\n\nChào <b>bạn</b>.", "Chào <b>bạn</b>.", "hm"),
    ("\n<think>\nhm <b> </thi\n</think>Chào", "Chào", "\nhm <b> </thi\n"),
    ("<thought>hm</thought>Chào", "Chào", "hm"),
    ("<think>a</think><think>b</think> Chào", "Chào", "ab"),
    ("<think></think>\n\nChào", "Chào", ""),
    ("<thinking>hm</thinking>Chào", "<thinking>hm</thinking>Chào", ""),
    ("  <", "  <", ""),
    ("<thin", "<thin", ""),
    ("<table>", "<table>", ""),
    ("<tool_call>{}</tool_call>", "<tool_call>{}</tool_call>", ""),
    ("<tool", "<tool", ""),
    ("<think>a</think> <b", "<b", "a"),
    ("<think>a</think>\n<", "<", "a"),
    ("</think>\n\nChào", "Chào", ""),
    ("</thin", "</thin", ""),
    (
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Chào",
        "Chào",
        "hm",
    ),
    ("<|channel|>final<|message|>Chào", "Chào", ""),
    ("", "", ""),
]


@pytest.mark.parametrize("letters", [1, 2, 5, 100])
@pytest.mark.parametrize(("written", "text", "thoughts"), CASES)
def test_thoughts_are_parted_from_the_text(written: str, text: str, thoughts: str, letters: int) -> None:
    tags = ThoughtTags()
    pieces = [written[at : at + letters] for at in range(0, len(written), letters)]
    parts = [*map(tags.feed, pieces), tags.close()]
    assert "".join(words for words, _ in parts) == text
    assert "".join(thought for _, thought in parts) == thoughts


def whole(content: str, finish: str = "stop"):
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": finish}
    return read_openai_answer(orjson.dumps({"choices": [choice]}), reports_cost=False)


def streamed(content: str, *, letters: int = 3, offers_tools: bool = False):
    reader, deltas = OpenAiReader(reports_cost=False), []
    reader.draft.offers_tools = offers_tools
    pieces = [content[at : at + letters] for at in range(0, len(content), letters)]
    for piece in [*({"content": piece} for piece in pieces), {}]:
        choice = {"index": 0, "delta": piece, "finish_reason": None if piece else "stop"}
        deltas += reader.take(SentEvent(orjson.dumps({"choices": [choice]})))
    return reader.whole(), deltas


@pytest.mark.parametrize(("written", "text", "thoughts"), CASES[:-1])
def test_an_answer_is_its_words_and_its_reasoning_whole_and_streamed(written, text, thoughts) -> None:
    assert (whole(written).text, whole(written).reasoning) == (text, thoughts)
    answer, deltas = streamed(written)
    assert (answer.text, answer.reasoning) == (text, thoughts)
    assert "".join(delta.text for delta in deltas) == text
    assert "".join(delta.reasoning for delta in deltas) == thoughts


@pytest.mark.parametrize("written", ["<think>hm</think>", "<think>hm</think>\n", "<think>hm hm"])
def test_thoughts_alone_are_no_answer(written: str) -> None:
    for read in (whole, streamed):
        with pytest.raises(UnreadableAnswerError) as caught:
            read(written)
        assert caught.value.failure.kind is FailureKind.EMPTY
    assert whole(written, "length").text == ""


@pytest.mark.parametrize(
    ("written", "is_call"),
    [
        ('<tool_call>\n{"name": "f"}\n</tool_call>', True),
        ("<think>hm</think>\n\n<tool_call>", True),
        ('[TOOL_CALLS][{"name": "f"}]', True),
        ("<function=f>", True),
        ("Chào <tool_call>", False),
        ("<tool_box>", False),
    ],
)
def test_a_tool_call_that_a_server_left_in_the_text_is_no_answer_where_tools_were_offered(
    written: str, is_call: bool
) -> None:
    """A customer read it, and nobody carried it out. A stream ends before its first word."""
    tool = {"type": "function", "function": {"name": "f"}}
    if not is_call:
        check_was_offered(whole(written), Sampling(tools=(tool,)))
        assert streamed(written, offers_tools=True)[0].text == written
        return
    check_was_offered(whole(written), Sampling())
    assert streamed(written)[0].text.endswith(written[-5:])
    with pytest.raises(UnreadableAnswerError) as caught:
        check_was_offered(whole(written), Sampling(tools=(tool,)))
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED
    with pytest.raises(UnreadableAnswerError, match="written into the text"):
        streamed(written, offers_tools=True)


STRAY = "hm, hm\n</think>\n\nChào </think> bạn"


@pytest.mark.parametrize(
    "written",
    [
        "The tag `</think>` ends thoughts.",
        "“</think>” ends them.",
        "```\nhm </think>\n```",
        "A <think> begins, </think> ends",
        "<think>hm</think>Then </think> ends it",
        "Chào </thought> bạn",
        "Thoughts have an end (this: </think>).",
        "He wrote '</think>' here.",
    ],
)
def test_a_text_that_speaks_of_the_tag_stays_as_it_is(written: str) -> None:
    assert whole(written).text == written.removeprefix("<think>hm</think>")


def test_the_end_of_thoughts_that_began_in_the_prompt_parts_them() -> None:
    """DeepSeek-R1's and Qwen's templates write the beginning themselves."""
    assert parted_at_stray_end(STRAY) == ("hm, hm\n", "Chào </think> bạn")
    assert (whole(STRAY).text, whole(STRAY).reasoning) == ("Chào </think> bạn", "hm, hm\n")
    with pytest.raises(UnreadableAnswerError) as caught:
        whole("hm, hm\n</think>\n")
    assert caught.value.failure.kind is FailureKind.EMPTY


@pytest.mark.parametrize("thoughts", ["It is (a) or (b)", 'He says "no"', "hm"])
@pytest.mark.parametrize("words", ["[1, 2]", '"yes"', "(b)"])
def test_quotes_and_brackets_of_thoughts_and_of_the_answer_are_none_around_the_tag(thoughts, words) -> None:
    if thoughts[-1] != words[0]:
        assert parted_at_stray_end(f"{thoughts}</think>{words}") == (thoughts, words)


def test_a_tool_call_in_the_place_of_thoughts_is_told_before_it_is_shown() -> None:
    reader, shown = OpenAiReader(reports_cost=False), []
    reader.draft.offers_tools = reader.draft.tags.begins_within = True
    pieces = [{"content": "<tool_call>"}, {"content": "{}"}, {}]
    with pytest.raises(UnreadableAnswerError) as caught:
        for piece in pieces:
            choice = {"index": 0, "delta": piece, "finish_reason": None if piece else "stop"}
            shown += reader.take(SentEvent(orjson.dumps({"choices": [choice]})))
    assert (caught.value.failure.kind, shown) == (FailureKind.UNSUPPORTED, [])


def test_what_is_kept_of_long_thoughts_is_not_copied_with_each_piece() -> None:
    tags = ThoughtTags(begins_within=True)
    for _ in range(1000):
        tags.feed("hm, ")
    assert len(tags._kept) < len("</think>")
    assert tags.feed("hm</think>Chào") == ("Chào", "hm, " * 1000 + "hm")


@pytest.mark.parametrize("letters", [1, 3, 100])
@pytest.mark.parametrize(
    ("written", "text", "thoughts"),
    [
        (STRAY, "Chào </think> bạn", "hm, hm\n"),
        ("<think>hm</think>Chào", "Chào", "hm"),
        ("Chào bạn", "Chào bạn", ""),
        ("hm</think><", "<", "hm"),
        ("hm, hm", "hm, hm", ""),
        ("\n<think>hm, h", "", "hm, h"),
        ("<thought>hm</thought>Chào", "Chào", "hm"),
        ("<tool", "<tool", ""),
    ],
)
def test_a_model_that_is_known_to_begin_within_its_thoughts_is_kept_until_their_end(
    written, text, thoughts, letters
) -> None:
    tags = ThoughtTags(begins_within=True)
    pieces = [written[at : at + letters] for at in range(0, len(written), letters)]
    parts = [*map(tags.feed, pieces), tags.close()]
    assert ("".join(words for words, _ in parts), "".join(more for _, more in parts)) == (text, thoughts)
