"""The orchestrator over HTTP, for programs in any language."""
