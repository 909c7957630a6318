"""A retry profile says after which failure a deployment is asked again, and how long each attempt waits."""

from datetime import date

import pytest

from orchestrator.config.loader import embedded_path, load_config
from orchestrator.core.failures import Failure, FailureKind, kind_of_status
from orchestrator.resilience.retry_policy import RetryProfile, fallback_delay_s, retry_delay_s

PROFILES = load_config(embedded_path(), today=date(2026, 11, 23), environment={}).settings.retry_profiles
INTERACTIVE, BACKGROUND = PROFILES["interactive"], PROFILES["background"]


def waits(profile: RetryProfile, failure: Failure) -> list[float | None]:
    return [retry_delay_s(profile, failure, retries_so_far=retries) for retries in range(4)]


@pytest.mark.parametrize("kind", [FailureKind.SERVER_ERROR, FailureKind.DISCONNECTED])
def test_interactive_tries_a_transient_failure_once_more_after_100_ms(kind):
    assert waits(INTERACTIVE, Failure(kind)) == [0.1, None, None, None]


def test_a_deployment_that_does_not_go_on_with_a_begun_answer_is_asked_afresh_once():
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
