"""Pages that show what happens now, what it costs and what became of a request."""
