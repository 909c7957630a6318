"""Old import paths that the documents named keep working for one release, and warn."""

from importlib import import_module

import pytest

OLD_PATHS = [
    ("orchestrator.errors", "orchestrator.core.errors", "IdempotencyConflictError"),
    ("orchestrator.ops.probe", "orchestrator.monitoring.health_checks", "HealthChecks"),
    ("orchestrator.state.ledger_read", "orchestrator.ledger.sqlite.reader", "LedgerReader"),
]


@pytest.mark.parametrize(("old", "new", "name"), OLD_PATHS)
def test_a_name_of_an_old_path_is_the_moved_thing_and_warns(old, new, name):
    with pytest.warns(DeprecationWarning, match=f"{old} has moved to {new}"):
        value = getattr(import_module(old), name)
    assert value is getattr(import_module(new), name)


def test_a_name_that_never_was_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="no attribute 'NoSuchError'"):
        _ = import_module("orchestrator.errors").NoSuchError
