"""What the checks of `orchestrator doctor` found as the plain data that `--json` prints."""

from typing import Any

from orchestrator.doctor.doctor import Findings
from orchestrator.doctor.results import Check


def plain_findings(findings: Findings) -> dict[str, Any]:
    """Return all checks, and the exit code that they end in."""
    return {
        "ok": findings.exit_code == 0,
        "exit_code": findings.exit_code,
        "checks": [_plain_check(check) for check in findings.checks],
    }


def _plain_check(check: Check) -> dict[str, Any]:
    return {
        "tier": check.tier,
        "check": check.name,
        "verdict": check.verdict.value,
        "detail": check.detail,
        "todo": check.todo,
        "took_s": None if check.took_s is None else round(check.took_s, 3),
    }
