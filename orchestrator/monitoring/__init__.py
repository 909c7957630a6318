"""Looks at providers while no request is sent to them."""
