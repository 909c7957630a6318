"""Budgets for clients that are not ours."""
