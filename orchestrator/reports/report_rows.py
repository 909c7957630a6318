"""A report as one flat table, for CSV and Parquet: the total, every day, and every part of each grouping."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.core.formatting import usd_text
from orchestrator.reports.csv_text import csv_row
from orchestrator.reports.export import exported_file, require_parquet

if TYPE_CHECKING:
    from orchestrator.ledger.feedback import FeedbackSum
    from orchestrator.reports.usage_report import DayCost, Part, UsageReport

COLUMNS = (
    "period", "group", "name", "requests", "share", "cost_usd", "cost_nusd", "average_cost_usd",
    "average_latency_s", "success_rate", "latency_p50_s", "latency_p95_s", "first_token_p50_s",
    "first_token_p95_s", "output_tokens_per_s", "rating", "scores",
)  # fmt: skip


def report_csv(report: "UsageReport") -> str:
    """Return the report as CSV text with a header; what is not known is an empty cell."""
    return "".join([csv_row(COLUMNS), *(csv_row(map(_decimal, row)) for row in report_rows(report))])


def write_report_parquet(report: "UsageReport", path: Path) -> None:
    """Write the report as one Parquet file; money is whole nano-dollars, dollars an exact text.

    Raises:
        ExportError: pyarrow is missing, or the file cannot be written.
    """
    require_parquet()
    import pandas as pd  # noqa: PLC0415 -- a second of a processor, for Parquet alone

    frame = pd.DataFrame(list(report_rows(report)), columns=list(COLUMNS), dtype="object").convert_dtypes()
    with exported_file(path) as unfinished:
        frame.to_parquet(unfinished, index=False)


def report_rows(report: "UsageReport") -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the table, in the order of `COLUMNS`."""
    label, share = report.span.label, float(report.requests > 0)
    yield (label, "total", report.of.label or "all", *_cells(report, share), *_scores(report.ratings.total))
    for day in report.days:
        yield (label, "day", day.day, *_day_cells(day, report.requests))
    for group, parts in groups(report):
        for part in parts:
            rating = report.ratings.named(group, part.name)
            yield (label, group, part.name, *_cells(part, part.share), *_scores(rating))


def groups(report: "UsageReport") -> "tuple[tuple[str, tuple[Part, ...]], ...]":
    """Return every grouping of a report, by its name."""
    return (
        ("model", report.models),
        ("use_case", report.use_cases),
        ("tenant", report.tenants),
        ("experiment", report.experiments),
        ("user", report.users),
        ("tag", report.tags),
    )


def _cells(sums: "UsageReport | Part", share: float) -> tuple[Any, ...]:
    average = None if sums.average_cost_nusd is None else usd_text(sums.average_cost_nusd)
    first = getattr(sums, "first_token", None)
    latency = sums.latency
    return (
        sums.requests, share, usd_text(sums.cost_nusd), int(sums.cost_nusd), average,
        sums.average_latency_s, sums.success_rate,
        *((None, None) if latency is None else (latency.p50_s, latency.p95_s)),
        *((None, None) if first is None else (first.p50_s, first.p95_s)),
        getattr(sums, "output_tokens_per_s", None),
    )  # fmt: skip


def _scores(rating: "FeedbackSum") -> tuple[float | None, int | None]:
    return rating.average_score, rating.scored or None


def _day_cells(day: "DayCost", requests: int) -> tuple[Any, ...]:
    share = day.requests / requests if requests else 0.0
    return (day.requests, share, usd_text(day.cost_nusd), int(day.cost_nusd), *[None] * 10)


def _decimal(value: Any) -> Any:
    return f"{value:.6f}" if isinstance(value, float) else value
