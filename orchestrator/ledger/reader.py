"""Reads the ledger for reports, notebooks and questions of your own; this import path stays.

with LedgerReader(path) as reader:
attempts = reader.attempts(month="2026-11")
"""

from orchestrator.ledger.facts import TABLES, Counter, Rows
from orchestrator.ledger.sqlite.reader import LedgerReader

__all__ = ["TABLES", "Counter", "LedgerReader", "Rows"]
