"""What was spent and how it went: the ledger as frames, the month, how every budget stands.

The only door to pandas; `budget_status` needs none.
"""
