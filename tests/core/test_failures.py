"""Every failure has a meaning, every status a kind, and the waits are those of decision D1."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.loader import embedded_path, load_config
from orchestrator.core.failures import FAILURE_POLICIES, Billing, Failure, FailureKind, kind_of_status
from orchestrator.resilience.retry_policy import RetryProfile, fallback_delay_s, retry_delay_s

PROFILES = load_config(embedded_path(), today=date(2026, 11, 23), environment={}).settings.retry_profiles
INTERACTIVE, BACKGROUND = PROFILES["interactive"], PROFILES["background"]


def test_every_kind_of_failure_has_a_meaning_in_words():
    assert set(FAILURE_POLICIES) == set(FailureKind)
    said = [meaning.says for meaning in FAILURE_POLICIES.values()]
    assert len(set(said)) == len(said)
    assert all(said)


def test_only_what_another_provider_could_not_change_ends_the_search():
    ends = {kind for kind, meaning in FAILURE_POLICIES.items() if not meaning.fall_back}
    assert ends == {FailureKind.BAD_REQUEST, FailureKind.CANCELLED}


def test_what_says_nothing_about_a_deployment_does_not_count_against_its_health():
    """A rate limit, a prompt too long, a filter, a caller who left: the next request may well succeed."""
    innocent = {kind for kind, meaning in FAILURE_POLICIES.items() if not meaning.unhealthy}
    assert innocent == {
        FailureKind.RATE_LIMITED,
        FailureKind.CONTEXT_OVERFLOW,
        FailureKind.CONTENT_FILTERED,
        FailureKind.BAD_REQUEST,
        FailureKind.CONTINUATION_REFUSED,
        FailureKind.NOT_JOINABLE,
        FailureKind.CANCELLED,
        FailureKind.VETOED,
    }


@pytest.mark.parametrize(
    "kind",
    [
        FailureKind.DISCONNECTED,
        FailureKind.TIMEOUT,
        FailureKind.MALFORMED,
        FailureKind.EMPTY,
        FailureKind.INTERRUPTED,
        FailureKind.CANCELLED,
        FailureKind.UNKNOWN,
    ],
)
def test_what_a_provider_may_have_worked_for_may_be_billed(kind):
    assert FAILURE_POLICIES[kind].billing is Billing.MAYBE


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408, 401, 402, 403, 404, 413])
def test_every_status_of_an_outage_leads_to_a_fallback(status):
    """G01, and D7: a burst of 401 on a key that worked is an outage too."""
    assert FAILURE_POLICIES[kind_of_status(status)].fall_back


@pytest.mark.parametrize("status", [400, 422])
def test_a_request_that_is_wrong_itself_leads_to_none(status):
    assert kind_of_status(status) is FailureKind.BAD_REQUEST


@given(st.integers(400, 599))
def test_every_status_has_a_kind_and_one_of_the_server_is_never_the_callers_mistake(status):
    assert (kind_of_status(status) is FailureKind.BAD_REQUEST) <= (status < 500)


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Failure(FailureKind.SERVER_ERROR, 502), "server error, HTTP 502"),
        (Failure(FailureKind.RATE_LIMITED, 429), "rate limited (HTTP 429)"),
        (Failure(FailureKind.TIMEOUT), "no answer in time"),
    ],
)
def test_a_failure_is_told_with_its_status_once(failure, text):
    assert str(failure) == text


def waits(profile: RetryProfile, failure: Failure) -> list[float | None]:
    return [retry_delay_s(profile, failure, retries_so_far=retries) for retries in range(4)]


@pytest.mark.parametrize("kind", [FailureKind.SERVER_ERROR, FailureKind.DISCONNECTED])
def test_interactive_tries_a_transient_failure_once_more_after_100_ms(kind):
    assert waits(INTERACTIVE, Failure(kind)) == [0.1, None, None, None]


def test_who_refuses_to_go_on_with_a_begun_answer_is_asked_afresh_once():
    refused = Failure(FailureKind.CONTINUATION_REFUSED)
    assert waits(INTERACTIVE, refused) == waits(BACKGROUND, refused) == [0.0, None, None, None]


_TRIED_AGAIN = {FailureKind.SERVER_ERROR, FailureKind.DISCONNECTED, FailureKind.CONTINUATION_REFUSED}


@pytest.mark.parametrize("kind", sorted(set(FailureKind) - _TRIED_AGAIN))
def test_interactive_takes_every_other_failure_to_the_next_provider_at_once(kind):
    assert waits(INTERACTIVE, Failure(kind)) == [None] * 4
    assert fallback_delay_s(INTERACTIVE, fallbacks_so_far=0) == 0


def test_later_fallbacks_wait_longer_and_longer():
    delays_s = [fallback_delay_s(INTERACTIVE, fallbacks_so_far=place) for place in range(7)]
    assert delays_s == [0, 0.1, 0.2, 0.4, 0.8, 0.8, 0.8]


def test_background_makes_three_attempts_with_pauses_that_double():
    assert BACKGROUND.attempts_per_deployment == 3
    assert waits(BACKGROUND, Failure(FailureKind.SERVER_ERROR)) == [1, 2, None, None]
    assert BACKGROUND.retry_delays_s == (1, 2, 4)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_background_tries_every_retryable_status_of_the_source_again(status):
    assert retry_delay_s(BACKGROUND, Failure(kind_of_status(status)), retries_so_far=0) == 1


@pytest.mark.parametrize(
    ("profile", "retry_after_s", "wait_s"),
    [
        (INTERACTIVE, 0.5, 0.5),
        (INTERACTIVE, 1, 1),
        (INTERACTIVE, 1.1, None),
        (INTERACTIVE, None, None),
        (BACKGROUND, 20, 20),
        (BACKGROUND, 31, None),
        (BACKGROUND, None, 1),
        (BACKGROUND, 0, 0),
    ],
)
def test_a_retry_after_is_honoured_where_the_profile_has_the_patience(profile, retry_after_s, wait_s):
    failure = Failure(FailureKind.RATE_LIMITED, 429, retry_after_s)
    assert retry_delay_s(profile, failure, retries_so_far=0) == wait_s


def test_a_retry_after_gives_no_more_attempts_than_the_profile_allows():
    failure = Failure(FailureKind.RATE_LIMITED, 429, 0.1)
    assert waits(INTERACTIVE, failure) == [0.1, None, None, None]


def test_a_profile_without_delays_waits_for_nothing():
    profile = RetryProfile(deadline_s=1, attempts_per_deployment=2, retry_delays_s=(), fallback_delays_s=())
    assert retry_delay_s(profile, Failure(FailureKind.SERVER_ERROR), retries_so_far=0) == 0
    assert fallback_delay_s(profile, fallbacks_so_far=3) == 0
