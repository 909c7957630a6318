"""The report of a month as CSV: one row for the total, then one for each model, use case and tenant."""

from typing import TYPE_CHECKING

from orchestrator.core.formatting import usd_text
from orchestrator.reports.csv_text import csv_row

if TYPE_CHECKING:
    from orchestrator.reports.monthly import MonthReport, Part

_COLUMNS = (
    "month", "group", "name", "requests", "share", "cost_usd", "cost_nusd", "average_cost_usd",
    "average_latency_s", "success_rate",
)  # fmt: skip


def month_csv(report: "MonthReport") -> str:
    """Return the report as CSV text with a header; what is not known is an empty cell."""
    rows = [csv_row(_COLUMNS)]
    total_name, total_share = report.tenant or "all", float(report.requests > 0)
    rows.append(csv_row((report.month, "total", total_name, *_cells(report, share=total_share))))
    for group, parts in (
        ("model", report.models),
        ("use_case", report.use_cases),
        ("tenant", report.tenants),
    ):
        rows += [csv_row((report.month, group, part.name, *_cells(part, share=part.share))) for part in parts]
    return "".join(rows)


def _cells(sums: "MonthReport | Part", *, share: float) -> tuple[str | int, ...]:
    average = "" if sums.average_cost_nusd is None else usd_text(sums.average_cost_nusd)
    costs = (usd_text(sums.cost_nusd), sums.cost_nusd, average)
    return (sums.requests, f"{share:.6f}", *costs, _blank(sums.average_latency_s), _blank(sums.success_rate))


def _blank(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
