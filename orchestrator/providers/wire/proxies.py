"""Which proxy a request goes through, by HTTP_PROXY, HTTPS_PROXY and NO_PROXY.

aiohttp's own `trust_env` is not used: it would also read ~/.netrc and replace the key by what stands there.
"""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp


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
        """Return the proxy for an address, None where it is reached directly."""
        if not self._addresses:
            return None
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        if key not in self._known:
            self._known[key] = self._look_up(*key)
        return self._known[key]

    def _look_up(self, scheme: str, host: str) -> Proxy | None:
        address = self._addresses.get(scheme) or self._addresses.get("all")
        if not address or proxy_bypass(host):
            return None
        parts = urlsplit(address if "://" in address else f"http://{address}")
        credentials, _, place = parts.netloc.rpartition("@")
        url = urlunsplit((parts.scheme, place, parts.path, "", ""))
        if not credentials:
            return Proxy(url, None)
        name, _, password = credentials.partition(":")
        # aiohttp makes a Proxy-Authorization of it.
        return Proxy(url, {"Authorization": aiohttp.encode_basic_auth(unquote(name), unquote(password))})
