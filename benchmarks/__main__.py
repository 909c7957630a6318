"""Run every benchmark, or those that are named, one after the other, each in a process of its own."""

import argparse
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
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="options of one: python -m benchmarks.NAME --help",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or BENCHMARKS
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    codes = [
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in names
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
