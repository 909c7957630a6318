"""TLS as every client here speaks it: certificates are checked, and the keys of a connection stay in it.

OpenSSL reads SSL_CERT_FILE and SSL_CERT_DIR itself, which say whom this machine trusts. LiteLLM's SSL_VERIFY
and SSL_SECURITY_LEVEL would check less, and with SSLKEYLOGFILE Python writes down what decrypts a recorded
connection, keys and prompts included: none of them is read.
"""

import ssl
from functools import cache
from typing import Literal

HttpLibrary = Literal["aiohttp", "httpx", "litellm"]


def tls_context() -> ssl.SSLContext:
    """Return the settings of one client; making them reads the machine's certificates."""
    context = ssl.create_default_context()
    context.keylog_filename = None  # type: ignore[assignment]  # what turns it off
    return context


@cache
def shared_tls_context(_library: HttpLibrary) -> ssl.SSLContext:
    """Return the settings that all clients of one library share.

    Reading the certificates keeps a processor for 20 ms, and with it the loop on which requests wait. But a
    library writes into what it is given: LiteLLM the certificate of SSL_CERTIFICATE, which no other client is
    to show, and httpx which versions of HTTP it speaks.
    """
    return tls_context()
