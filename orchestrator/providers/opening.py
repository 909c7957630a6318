"""Opens the way out for a configuration: our own wire, and LiteLLM where that alone can serve."""

from orchestrator.catalog.catalog import Catalog
from orchestrator.dispatch.transport import Transport
from orchestrator.providers.litellm.router import CatalogRouter
from orchestrator.providers.litellm.transport import LiteLLMConnections, LiteLLMTransport
from orchestrator.providers.local.model import LocalModel
from orchestrator.providers.wire.http import WireClient
from orchestrator.providers.wire.transport import WireTransport


class Connections:
    """What is kept open to providers on one event loop, shared by the transports of all configurations."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self.wire = WireClient()
        self.litellm = LiteLLMConnections()

    async def close(self) -> None:
        """Close the connections of the running loop."""
        try:
            await self.wire.close()
        finally:
            await self.litellm.close()


def open_transport(catalog: Catalog, local_model: LocalModel, connections: Connections) -> Transport:
    """Return the way out for a configuration; no request waits for LiteLLM to load."""
    router = CatalogRouter(catalog)
    bridge = LiteLLMTransport(router, local_model=local_model, connections=connections.litellm)
    return WireTransport(router, client=connections.wire, local_model=local_model, bridge=bridge)
