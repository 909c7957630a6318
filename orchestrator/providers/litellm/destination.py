"""Where LiteLLM is about to send, and with whose key: as config.yaml says, whatever the environment names.

LiteLLM reads hundreds of variables: AWS_BEDROCK_RUNTIME_ENDPOINT sends prompts elsewhere,
AWS_BEARER_TOKEN_BEDROCK takes the place of the configured key, OPENAI_ORGANIZATION goes to every provider
of that format. Which ones the next release reads nobody knows. So what leaves is compared with config.yaml.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.litellm_prefixes import bills_at

if TYPE_CHECKING:
    # It takes a tenth of a second to load, and this module is loaded with every orchestrator.
    import httpx

_SECRETS = ("api_key", "azure_ad_token", "aws_access_key_id", "aws_session_token")
"""Arguments of LiteLLM's that stand in the headers of a request, whole."""
_CREDENTIALS = frozenset(
    {"authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-security-token", "proxy-authorization"}
)
_MINTED = frozenset({"vertex_ai"})
"""Whose token is made from the configured account, and is no part of it."""
_HEADERS = _CREDENTIALS | {
    *("host", "connection", "content-length", "content-type", "transfer-encoding", "accept", "user-agent"),
    *("accept-encoding", "anthropic-version", "anthropic-beta", "x-amz-date", "x-amz-content-sha256"),
    *("x-snowflake-authorization-token-type", "x-novita-source", "x-pplx-integration"),
}
"""What the 86 prefixes send; the openai SDK says besides what it runs on."""
_OF_THE_SDK = "x-stainless-"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an attempt may go, and what may go with it."""

    address: str | None
    """As config.yaml says, or the vendor's own; None where LiteLLM makes it of the region."""
    prefix: str
    secrets: tuple[str, ...]
    headers: frozenset[str]
    """Names of those that config.yaml states, in small letters."""
    region: str | None = None
    """Where Vertex AI may compute it; None elsewhere, and where it may be anywhere."""

    def __repr__(self) -> str:
        """Return it without its secrets."""
        return f"Destination({self.prefix!r})"

    @classmethod
    def of(cls, deployment: Deployment, arguments: Mapping[str, Any]) -> Self:
        """Return the destination of a deployment that LiteLLM is asked for with these arguments."""
        return cls(
            arguments.get("api_base"),
            deployment.provider.prefix or "",
            tuple(str(arguments[name]) for name in _SECRETS if arguments.get(name)),
            frozenset(name.lower() for name in deployment.provider.headers),
            deployment.provider.parameters.vertex_location,
        )

    def fault_of(self, request: "httpx.Request") -> str | None:
        """Return why a request may not leave, for people; None where it goes as config.yaml says."""
        if not self._leads_to(str(request.url)):
            return (
                f"LiteLLM would send to {request.url.host}, which config.yaml does not name: a variable of the "
                "environment leads there; unset it, or write the address as base_url"
            )
        if self.region and f"/locations/{self.region}/" not in request.url.path:
            return (
                f"LiteLLM would have it computed elsewhere than in {self.region}, where it knows no such model: "
                "write the region in vertex_location that may compute it"
            )
        for name, value in request.headers.items():
            if name in _CREDENTIALS - self.headers and not self._is_own(value):
                return (
                    f"LiteLLM would send another key in '{name}' than config.yaml states: a variable of the "
                    "environment holds it; unset it"
                )
        return None

    def strip(self, request: "httpx.Request") -> None:
        """Take from a request the headers that neither config.yaml nor its format has."""
        for name in tuple(request.headers):
            if name not in _HEADERS | self.headers and not name.startswith(_OF_THE_SDK):
                del request.headers[name]

    def _leads_to(self, url: str) -> bool:
        if not self.address:
            return url.startswith("https:") and bills_at(self.prefix, url)
        return _server_of(url) == _server_of(self.address)

    def _is_own(self, value: str) -> bool:
        return self.prefix in _MINTED or any(secret in value for secret in self.secrets)


_PORTS = {"http": 80, "https": 443}


def _server_of(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
