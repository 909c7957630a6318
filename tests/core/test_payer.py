"""Every send counts against the budgets of all that it belongs to."""

import unicodedata
from dataclasses import replace

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.payer import Payer, ProbeRequest, is_own, name_in, shown_scope
from orchestrator.core.request import ChatRequest
from orchestrator.doctor import provider_checks as doctor
from orchestrator.resilience import health_check_policy


def test_a_send_counts_against_every_scope_it_belongs_to() -> None:
    assert Payer("acme", "bulk", "42", ("trial", "eu", "trial")).scopes("google", "gemini") == (
        *("all", "tenant:acme", "use_case:bulk", "user:42", "provider:google", "model:gemini"),
        *("tag:eu", "tag:trial"),
    )


def test_a_name_is_read_from_the_scopes_as_it_was_written() -> None:
    scopes = Payer("a:b", "bulk", "42", ("trial",)).scopes("google")
    kinds = ("tenant", "use_case", "user", "provider", "tag", "all")
    assert [name_in(scopes, kind) for kind in kinds] == ["a:b", "bulk", "42", "google", "trial", None]


def test_a_request_of_nobody_in_particular_has_no_user_scope() -> None:
    assert Payer("acme", "bulk").scopes("google", "gemini") == (
        *("all", "tenant:acme", "use_case:bulk", "provider:google", "model:gemini"),
    )


def test_before_a_provider_is_chosen_a_send_counts_against_no_providers_own_limit() -> None:
    assert {"provider:", "model:"} < set(Payer("acme", "bulk").scopes())


def test_a_request_names_its_payer() -> None:
    request = ChatRequest.of("Xin chào", use_case="bulk", tenant="acme", user="42", tags=["trial"])
    assert Payer.of(request) == Payer("acme", "bulk", "42", ("trial",))


def test_whoever_names_a_payer_names_the_same_scopes() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Hà Nội") for form in ("NFC", "NFD"))
    request = ChatRequest.of(
        "Xin chào", use_case=" bulk", tenant=decomposed, user=f"{decomposed} ", tags=decomposed
    )
    scopes = (f"tenant:{composed}", f"user:{composed}", f"tag:{composed}", "use_case:bulk")
    for payer in (
        Payer.of(request),
        Payer(decomposed, "bulk", decomposed, (decomposed, composed)),
        Payer.of(replace(request, tenant=composed, user=decomposed, tags=[f" {decomposed}"])),
    ):
        assert set(scopes) <= set(payer.scopes())
        assert len(payer.scopes()) == len(scopes) + 3


def test_a_text_in_the_place_of_tags_is_one_tag() -> None:
    assert Payer("acme", "bulk", tags="abc").scopes()[-1] == "tag:abc"


def test_a_payer_that_is_no_name_is_refused() -> None:
    for wrong in (
        {"tenant": 7},
        {"tenant": "a\u200bb"},
        {"user": ""},
        {"tags": {"a": 1}},
        {"use_case": None},
    ):
        with pytest.raises(InvalidRequestError):
            Payer(**{"tenant": "acme", "use_case": "bulk", **wrong})


@pytest.mark.parametrize("tenant", [doctor.TENANT, health_check_policy.HEALTH_CHECK_TENANT])
def test_no_caller_is_taken_for_a_probe_of_ours(tenant):
    """Whatever a customer is called, `doctor` too: what tells our probes is no name that a caller can have."""
    probe = Payer.of(ProbeRequest.of("ok", use_case="support", tenant=tenant))
    assert is_own(probe.tenant)
    assert replace(probe, user="42").tenant == tenant
    bare = tenant.rpartition(":")[2]
    assert not is_own(Payer.of(ChatRequest.of("Hi", use_case="support", tenant=bare)).tenant)
    for name_it in (
        lambda: Payer.of(ChatRequest.of("Hi", use_case="support", tenant=tenant)),
        lambda: Payer(f" {tenant}", "support"),
        lambda: replace(Payer("acme", "support"), tenant=tenant),
    ):
        with pytest.raises(InvalidRequestError, match="pays for our own looks at providers alone"):
            name_it()


def test_no_caller_spends_the_money_of_shadows():
    assert Payer.of_shadow("faq").scopes()[1:3] == ("tenant:shadow:faq", "use_case:shadow:faq")
    with pytest.raises(InvalidRequestError, match="pays for shadows of experiments alone"):
        Payer.of(ChatRequest.of("Hi", use_case="support", tenant="shadow:faq"))
    # Clients of vendors and calls of LiteLLM name their payer without a request.
    with pytest.raises(InvalidRequestError, match="pays for shadows of experiments alone"):
        replace(Payer("acme", "support"), tenant="shadow:faq")
    with pytest.raises(InvalidRequestError, match="pays for shadows of experiments alone"):
        Payer("shadow:faq", "shadow:faq")


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        ("tenant:shadow:faq", "experiment:faq"),
        ("use_case:shadow:faq", "experiment:faq"),
        ("tag:shadow:faq", "tag:shadow:faq"),
        ("tenant:acme", "tenant:acme"),
        ("all", "all"),
    ],
)
def test_people_read_the_name_of_an_experiment_where_its_shadows_pay(scope, shown):
    assert shown_scope(scope) == shown
