"""The bill of practice providers as a table."""

from typing import Any

from orchestrator.cli.output import out, table


def show_bill(told: dict[str, Any]) -> None:
    """Print a bill for people."""
    from orchestrator.core.money import format_usd

    console = out()
    if not told["providers"]:
        console.print("The bill: nothing was charged.")
        return
    made = table("provider", "charges", "total", numbers=("charges", "total"))
    for name, one in sorted(told["providers"].items()):
        made.add_row(name, f"{one['count']:,}", format_usd(one["total_nusd"]))
    made.add_row(
        "all", f"{sum(one['count'] for one in told['providers'].values()):,}", format_usd(told["total_nusd"])
    )
    console.print(made)
