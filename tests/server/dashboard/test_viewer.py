"""A viewer sees the budgets that are his, at the hours of his time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from orchestrator.core.language import Language
from orchestrator.server.dashboard.viewer import Viewer

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def test_a_tenant_sees_its_own_scopes_and_operations_every_one():
    tenant = Viewer("acme", frozenset({"tenant:acme"}), Language.VI, HANOI)
    operations = Viewer(None, frozenset(), Language.VI, HANOI)
    assert [tenant.sees(scope) for scope in ("tenant:acme", "tenant:lotus", "all")] == [True, False, False]
    assert all(operations.sees(scope) for scope in ("tenant:acme", "tenant:lotus", "all"))


def test_a_moment_is_in_the_viewers_time_zone():
    viewer = Viewer(None, frozenset(), Language.VI, HANOI)
    assert viewer.moment(datetime(2026, 11, 23, 20, 5, tzinfo=UTC)) == "2026-11-24 03:05:00"
