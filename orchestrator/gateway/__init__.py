"""The way out of the process: LiteLLM's Router, guarded at every attempt."""
