"""The way of a request: steps of one signature, one around the other."""
