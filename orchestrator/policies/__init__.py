"""Policies: which models answer a use case, and when an answer is accepted; data in, data out."""
