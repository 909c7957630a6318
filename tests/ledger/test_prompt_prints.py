"""Equal prompts have equal prints in one ledger, and in no other."""

from orchestrator.ledger.prompt_prints import BEGINNING_PRINT_BYTES, PromptPrint, keyed

PROMPT = PromptPrint(b"whole", (b"4k", b"16k"), 20_000, waited=False)


def test_a_print_is_the_same_under_one_secret_and_another_under_the_next() -> None:
    kept = keyed(PROMPT, "ab" * 32)
    assert kept == keyed(PROMPT, "ab" * 32)
    other = keyed(PROMPT, "cd" * 32)
    assert kept.whole != other.whole
    assert kept.beginnings != other.beginnings
    assert len(kept.beginnings) == 2 * BEGINNING_PRINT_BYTES


def test_a_prompt_that_was_not_looked_at_has_no_print() -> None:
    assert keyed(PromptPrint(b"", (), 0, waited=True), "ab" * 32).whole == b""
