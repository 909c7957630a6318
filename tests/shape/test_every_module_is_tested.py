"""Every module has a test file of its name, or one that is named here."""

from pathlib import Path

ROOT = Path(__file__).parents[2]

TESTED_BY = {
    "orchestrator/whatif/comparison.py": "tests/whatif/test_whatif.py",
    "orchestrator/whatif/drawn.py": "tests/whatif/test_whatif.py",
    "orchestrator/whatif/no_way_out.py": "tests/whatif/test_static_proof.py",
    "orchestrator/whatif/outcomes.py": "tests/whatif/test_whatif.py",
    "orchestrator/whatif/proof_words.py": "tests/whatif/test_static_proof.py",
    "orchestrator/whatif/replay_transport.py": "tests/whatif/test_replay.py",
    "orchestrator/whatif/views.py": "tests/cli/test_whatif.py",
    "orchestrator/whatif/world.py": "tests/whatif/test_replay.py",
    "orchestrator/config/catalog_building.py": "tests/config/test_loader.py",
    "orchestrator/config/policy_references.py": "tests/policies/test_settings.py",
    "orchestrator/core/analysis.py": "tests/routing/test_analysing.py",
    "orchestrator/routing/explaining.py": "tests/routing/test_analysing.py",
    "orchestrator/core/decision.py": "tests/dispatch/test_agreement.py",
    "orchestrator/dispatch/lanes.py": "tests/dispatch/test_agreement.py",
    "orchestrator/dispatch/strategies.py": "tests/pipeline/test_dispatching.py",
    "orchestrator/ledger/sqlite/whole_copies.py": "tests/ledger/test_backup.py",
    "orchestrator/dispatch/attempt.py": "tests/dispatch/test_cursor.py",
    "orchestrator/dispatch/dispatch_request.py": "tests/dispatch/test_dispatcher.py",
    "orchestrator/dispatch/history.py": "tests/dispatch/test_cursor.py",
    "orchestrator/dispatch/outcome.py": "tests/dispatch/test_cursor.py",
    "orchestrator/dispatch/services.py": "tests/dispatch/test_cursor.py",
    "orchestrator/dispatch/transport.py": "tests/dispatch/test_dispatcher.py",
    "orchestrator/providers/in_memory.py": "tests/dispatch/test_dispatcher.py",
    "orchestrator/providers/litellm/loading.py": "tests/providers/litellm/test_hooks.py",
    "orchestrator/providers/litellm/transport.py": "tests/providers/test_transport.py",
    "orchestrator/providers/litellm/sending.py": "tests/providers/test_one_attempt.py",
    "orchestrator/cache/single_flight.py": "tests/cache/test_response_cache.py",
    "orchestrator/cli/bill_table.py": "tests/cli/test_practice.py",
    "orchestrator/errors.py": "tests/core/test_moved.py",
    "orchestrator/config/telemetry.py": "tests/telemetry/test_otlp.py",
    "orchestrator/embeds.py": "tests/pipeline/test_embedding.py",
    "orchestrator/catalog/models.py": "tests/catalog/test_catalog.py",
    "orchestrator/lends.py": "tests/test_client.py",
    "orchestrator/core/live_object.py": "tests/langchain/test_round_trip.py",
    "orchestrator/looks.py": "tests/test_client.py",
    "orchestrator/ops/probe.py": "tests/core/test_moved.py",
    "orchestrator/state/ledger_read.py": "tests/core/test_moved.py",
    "orchestrator/practice/responses_request.py": "tests/practice/test_wire_responses.py",
    "orchestrator/practice/json_types.py": "tests/core/test_json_schema.py",
    "orchestrator/__main__.py": "tests/cli/test_main.py",
    "orchestrator/core/clock.py": "tests/core/test_background_loop.py",
    "orchestrator/alerting/undelivered.py": "tests/alerting/test_channels.py",
    "orchestrator/alerting/trial.py": "tests/cli/test_alerts.py",
    "orchestrator/monitoring/alert_sources.py": "tests/monitoring/test_alert_watch.py",
    "orchestrator/config/yaml_file.py": "tests/config/test_loader.py",
    "orchestrator/config/references.py": "tests/config/test_loader.py",
    "orchestrator/config/schema.py": "tests/config/test_loader.py",
    "orchestrator/core/errors.py": "tests/test_client.py",
    "orchestrator/langchain/messages.py": "tests/langchain/test_standard.py",
    "orchestrator/pipeline/reply_building.py": "tests/test_client.py",
    "orchestrator/core/settings.py": "tests/config/test_loader.py",
    "orchestrator/providers/litellm/whole_as_events.py": "tests/providers/litellm/test_odd_prefix_answers.py",
    "orchestrator/metering/litellm_guard.py": "tests/metering/test_budget_guard.py",
    "orchestrator/metering/litellm_call.py": "tests/metering/test_budget_guard.py",
    "orchestrator/providers/local/server.py": "tests/providers/local/test_model.py",
    "orchestrator/metering/meter.py": "tests/metering/test_langchain_clients.py",
    "orchestrator/routing/settings.py": "tests/routing/test_ranking.py",
    "orchestrator/routing/capabilities.py": "tests/routing/test_ranking.py",
    "orchestrator/practice/fault_kinds.py": "tests/practice/test_faults.py",
    "orchestrator/core/fork_hooks.py": "tests/ledger/test_ledger.py",
    "orchestrator/ledger/sqlite/statements.py": "tests/ledger/test_ledger.py",
    "orchestrator/ledger/sqlite/errors.py": "tests/ledger/test_ledger.py",
    "orchestrator/ledger/sqlite/keys.py": "tests/ledger/test_idempotency_keys.py",
    "orchestrator/ledger/sqlite/orphans.py": "tests/ledger/test_reconcile.py",
    "orchestrator/ledger/sqlite/queries.py": "tests/ledger/sqlite/test_store.py",
    "orchestrator/ledger/sqlite/roll_up.py": "tests/ledger/test_compact.py",
    "orchestrator/ledger/facts.py": "tests/ledger/test_verify.py",
    "orchestrator/ledger/opening.py": "tests/ledger/test_ledger.py",
    "orchestrator/ledger/reader.py": "tests/core/test_moved.py",
    "orchestrator/ledger/contents.py": "tests/ledger/sqlite/test_contents.py",
    "orchestrator/ledger/store.py": "tests/ledger/store_contract.py",
    "orchestrator/ledger/records.py": "tests/ledger/test_ledger.py",
    "orchestrator/cli/app.py": "tests/cli/test_main.py",
    "orchestrator/cli/foreground.py": "tests/cli/test_practice.py",
    "orchestrator/cli/options.py": "tests/cli/test_ask.py",
    "orchestrator/reports/views.py": "tests/cli/test_ask.py",
    "orchestrator/reports/ledger_views.py": "tests/cli/test_ledger.py",
    "orchestrator/reports/report_rows.py": "tests/cli/test_report.py",
    "orchestrator/reports/report_views.py": "tests/cli/test_report.py",
    "orchestrator/reports/analysis.py": "tests/cli/test_report.py",
    "orchestrator/reports/report_words.py": "tests/reports/test_html_page.py",
    "orchestrator/reports/rolled_months.py": "tests/reports/test_usage_report.py",
    "orchestrator/reports/resampling.py": "tests/reports/test_savings.py",
    "orchestrator/ledger/usage.py": "tests/reports/test_usage_sums.py",
    "orchestrator/ledger/sqlite/usage_queries.py": "tests/reports/test_usage_sums.py",
    "orchestrator/doctor/views.py": "tests/cli/test_doctor.py",
    "orchestrator/drill/views.py": "tests/cli/test_drill.py",
    "orchestrator/requests/views.py": "tests/cli/test_requests.py",
    "orchestrator/ops/views.py": "tests/cli/test_prices.py",
    "orchestrator/chains/views.py": "tests/cli/test_chain.py",
    "orchestrator/cli/prompts.py": "tests/cli/test_ask.py",
    "orchestrator/cli/session.py": "tests/cli/test_main.py",
    "orchestrator/cli/story/": "tests/cli/test_demo.py",
    "orchestrator/doctor/results.py": "tests/doctor/test_doctor.py",
    "orchestrator/drill/practice_control.py": "tests/cli/test_practice.py",
    "orchestrator/drill/cases.py": "tests/drill/test_drill.py",
    "orchestrator/drill/environment.py": "tests/drill/test_drill.py",
    "orchestrator/doctor/local_checks.py": "tests/doctor/test_doctor.py",
    "orchestrator/doctor/provider_checks.py": "tests/doctor/test_doctor.py",
    "orchestrator/access/settings.py": "tests/config/test_loader.py",
    "orchestrator/access/api_keys.py": "tests/access/test_key_folder.py",
    "orchestrator/server/chat_answer.py": "tests/server/test_chat.py",
    "orchestrator/server/chat_stream.py": "tests/server/test_chat.py",
    "orchestrator/server/door.py": "tests/server/test_app.py",
    "orchestrator/server/model_list.py": "tests/server/test_chat.py",
    "orchestrator/server/presence.py": "tests/server/test_chat.py",
    "orchestrator/server/request_body.py": "tests/server/test_chat_request.py",
    "orchestrator/server/serving.py": "tests/cli/test_serve.py",
    "orchestrator/server/workers.py": "tests/cli/test_serve.py",
    "orchestrator/server/dashboard/record_pages.py": "tests/server/dashboard/test_routes.py",
    "orchestrator/cli/serve_demo.py": "tests/cli/test_serve.py",
    "orchestrator/evaluation/calibrating.py": "tests/cli/test_calibrate.py",
    "orchestrator/evaluation/case.py": "tests/evaluation/test_summary.py",
    "orchestrator/evaluation/chain_subject.py": "tests/cli/test_evaluate.py",
    "orchestrator/evaluation/comparing.py": "tests/cli/test_calibrate.py",
    "orchestrator/evaluation/page_words.py": "tests/evaluation/test_html_page.py",
    "orchestrator/evaluation/policy_file.py": "tests/cli/test_calibrate.py",
    "orchestrator/evaluation/pricing.py": "tests/evaluation/test_evaluate.py",
    "orchestrator/evaluation/quality_plot.py": "tests/cli/test_calibrate.py",
    "orchestrator/evaluation/running.py": "tests/evaluation/test_evaluate.py",
    "orchestrator/experiments/settings.py": "tests/config/test_experiments.py",
    "orchestrator/experiments/views.py": "tests/cli/test_experiment.py",
    "orchestrator/pipeline/arm_tags.py": "tests/pipeline/test_arms.py",
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
    assert "orchestrator/core/money.py" in untested(lambda name: name != "tests/core/test_money.py")
    assert test_of("orchestrator/routing/ranking.py") == "tests/routing/test_ranking.py"
    assert test_of("chains/fields.py") == "tests/chains/test_fields.py"
