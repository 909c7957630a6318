"""Run every benchmark, one after the other, each in a process of its own."""

import subprocess
import sys

BENCHMARKS = (
    "overhead",
    "peers",
    "server",
    "dashboard",
    "dashboard_server",
    "growth",
    "budgets",
    "bookings",
    "ledger",
    "failover",
    "joins",
    "reports",
    "soak",
    "routing",
    "whatif",
)


def main() -> int:
    """Return 0 when every benchmark ran."""
    codes = [
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
        for name in BENCHMARKS
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
