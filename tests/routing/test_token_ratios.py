"""What models were seen to count is in the ledger, and comes back with the next start."""

from dataclasses import replace

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.core.prompt_size import PromptSize, Script
from orchestrator.ledger.records import TokenSample
from orchestrator.routing.token_ratios import TokenRatios

VIETNAMESE = PromptSize(900, 200, Script.WIDE)


def send(books, operation: str, size: PromptSize | None, *, estimated: bool = False) -> None:
    """Book one send of 10 counted input tokens."""
    hold = books.ledger.hold(replace(books.claim(operation), size=size))
    attempt = books.attempt(300)
    books.ledger.settle(hold, replace(attempt, usage=replace(attempt.usage, estimated=estimated)))


def test_a_new_process_knows_what_the_last_one_saw(books):
    send(books, "one", VIETNAMESE)
    send(books, "two", VIETNAMESE)
    found = TokenRatios(books.ledger.token_samples).of(Script.WIDE)["m"]
    assert (found.samples, found.expected_tokens, found.counted_tokens) == (2, 400, 20)


def test_scripts_are_counted_apart(books):
    send(books, "one", VIETNAMESE)
    assert TokenRatios(books.ledger.token_samples).of(Script.PLAIN) == {}


def test_a_guess_of_ours_teaches_nothing(books):
    """Nor does a send whose prompt nobody measured."""
    send(books, "one", VIETNAMESE, estimated=True)
    send(books, "two", None)
    assert TokenRatios(books.ledger.token_samples).of(Script.WIDE) == {}


def test_what_is_learnt_counts_at_once(books):
    counts = TokenRatios(books.ledger.token_samples)
    counts.learn("m", Script.WIDE, expected_tokens=100, counted_tokens=150)
    assert counts.of(Script.WIDE)["m"].counted_tokens == 150


def test_a_plan_keeps_the_counts_that_it_was_given(books):
    counts = TokenRatios(books.ledger.token_samples)
    counts.learn("m", Script.WIDE, expected_tokens=100, counted_tokens=150)
    before = counts.of(Script.WIDE)
    counts.learn("m", Script.WIDE, expected_tokens=100, counted_tokens=150)
    assert (before["m"].samples, counts.of(Script.WIDE)["m"].samples) == (1, 2)


def test_without_a_ledger_there_is_nothing_to_know_and_no_file_is_made(books):
    assert TokenRatios(books.ledger.token_samples).of(Script.WIDE) == {}
    assert not books.path.exists()


def test_what_could_not_be_read_is_read_with_the_next_question(books) -> None:
    reads = iter([LedgerError("locked"), (TokenSample("m", Script.WIDE, 100, 150),)])

    def samples():
        read = next(reads)
        if isinstance(read, Exception):
            raise read
        return read

    ratios = TokenRatios(samples)
    with pytest.raises(LedgerError):
        ratios.of(Script.WIDE)
    assert set(ratios.of(Script.WIDE)) == {"m"}
