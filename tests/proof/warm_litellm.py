"""Loads what every orchestrator needs with its first call, into the process of which the warm ones are forked."""

from orchestrator.providers.litellm.router import load_litellm

load_litellm()
