"""Every module has a test file of its name, or one that is named here."""

from pathlib import Path

ROOT = Path(__file__).parents[2]

TESTED_BY = {
    "orchestrator/__main__.py": "tests/cli/test_main.py",
    "orchestrator/budget_guard.py": "tests/gateway/test_budget_guard.py",
    "orchestrator/clock.py": "tests/test_background.py",
    "orchestrator/config_file.py": "tests/test_config.py",
    "orchestrator/config_names.py": "tests/test_config.py",
    "orchestrator/config_settings.py": "tests/test_config.py",
    "orchestrator/errors.py": "tests/test_client.py",
    "orchestrator/langchain_chat.py": "tests/langchain_chat/test_standard.py",
    "orchestrator/langchain_messages.py": "tests/langchain_chat/test_standard.py",
    "orchestrator/planning.py": "tests/test_client.py",
    "orchestrator/replies.py": "tests/test_client.py",
    "orchestrator/sampling.py": "tests/test_calls.py",
    "orchestrator/settings.py": "tests/test_config.py",
    "orchestrator/gateway/guarded.py": "tests/gateway/test_budget_guard.py",
    "orchestrator/gateway/guarded_call.py": "tests/gateway/test_budget_guard.py",
    "orchestrator/under_way.py": "tests/test_client.py",
    "orchestrator/wire_shape.py": "tests/test_calls.py",
    "orchestrator/gateway/verdict.py": "tests/gateway/test_walk.py",
    "orchestrator/gateway/local_server.py": "tests/gateway/test_local.py",
    "orchestrator/gateway/metering.py": "tests/gateway/test_native.py",
    "orchestrator/policy/needs.py": "tests/policy/test_routing.py",
    "orchestrator/practice/fault_kinds.py": "tests/practice/test_faults.py",
    "orchestrator/state/forking.py": "tests/state/test_ledger.py",
    "orchestrator/state/ledger_file.py": "tests/state/test_ledger.py",
    "orchestrator/state/ledger_book.py": "tests/state/test_ledger.py",
    "orchestrator/state/ledger_errors.py": "tests/state/test_ledger.py",
    "orchestrator/state/ledger_read.py": "tests/reports/test_ledger_read.py",
    "orchestrator/state/ledger_records.py": "tests/state/test_ledger.py",
    "chains/setting.py": "tests/chains/test_runnables.py",
    "orchestrator/cli/app.py": "tests/cli/test_main.py",
    "orchestrator/cli/drill_page.py": "tests/cli/test_drill.py",
    "orchestrator/cli/foreground.py": "tests/cli/test_practice.py",
    "orchestrator/cli/options.py": "tests/cli/test_ask.py",
    "orchestrator/cli/plain.py": "tests/cli/test_ask.py",
    "orchestrator/cli/prompts.py": "tests/cli/test_ask.py",
    "orchestrator/ops/rehearsal.py": "tests/cli/test_practice.py",
    "orchestrator/cli/session.py": "tests/cli/test_main.py",
    "orchestrator/cli/story/": "tests/cli/test_demo.py",
    "orchestrator/ops/accounts.py": "tests/ops/test_check.py",
    "orchestrator/ops/checked.py": "tests/ops/test_check.py",
    "orchestrator/ops/control.py": "tests/cli/test_practice.py",
    "orchestrator/ops/drill_cases.py": "tests/ops/test_drill.py",
    "orchestrator/ops/drill_stage.py": "tests/ops/test_drill.py",
    "orchestrator/ops/here.py": "tests/ops/test_check.py",
    "orchestrator/ops/tier.py": "tests/ops/test_check.py",
}
"""Modules, or whole folders, that another module's test covers."""


def modules() -> list[str]:
    return sorted(
        path.relative_to(ROOT).as_posix()
        for folder in ("orchestrator", "chains")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    )


def test_of(module: str) -> str:
    """Return the path of the test file that a module should have."""
    place, _, name = module.removeprefix("orchestrator/").rpartition("/")
    return f"tests/{place}/test_{name}" if place else f"tests/test_{name}"


test_of.__test__ = False  # type: ignore[attr-defined]


def untested(exists) -> list[str]:
    return [
        module
        for module in modules()
        if not exists(test_of(module)) and not any(module.startswith(known) for known in TESTED_BY)
    ]


def test_every_module_has_its_test():
    assert untested(lambda name: (ROOT / name).is_file()) == []


def test_the_tests_that_stand_in_for_others_exist():
    assert [name for name in TESTED_BY.values() if not (ROOT / name).is_file()] == []


def test_the_list_names_only_modules_without_a_test_of_their_own():
    files = set(modules())
    gone = [
        name
        for name in TESTED_BY
        if name not in files and not (name.endswith("/") and (ROOT / name).is_dir())
    ]
    own = [name for name in TESTED_BY if name in files and (ROOT / test_of(name)).is_file()]
    assert (gone, own) == ([], [])


def test_a_module_without_a_test_is_noticed():
    assert "orchestrator/money.py" in untested(lambda name: name != "tests/test_money.py")
    assert test_of("orchestrator/policy/routing.py") == "tests/policy/test_routing.py"
    assert test_of("chains/fields.py") == "tests/chains/test_fields.py"
