"""What is remembered between requests: money, replies, health and rate limits."""
