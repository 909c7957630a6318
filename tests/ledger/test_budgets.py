"""Which limits count for a request, and that calendar windows are whole, without gap or overlap, in every zone."""

import unicodedata

import pytest
from pydantic import ValidationError

from orchestrator.core.money import nano_usd
from orchestrator.core.payer import Payer
from orchestrator.ledger.budgets import BudgetSettings, Limits, LimitSettings, Window

HANOI = "Asia/Ho_Chi_Minh"


def limits(*entries, time_zone="UTC"):
    return Limits(BudgetSettings(time_zone=time_zone, limits=entries))


# ---- scopes


@pytest.mark.parametrize(
    "scope",
    ["all", "tenant:acme", "tenant:*", "user:a:b", "tag:x", "provider:google", "use_case:x", "model:x"],
)
def test_a_scope_is_taken(scope):
    assert LimitSettings(scope=scope, day=1).scope == scope


@pytest.mark.parametrize("scope", ["", "everybody", "tenant", "tenant:", "all:x", "Tenant:acme", "modell:x"])
def test_what_is_no_scope_is_refused_with_what_would_be(scope):
    with pytest.raises(
        ValidationError, match="is no scope; write all, or one of tenant|at least 1 character"
    ):
        LimitSettings(scope=scope)


def test_a_scope_is_limited_once():
    with pytest.raises(ValidationError, match="scope 'all' is limited twice; put its limits into one entry"):
        limits({"scope": "all", "day": 1}, {"scope": "all", "month": 2})


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_limit_holds_for_a_name_however_it_is_spelt_in_the_file(form):
    written = limits({"scope": f"tenant:{unicodedata.normalize(form, 'Hà Nội')} ", "day": 1})
    (scope,) = Payer(unicodedata.normalize("NFD", "Hà Nội"), "bulk").scopes()[1:2]
    assert written.of(scope, Window.DAY) == nano_usd(1)


def test_a_scope_is_limited_once_however_it_is_spelt():
    with pytest.raises(ValidationError, match="is limited twice"):
        limits({"scope": "tag:Huế", "day": 1}, {"scope": unicodedata.normalize("NFD", "tag:Huế"), "month": 2})


@pytest.mark.parametrize("name", ["a\u200bb", " ", "x" * 129])
def test_a_limit_for_what_is_no_name_is_refused(name):
    with pytest.raises(ValidationError, match="'scope' (must be a name|has at most 128)"):
        LimitSettings(scope=f"tenant:{name}", day=1)


# ---- which limit


def test_a_limit_of_a_name_comes_before_that_of_every_name():
    found = limits({"scope": "tenant:*", "day": 10}, {"scope": "tenant:acme", "day": 3})
    assert found.of("tenant:acme", Window.DAY) == nano_usd(3)
    assert found.of("tenant:other", Window.DAY) == nano_usd(10)
    assert found.of("user:acme", Window.DAY) is None


def test_a_name_keeps_the_limits_of_every_name_that_it_does_not_replace():
    found = limits({"scope": "tenant:*", "day": 10, "month": 100}, {"scope": "tenant:acme", "day": 3})
    assert found.of("tenant:acme", Window.MONTH) == nano_usd(100)


def test_the_smallest_limit_is_a_limit():
    found = limits({"scope": "tenant:*", "day": 10}, {"scope": "tenant:acme", "day": 0.000000001})
    assert found.of("tenant:acme", Window.DAY) == 1


def test_the_tightest_limit_of_a_request_is_that_of_its_scopes():
    found = limits(
        {"scope": "all", "request": "0.5"},
        {"scope": "use_case:bulk", "request": "0.01"},
        {"scope": "tenant:other", "request": "0.001"},
    )
    assert found.tightest_for_request(("all", "use_case:bulk")) == ("use_case:bulk", nano_usd("0.01"))
    assert found.tightest_for_request(("all", "use_case:chat")) == ("all", nano_usd("0.5"))
    assert limits().tightest_for_request(("all",)) is None


def test_the_limit_of_every_tag_is_not_for_the_tag_that_names_a_prompt():
    """All tenants share a prompt's tag, and nobody chose it; a limit that names it holds."""
    limits = Limits(
        BudgetSettings.model_validate(
            {"limits": [{"scope": "tag:*", "day": 1}, {"scope": "tag:prompt:x@1", "day": 2}]}
        )
    )
    assert limits.of("tag:trial", Window.DAY) is not None
    assert limits.of("tag:prompt:support.vi@9f31c0aa", Window.DAY) is None
    assert limits.of("tag:prompt:x@1", Window.DAY) == 2_000_000_000
