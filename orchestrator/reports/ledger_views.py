"""The ledger as the plain data that `--json` prints: the budgets, and the state of the books.

Money is exact: whole nano-dollars, and dollars as a text.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.core.formatting import money

if TYPE_CHECKING:
    from orchestrator.ledger.compact import Compaction
    from orchestrator.ledger.ledger import BudgetStatus
    from orchestrator.ledger.reconcile import SettledOrphan
    from orchestrator.ledger.verify import Verification
    from orchestrator.reports.export import Exported
    from orchestrator.reports.reconciliation import Corrected, Reconciliation


def plain_budgets(budgets: "Sequence[BudgetStatus]") -> list[dict[str, Any]]:
    """Return how budgets stand."""
    return [
        {
            "scope": budget.scope,
            "window": budget.window.value,
            "period": budget.period,
            **money("limit", budget.limit),
            **money("spent", budget.spent),
            **money("held", budget.held),
            **money("left", budget.left),
            **money("rolled_over", budget.rolled_over),
            "resets_at": budget.resets_at.isoformat(),
        }
        for budget in budgets
    ]


def plain_verification(verification: "Verification") -> dict[str, Any]:
    """Return what a check of the ledger found; the counters in it are nano-dollars."""
    return {
        "counters_are_right": verification.counters_are_right,
        "rows": dict(verification.rows),
        "differences": [asdict(difference) for difference in verification.differences],
        "unequal_operations": [asdict(operation) for operation in verification.unequal_operations],
        "unclaimed_attempts": [asdict(attempt) for attempt in verification.unclaimed_attempts],
        "excesses": [asdict(attempt) for attempt in verification.excesses],
        "unequal_days": list(verification.unequal_days),
        "strays": list(verification.strays),
        "cost_by_source": {
            name: {"attempts": source.attempts, **money("cost", source.cost_nusd)}
            for name, source in verification.sources.items()
        },
    }


def plain_reconciliation(reconciliation: "Reconciliation") -> dict[str, Any]:
    """Return what a reconciliation booked, or would book."""
    return {
        "orphans": [_plain_orphan(settled) for settled in reconciliation.orphans],
        "corrections": [_plain_correction(corrected) for corrected in reconciliation.corrections],
        "unanswered": [
            {
                "operation_id": unanswered.attempt.operation_id,
                "attempt": unanswered.attempt.number,
                "reason": unanswered.reason,
            }
            for unanswered in reconciliation.unanswered
        ],
    }


def plain_compaction(compaction: "Compaction") -> dict[str, Any]:
    """Return which months were rolled up, and which were kept and why."""
    return {
        "compacted": [
            {
                "month": rolled_up.month,
                "requests": rolled_up.requests,
                "attempts": rolled_up.attempts,
                **money("cost", rolled_up.cost_nusd),
            }
            for rolled_up in compaction.compacted
        ],
        "kept": [{"month": kept.month, "reason": kept.reason} for kept in compaction.kept],
    }


def plain_files(files: "Sequence[Exported]") -> dict[str, Any]:
    """Return the files that an export wrote."""
    return {"files": [{"path": str(file.path), "table": file.table, "rows": file.rows} for file in files]}


def _plain_orphan(settled: "SettledOrphan") -> dict[str, Any]:
    orphan, claim = settled.orphan, settled.orphan.hold.request
    return {
        "operation_id": claim.operation_id,
        "attempt": claim.number,
        "deployment": claim.deployment,
        "process": orphan.process,
        "life": orphan.life.value,
        "held_at": orphan.hold.held_at.isoformat(),
        **money("held", claim.bound_nusd),
        **money("cost", settled.cost_nusd),
        "cost_source": settled.source.value,
    }


def _plain_correction(corrected: "Corrected") -> dict[str, Any]:
    return {
        "operation_id": corrected.attempt.operation_id,
        "attempt": corrected.attempt.number,
        "upstream_id": corrected.attempt.upstream_id,
        **money("booked", corrected.attempt.cost_nusd),
        **money("cost", corrected.cost_nusd),
        "delta_nusd": corrected.delta_nusd,
    }
