"""Choosing models, measured on recorded outcomes of real models: quality against cost, all calls paid."""
