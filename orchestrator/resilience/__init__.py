"""What keeps a fault small: circuits, health, rate limits, retries, room for requests under way."""
