"""No two calls of a conversation have one id when it is sent, and each result still answers its own call."""

import pytest

from orchestrator.core.call_ids import TakenIds, with_own_ids
from orchestrator.core.tool_turns import check_tool_turns
from tests.core.test_tool_turns import ASK, call, calling, result


def ids(messages) -> list[str]:
    """Return the ids in a conversation, in order: of calls, and of results."""
    found = []
    for message in messages:
        found += [each["id"] for each in message.get("tool_calls") or ()]
        found += [message["tool_call_id"]] if "tool_call_id" in message else []
    return found


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ((ASK, calling(call()), result(), ASK), ["c1", "c1"]),
        ((calling(call()), result(), calling(call()), result()), ["c1", "c1", "c1_2", "c1_2"]),
        (
            (calling(call(), call("c2")), result("c2"), result(), calling(call("c2"), call()), result(), result("c2")),
            ["c1", "c2", "c2", "c1", "c2_2", "c1_2", "c1_2", "c2_2"],
        ),
        ((calling(call()), result(), calling(call("c1_2")), result("c1_2"), calling(call()), result()), ["c1", "c1", "c1_2", "c1_2", "c1_3", "c1_3"]),
        # Without their signatures, which other vendors do not get, they are the same.
        ((calling(call("c__thought__A")), result("c__thought__A"), calling(call("c__thought__B")), result("c__thought__B")), ["c__thought__A", "c__thought__A", "c_2__thought__B", "c_2__thought__B"]),
        ((calling(call("c__thought__A"), call("c")), result("c"), result("c__thought__A")), ["c__thought__A", "c_2", "c_2", "c__thought__A"]),
    ],
)  # fmt: skip
def test_a_repeated_id_is_renamed_with_its_result(messages, sent):
    check_tool_turns(messages)
    kept = [dict(message) for message in messages]
    renamed = with_own_ids(messages)
    assert ids(renamed) == sent
    check_tool_turns(renamed)
    assert list(messages) == kept


def test_what_is_renamed_is_the_same_in_every_turn():
    turns = [message for _ in range(4) for message in (calling(call()), result())]
    first, later = with_own_ids(turns[:4]), with_own_ids(turns)
    assert later[:4] == first


def test_a_signature_stays_with_its_renamed_call():
    block = {"type": "reasoning.encrypted", "id": "c1", "data": "s", "format": "google-gemini-v1"}
    signed = {**calling(call()), "reasoning_details": [block, {"type": "reasoning.text", "text": "hm"}]}
    *_, again, answered = with_own_ids((calling(call()), result(), signed, result()))
    assert again["reasoning_details"][0]["id"] == again["tool_calls"][0]["id"] == answered["tool_call_id"]
    assert again["reasoning_details"][1] == {"type": "reasoning.text", "text": "hm"}


def test_an_id_that_is_made_is_no_longer_than_any_provider_takes():
    ids = TakenIds()
    assert [ids.take("a"), ids.take("a" * 40), ids.take("a" * 40)] == ["a", "a" * 40, "a" * 38 + "_2"]


def test_a_long_conversation_with_one_id_costs_no_more_than_its_calls(stopwatch):
    turns = [message for _ in range(20_000) for message in (calling(call()), result())]
    watch = stopwatch()
    renamed = with_own_ids(turns)
    assert watch.took_s() < 2
    assert renamed[-1]["tool_call_id"] == "c1_20000"


def test_an_id_that_is_longer_than_openai_takes_is_another_one_when_it_is_sent():
    """Those of vLLM have 46 letters; the next turn may be another provider's."""
    long = "chatcmpl-tool-" + "0123456789abcdef" * 2
    messages = (
        ASK,
        calling(call(long)),
        result(long),
        calling(call(f"{long}__thought__A")),
        result(f"{long}__thought__A"),
    )
    sent = with_own_ids(messages)
    check_tool_turns(sent)
    plain = [each.partition("__thought__")[0] for each in ids(sent)]
    assert [len(each) for each in plain] == [40] * 4
    assert plain[0] == plain[1] != plain[2] == plain[3]
    assert ids(with_own_ids(messages)) == ids(sent)
    assert ids(messages)[0] == long
