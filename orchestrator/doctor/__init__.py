"""The connection test: can every tier be used, and if not, what to do."""
