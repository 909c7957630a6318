"""An answer that cannot be used keeps what it cost and says why, without a word of it."""

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Usage

FILTERED = Failure(FailureKind.CONTENT_FILTERED)
ANSWER = ProviderAnswer("Nguyễn Thị Bí Mật", (), "content_filter", Usage(12, 3), None, "gen-1")


def test_an_unreadable_answer_keeps_the_usage_it_came_with():
    error = UnreadableAnswerError(FILTERED, ANSWER)
    assert error.answer is not None
    assert error.answer.usage == Usage(12, 3)


def test_its_message_says_why_and_quotes_nothing():
    assert str(UnreadableAnswerError(FILTERED, ANSWER)) == "blocked by the provider's content filter"
