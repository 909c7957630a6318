"""What exists, what it can do, and what it costs since when."""
