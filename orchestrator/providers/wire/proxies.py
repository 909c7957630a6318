"""Which proxy a request goes through, by HTTP_PROXY, HTTPS_PROXY and NO_PROXY; to this machine itself none.

aiohttp's own `trust_env` is not used: it would also read ~/.netrc and replace the key by what stands there.
"""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp

from orchestrator.catalog.vendors import is_of_this_machine
from orchestrator.core.http_text import fault_of_address
from orchestrator.providers.wire.outbound import UnsendableError


class Proxy(NamedTuple):
    """A proxy's address, and the headers that it alone gets: name and password, if the address holds them."""

    url: str
    headers: dict[str, str] | None


class ProxiesOfEnvironment:
    """The proxies of the environment, as they were when this was made."""

    def __init__(self) -> None:
        """Read the environment."""
        self._addresses = getproxies_environment()
        self._known: dict[tuple[str, str], Proxy | None] = {}

    def for_url(self, url: str) -> Proxy | None:
        """Return the proxy for an address, None where it is reached directly.

        Raises:
            UnsendableError: what the environment names is no proxy of HTTP; nothing is sent beside it.
        """
        if not self._addresses:
            return None
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        if key not in self._known:
            self._known[key] = self._look_up(*key)
        return self._known[key]

    def _look_up(self, scheme: str, host: str) -> Proxy | None:
        named = scheme if self._addresses.get(scheme) else "all"
        address = self._addresses.get(named)
        # A proxy would ask itself: the model on board is on this machine, and so may be Ollama or a gateway.
        if not address or is_of_this_machine(f"{scheme}://{host}") or proxy_bypass(host):
            return None
        protocol, _, rest = address.rpartition("://")
        credentials, _, place = rest.rpartition("@")
        url = f"{protocol or 'http'}://{place}"
        if fault_of_address(url):
            # Without a quote: it may hold a password.
            raise UnsendableError(
                f"{named.upper()}_PROXY in the environment is no proxy of HTTP: write it as http://host:port, or name "
                "the host that is asked in NO_PROXY"
            )
        if not credentials:
            return Proxy(url, None)
        name, _, password = credentials.partition(":")
        # aiohttp makes a Proxy-Authorization of it.
        return Proxy(url, {"Authorization": aiohttp.encode_basic_auth(unquote(name), unquote(password))})
