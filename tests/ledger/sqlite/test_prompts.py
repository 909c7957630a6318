"""What reports ask of fingerprints, counted as one would by hand; and that none leaves the ledger."""

from dataclasses import replace

import pytest

from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CacheState, Outcome, Usage
from orchestrator.ledger.facts import TABLES
from orchestrator.ledger.ledger import RequestRecord
from orchestrator.ledger.prompt_prints import PromptPrint
from orchestrator.ledger.usage import BeginningGroup, RepeatGroup, Selection, WaitingGroup

DAY = "2026-11-23"
ALL = Selection(DAY, DAY)
SHORT = PromptPrint(b"q", (), 0, waited=False)


@pytest.fixture
def ask(books):
    """Book a request with a print at a minute of the day."""
    numbers = iter(range(1000))

    def book(minute: int, prompt: PromptPrint | None, *, cost=300, tokens=10, cached=0, tenant="acme") -> str:
        identity = f"op-{next(numbers)}"
        books.clock.set(books.clock.now().replace(hour=minute // 60, minute=minute % 60))
        claim = books.claim(identity, scopes=("all", f"tenant:{tenant}", "use_case:bulk", "provider:p"))
        attempt = replace(books.attempt(cost), usage=Usage(tokens, 5, cached))
        books.ledger.settle(books.ledger.hold(claim), attempt)
        books.ledger.record_request(
            RequestRecord(
                identity, books.clock.now(), tenant, "bulk", None, (), Outcome.SUCCEEDED, None, CacheState.MISS,
                None, "p/m", "p", "m", 1, Usage(tokens, 5), NanoUsd(cost), 0.1, None, prompt,
            )
        )  # fmt: skip
        return identity

    return book


def test_of_equal_prompts_all_but_the_dearest_could_have_come_from_a_cache(books, ask):
    for minute, cost in ((5, 100), (9, 400), (59, 200), (61, 50)):
        ask(minute, SHORT, cost=cost)
    ask(6, replace(SHORT, whole=b"another"))
    ask(7, None)
    ask(8, SHORT, tenant="probe:doctor")
    with books.reader as view:
        (group,) = view.repeat_groups(ALL)
        assert list(view.repeat_groups(replace(ALL, tenant="other"))) == []
    assert group == RepeatGroup(DAY, "bulk", 5, 2, NanoUsd(300), 3, NanoUsd(350))


def test_a_correction_counts_in_what_a_repeated_prompt_cost(books, ask):
    ask(5, SHORT, cost=400)
    late = ask(6, SHORT, cost=300)
    books.ledger.correct(late, 1, cost_nusd=NanoUsd(120), reason="the invoice")
    with books.reader as view:
        (group,) = view.repeat_groups(ALL)
    assert group.hourly_nusd == 120


def test_equal_beginnings_count_by_what_the_provider_did_not_read_from_its_cache(books, ask):
    long = PromptPrint(b"1", (b"4k",), 8_192, waited=False)
    ask(1, long, tokens=4_000)
    ask(2, replace(long, whole=b"2"), tokens=4_000)
    ask(3, replace(long, whole=b"3"), tokens=4_000, cached=1_500)
    ask(21, replace(long, whole=b"4"), tokens=4_000)
    ask(4, replace(long, whole=b"5", beginnings=(b"other",)), tokens=4_000)
    ask(5, replace(long, whole=b"6"), tokens=1_000)  # too short for a discount
    with books.reader as view:
        assert list(view.beginning_groups(ALL)) == [
            BeginningGroup(DAY, "bulk", "p/m", 4_096, 5, 2, 2_000 + 500)
        ]


def test_a_long_prompt_counts_at_every_length_that_it_has(books, ask):
    prints = (b"4k", b"16k", b"64k")
    for number in range(2):
        ask(
            1 + number,
            PromptPrint(b"%d" % number, (*prints[:2], b"%d" % number), 65_536, False),
            tokens=17_000,
        )
    with books.reader as view:
        found = [(group.length_bytes, group.alike) for group in view.beginning_groups(ALL)]
    assert found == [(4_096, 1), (16_384, 1), (65_536, 0)]


def test_what_nobody_waited_for_is_summed_by_deployment(books, ask):
    ask(1, replace(SHORT, waited=True), cost=100)
    ask(2, replace(SHORT, waited=True), cost=200)
    ask(3, SHORT, cost=400)
    with books.reader as view:
        assert list(view.waiting_groups(ALL)) == [WaitingGroup(DAY, "bulk", "p/m", 2, NanoUsd(300))]


def test_a_print_is_keyed_with_a_secret_of_its_ledger_and_in_no_export(books, ask):
    ask(1, SHORT)
    ((secret,),) = books.rows("SELECT value FROM about WHERE key = 'prompt_secret'")
    assert len(bytes.fromhex(secret)) == 32
    ((whole,),) = books.rows("SELECT whole FROM prompts")
    assert len(whole) == 8
    assert {"prompts", "about"}.isdisjoint(TABLES)
