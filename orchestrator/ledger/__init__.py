"""Money: what may be spent is held, what was spent is booked."""
