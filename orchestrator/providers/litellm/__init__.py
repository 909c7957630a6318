"""The way out through LiteLLM: the only place that knows it."""
