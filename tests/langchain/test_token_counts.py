"""Tokens are estimated offline, rather too many than too few."""

from langchain_core.messages import HumanMessage, ToolMessage, trim_messages

from orchestrator import Orchestrator
from orchestrator.langchain.token_counts import tokens_of_messages, tokens_of_text

VIETNAMESE = "Đơn hàng của chị đã được giao cho đơn vị vận chuyển sáng nay ạ."


def test_vietnamese_takes_more_than_english_and_nothing_takes_nothing():
    assert tokens_of_text("") == tokens_of_messages([]) == 0
    assert len("a" * 400) / 4 < tokens_of_text("a" * 400) <= 400
    assert tokens_of_text(VIETNAMESE) > tokens_of_text("a" * len(VIETNAMESE))


def test_tools_and_pictures_count():
    message = {"role": "user", "content": "hi"}
    picture = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}
    alone = tokens_of_messages([message])
    assert tokens_of_messages([message], [{"type": "function", "function": {"name": "find"}}]) > alone
    assert tokens_of_messages([{"role": "user", "content": [picture]}]) > 1_000


def test_a_chat_model_counts_for_trim_messages_without_asking_anybody(
    practised: Orchestrator, practice
) -> None:
    chat = practised.chat_model("customer_service")
    history = [HumanMessage(f"{number}: {VIETNAMESE}") for number in range(20)]
    limit = chat.get_num_tokens_from_messages(history[:5])
    kept = trim_messages(history, max_tokens=limit, token_counter=chat, strategy="last")
    assert kept == history[-len(kept) :]
    assert 0 < chat.get_num_tokens_from_messages(kept) <= limit
    # A part of a conversation is counted too, though it could not be sent.
    assert chat.get_num_tokens_from_messages([ToolMessage("ra", tool_call_id="1")]) > 0
    assert chat.get_num_tokens(VIETNAMESE) == tokens_of_text(VIETNAMESE)
    assert practice.requests == ()
