"""What is kept and told in English is said in Vietnamese: every sentence that the code can write has its words."""

import ast
import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import orchestrator
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import OverloadedError
from orchestrator.core.failures import FailureKind
from orchestrator.core.language import Language, language_of
from orchestrator.core.vietnamese import FAILURES_VI, SENTENCES_VI, in_language
from orchestrator.dispatch.history import DispatchHistory
from orchestrator.dispatch.outcome import failure_error
from orchestrator.pipeline.call import Call
from orchestrator.resilience.concurrency_limiter import ConcurrencyLimiter, OverloadSettings

PACKAGE = Path(orchestrator.__file__).parent
WRITERS = (
    "catalog/price_book.py", "config/notices.py", "dispatch/admission.py", "dispatch/agreement.py",
    "dispatch/exclusions.py", "drill/drill.py", "pipeline/degradation.py", "pipeline/graceful.py", "pipeline/repeats.py",
    "routing/eligibility.py", "routing/embedding_plan.py", "routing/facts.py", "routing/ranking.py",
)  # fmt: skip
"""Modules whose sentences are kept with a request, or are notices of config.yaml."""
NOT_KEPT = {
    "assumed maximum of config.yaml", "an accepted answer has a result", "Sorry, we cannot answer just now", "Xin lỗi",
    "the pieces of the stream are not the reply", "left out: it is off",
}  # fmt: skip
"""How texts begin that no page shows of a request: the source of a price, a fault of the program, what callers read."""


def written(path):
    """Yield the words that a module writes, as they stand between values; errors and docstrings are none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise | ast.Expr) and not isinstance(getattr(node, "value", None), ast.Yield)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield from (words for words in re.split(r"\{\w+\}", node.value) if words.strip().count(" ") >= 2)


@pytest.mark.parametrize("module", WRITERS)
def test_the_words_of_a_writer_are_those_of_a_sentence_that_has_its_vietnamese(module):
    known = [sentence.replace("(s)", "s") for sentence in SENTENCES_VI]
    words = [each.strip(",; ") for each in written(PACKAGE / module)]
    assert words
    strange = [each for each in words if not any(each in sentence for sentence in known)]
    assert [each for each in strange if not each.startswith(tuple(NOT_KEPT))] == []


def test_every_kind_of_failure_has_its_words():
    assert FAILURES_VI.keys() == {kind.value for kind in FailureKind}


@pytest.mark.parametrize("sentence", list(SENTENCES_VI))
def test_no_value_is_lost_on_the_way(sentence):
    for field in ("{a}", "{b}", "{c}", "{d}", "{MANY}"):
        assert (field in sentence) == (field in SENTENCES_VI[sentence])


@pytest.mark.parametrize(
    ("english", "vietnamese"),
    [
        ("openrouter/gpt-6.1-sol server_error", "openrouter/gpt-6.1-sol lỗi máy chủ"),
        (
            "a/b left out: circuit open after repeated failures; c/d did not answer",
            "a/b bị loại: bị ngắt mạch sau nhiều lần lỗi; c/d không trả lời",
        ),
        (
            "nobody answered: no provider could answer just now; ask again later, not at once (a/b: timeout)",
            "không ai trả lời: lúc này không nhà cung cấp nào trả lời được; hãy hỏi lại sau, đừng hỏi ngay (a/b: quá thời gian)",
        ),
        (
            "over the day budget of tenant:Đại lý A, as long as others hold money of it",
            "vượt ngân sách ngày của tenant:Đại lý A, chừng nào yêu cầu khác còn giữ tiền của nó",
        ),
        ("the whole answer, degraded: a/b empty", "trọn câu trả lời, giảm cấp: a/b trả lời trống"),
        ("a/b left out: our own words, empty timeout", "a/b bị loại: our own words, empty timeout"),
    ],
)
def test_sentences_in_sentences_are_said_and_names_stay(english, vietnamese):
    assert in_language(english, Language.VI) == vietnamese
    assert in_language(english, Language.EN) == english
    assert language_of(in_language("a/b did not answer", Language.VI)) is Language.VI


@pytest.mark.timeout(30)
def test_a_long_text_is_said_at_once():
    text = "; ".join(f"provider/model-{number} gave no two of what " * 20 for number in range(200))
    assert in_language(text, Language.VI)


async def test_why_nobody_answered_is_said_in_vietnamese_whatever_it_was(clock):
    """It stands on the page of a request that got an apology or an older answer."""
    settings = OverloadSettings(in_flight=1, queue_per_tenant=1, queue=1)
    limiter = ConcurrencyLimiter(settings, clock=clock)
    errors: list[Exception] = [
        failure_error(DispatchHistory(), failure=None, advice="", rested_in_s=111.2),
        failure_error(DispatchHistory(), failure=None, advice="", room_in_s=41.0),
        failure_error(DispatchHistory(), failure=None, advice=""),
    ]
    late = SimpleNamespace(id="1", deadline=Deadline.after(30, clock=clock))
    errors += [Call.too_late(late, delivered) for delivered in ("", "Chào")]
    with await limiter.slot("acme", background=False, left_s=1):
        errors.append(await refusal_of(limiter.slot("acme", background=False, left_s=0.01)))
    for _ in range(20):
        with await limiter.slot("acme", background=False, left_s=1):
            clock.advance(10)
    with await limiter.slot("acme", background=False, left_s=1):
        for left_s in (1, 0.0):
            errors.append(await refusal_of(limiter.slot("acme", background=False, left_s=left_s)))
        waiting = asyncio.create_task(limiter.slot("acme", background=False, left_s=1_000))
        await asyncio.sleep(0)
        errors.append(await refusal_of(limiter.slot("acme", background=False, left_s=1_000)))
        limiter.adopt(OverloadSettings(in_flight=1, queue_per_tenant=1, queue=9))
        errors.append(await refusal_of(limiter.slot("acme", background=False, left_s=1_000)))
    with await waiting:
        limiter.adopt(OverloadSettings(in_flight=1))
    for error in errors:
        said = in_language(f"nobody answered: {error}", Language.VI)
        assert not set(re.findall(r"[a-z_]+", said)) & {
            "answer",
            "ask",
            "again",
            "within",
            "requests",
            "slot",
            "wait",
        }, said


async def refusal_of(slot):
    with pytest.raises(OverloadedError) as caught:
        await slot
    return caught.value
