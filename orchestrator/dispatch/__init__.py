"""One plan to one answer: attempts, one after the other, each admitted, timed and booked."""
