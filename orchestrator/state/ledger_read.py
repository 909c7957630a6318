"""Moved to `orchestrator.ledger.reader`; this path goes with the next release."""

from orchestrator.core.moved import forward

__getattr__ = forward(__name__, to="orchestrator.ledger.reader")
