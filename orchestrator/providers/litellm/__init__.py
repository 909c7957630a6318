"""The way out through LiteLLM: the only place that knows it."""

from orchestrator.core.offline_litellm import keep_litellm_local

# Before any module of this package imports LiteLLM.
keep_litellm_local()
