"""Every send counts against the budgets of all that it belongs to."""

from orchestrator.core.payer import Payer
from orchestrator.core.request import ChatRequest


def test_a_send_counts_against_every_scope_it_belongs_to() -> None:
    assert Payer("acme", "bulk", "42", ("trial", "eu", "trial")).scopes("google") == (
        *("all", "tenant:acme", "use_case:bulk", "user:42", "provider:google"),
        *("tag:eu", "tag:trial"),
    )


def test_a_request_of_nobody_in_particular_has_no_user_scope() -> None:
    assert Payer("acme", "bulk").scopes("google") == (
        *("all", "tenant:acme", "use_case:bulk", "provider:google"),
    )


def test_before_a_provider_is_chosen_a_send_counts_against_no_providers_own_limit() -> None:
    assert "provider:" in Payer("acme", "bulk").scopes()


def test_a_request_names_its_payer() -> None:
    request = ChatRequest.of("Xin chào", use_case="bulk", tenant="acme", user="42", tags=["trial"])
    assert Payer.of(request) == Payer("acme", "bulk", "42", ("trial",))
