"""Budgets for clients that are not ours."""

from orchestrator.core.offline_litellm import keep_litellm_local

# Before any module of this package imports LiteLLM.
keep_litellm_local()
