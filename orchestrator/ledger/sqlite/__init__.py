"""The ledger as one SQLite file, shared by threads and processes."""
