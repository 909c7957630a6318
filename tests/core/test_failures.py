"""Every failure has a policy, and every status a kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.failures import FAILURE_POLICIES, Billing, Failure, FailureKind, kind_of_status


def test_every_kind_of_failure_has_a_policy_and_a_description():
    assert set(FAILURE_POLICIES) == set(FailureKind)
    descriptions = [policy.description for policy in FAILURE_POLICIES.values()]
    assert len(set(descriptions)) == len(descriptions)
    assert all(descriptions)


def test_only_what_another_provider_could_not_change_ends_the_search():
    ends = {kind for kind, policy in FAILURE_POLICIES.items() if not policy.fall_back}
    assert ends == {FailureKind.BAD_REQUEST, FailureKind.CANCELLED}


def test_what_says_nothing_about_a_deployment_does_not_count_against_its_health():
    """A rate limit, a prompt too long, a filter, a caller who left: the next request may well succeed."""
    innocent = {kind for kind, policy in FAILURE_POLICIES.items() if not policy.unhealthy}
    assert innocent == {
        FailureKind.RATE_LIMITED,
        FailureKind.CONTEXT_OVERFLOW,
        FailureKind.CONTENT_FILTERED,
        FailureKind.OUTPUT_LIMIT,
        FailureKind.UNSUPPORTED,
        FailureKind.BAD_REQUEST,
        FailureKind.CONTINUATION_REFUSED,
        FailureKind.NOT_SENT,
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
def test_no_other_status_is_the_callers_mistake(status):
    """Whatever a provider, or what stands before it, may invent: the next one is asked."""
    assert (kind_of_status(status) is FailureKind.BAD_REQUEST) == (status in {400, 422})


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
