"""The bill of practice providers as a table."""

from typing import Any

from orchestrator.cli.output import out, table


def show_bill(bill: dict[str, Any]) -> None:
    """Print a bill for people."""
    from orchestrator.core.money import format_usd

    console = out()
    if not bill["providers"]:
        console.print("The bill: nothing was charged.")
        return
    providers = table("provider", "charges", "total", numbers=("charges", "total"))
    for name, charges in sorted(bill["providers"].items()):
        providers.add_row(name, f"{charges['count']:,}", format_usd(charges["total_nusd"]))
    providers.add_row(
        "all",
        f"{sum(charges['count'] for charges in bill['providers'].values()):,}",
        format_usd(bill["total_nusd"]),
    )
    console.print(providers)
