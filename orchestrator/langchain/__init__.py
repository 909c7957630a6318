"""The orchestrator as LangChain knows it."""
