"""What was spent and how it went: the ledger as frames, the month, the standing of every budget.

The only door to pandas; `standings` needs none.
"""
