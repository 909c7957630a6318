"""The connection test: can every provider be used, and if not, what to do."""
