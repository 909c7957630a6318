"""Chains: typed LangChain runnables on the orchestrator, a team's own and the shipped ones.

    from orchestrator.chains import make_chain

Pydantic in, pydantic out. An answer is validated, repaired once, then asked of the next model. `make_chain`
makes a chain of two models and a prompt; `shipped()` are those that come with the package.
"""

from orchestrator.chains.chain_config import ChainConfig
from orchestrator.chains.fields import ChainInput, ChainOutput, Line, Percent, Text
from orchestrator.chains.guardrails import Guardrail
from orchestrator.chains.maker import ChainMaker, make_chain
from orchestrator.chains.runnables import DetailedChain, StructuredChain, TextChain
from orchestrator.chains.shipped import shipped
from orchestrator.chains.structured import ChainAttempt, ChainResult, Stage
from orchestrator.chains.wording import PromptSource

__all__ = [
    "ChainAttempt",
    "ChainConfig",
    "ChainInput",
    "ChainMaker",
    "ChainOutput",
    "ChainResult",
    "DetailedChain",
    "Guardrail",
    "Line",
    "Percent",
    "PromptSource",
    "Stage",
    "StructuredChain",
    "Text",
    "TextChain",
    "make_chain",
    "shipped",
]
