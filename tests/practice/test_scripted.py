"""Scripted answers: in order, for matching messages, then by rule."""

import pytest

from orchestrator.practice.answers import Finish, PracticeAnswer, PracticeRequest, PracticeToolCall
from orchestrator.practice.scripted import Scripted


def _request(text: str = "Hello") -> PracticeRequest:
    return PracticeRequest("openai", "m", ({"role": "user", "content": text},))


def test_replies_are_given_in_order_and_then_by_rule():
    """Each once; more may be added."""
    script = Scripted(["one", PracticeToolCall("f")])
    script.add(PracticeAnswer("three", finish_reason="content_filter"))
    answers = [script.reply_to(_request()) for _ in range(4)]
    assert answers[0] == PracticeAnswer("one")
    assert answers[1] == PracticeAnswer(tool_calls=(PracticeToolCall("f"),))
    assert answers[2].finish_reason == "content_filter"
    assert "Hello" in answers[3].text


def test_a_matching_reply_comes_first_and_is_not_used_up():
    """Case does not matter; an empty key matches everything."""
    script = Scripted(["ordered"], matched={"REFUND": "We refund."})
    assert [script.reply_to(_request("a refund?")).text for _ in range(2)] == ["We refund."] * 2
    assert script.reply_to(_request("else")).text == "ordered"
    assert Scripted(matched={"": "always"}).reply_to(_request()).text == "always"


async def test_the_pieces_of_an_answer_make_the_whole_text():
    """White space and long words included."""
    text = "Xin chào,  thế giới!\n" + "x" * 100
    pieces = [
        piece async for piece in Scripted([PracticeAnswer(text, finish_reason="stop")]).answer(_request())
    ]
    assert pieces[-1] == Finish("stop")
    texts = [piece for piece in pieces if isinstance(piece, str)]
    assert "".join(texts) == text
    assert len(texts) > 5


@pytest.mark.parametrize("reply", [{"desk": "billing"}, ["one", "two"], 3, None])
def test_a_reply_that_is_none_is_refused_where_it_is_scripted(reply):
    """Not in the request that gets it, with the frames of a dispatch around it."""
    says_what = f"not {type(reply).__name__}; json.dumps"
    with pytest.raises(TypeError, match=says_what):
        Scripted([reply])
    with pytest.raises(TypeError, match=says_what):
        Scripted().add("fine", reply)
    with pytest.raises(TypeError, match=says_what):
        Scripted().match({"refund": reply})


def test_arguments_of_a_tool_call_are_json_text():
    with pytest.raises(
        TypeError, match=r"arguments of order_status are JSON text: json\.dumps\(\{'id': 1\}\)"
    ):
        PracticeToolCall("order_status", {"id": 1})  # type: ignore[arg-type]
