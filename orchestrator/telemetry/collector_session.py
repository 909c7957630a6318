"""The connections to a collector: they send what config.yaml says to its address, and nothing besides.

A session of `requests` as it comes takes the password of ~/.netrc in the place of the configured key, sends
cookies back, and follows redirects with every header but one.
"""

from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from orchestrator.catalog.vendors import is_of_this_machine
from orchestrator.providers.tls import tls_context


class CollectorSession(requests.Session):
    """A session for one collector, by the proxy of the environment, to this machine by none."""

    def __init__(self, address: str) -> None:
        """Open nothing yet."""
        super().__init__()
        self.trust_env = False
        self.proxies = {} if is_of_this_machine(address) else get_environ_proxies(address)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.mount("https://", _CheckedTls())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Name no address: a redirect is a failure."""
        del resp


class _CheckedTls(HTTPAdapter):
    """Connections with the TLS settings of all our clients."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, "ssl_context": tls_context()})

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **{**kwargs, "ssl_context": tls_context()})
