"""A reply that arrives in pieces, over all attempts."""
