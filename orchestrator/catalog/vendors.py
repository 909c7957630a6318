"""Whose prices count at an address: a model's name says nothing of who bills it.

Many vendors speak OpenAI's format, and some serve models under the same names at prices of their own.
"""

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

from orchestrator.catalog.catalog import ProviderKind

VENDORS = {
    ProviderKind.OPENROUTER: "openrouter",
    ProviderKind.GOOGLE: "google",
    ProviderKind.OPENAI: "openai",
}
"""The vendor whose format a kind is, as genai-prices names it."""
_OPENAI_HOST = re.compile(r"(?:(?P<region>[a-z0-9-]+)\.)?api\.openai\.com")
_VERTEX_WORLD = "aiplatform.googleapis.com"
_LOCATION = re.compile(r"/locations/(?P<location>[^/]+)")
_AWS_REGION = re.compile(r"(?:[a-z]+-){2,3}\d")
_GOOGLES = ".googleapis.com"
_GOOGLES_WORLD = frozenset({"generativelanguage.googleapis.com", _VERTEX_WORLD})
"""Google's addresses for the world; its others, such as those of regions, may have other prices."""


def vendors_at(kind: ProviderKind, address: str | None) -> tuple[str, ...]:
    """Return who may bill at an address, as genai-prices names them; nobody where that is not known.

    Without an address, or at one of this machine (practice providers, a proxy of one's own), it is the vendor
    whose format the kind is.
    """
    own = VENDORS.get(kind)
    if own is None:
        return ()
    return (own,) if not address or is_of_this_machine(address) else _vendors_of(address.strip().lower())


def is_of_this_machine(address: str | None) -> bool:
    """Return whether an address leads to this machine."""
    host = _host(address)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_openai_host(address: str | None) -> bool:
    """Return whether an address is OpenAI's own, that of a region included."""
    return _OPENAI_HOST.fullmatch(_host(address)) is not None


def openai_region(address: str | None) -> str | None:
    """Return the region of one of OpenAI's regional addresses, such as `eu`; None at every other."""
    match = _OPENAI_HOST.fullmatch(_host(address))
    return match["region"] if match else None


def is_vertex_worldwide(location: str | None, address: str | None) -> bool:
    """Return whether Vertex AI computes anywhere: by its location, and by its address where it has one."""
    if location is not None and location.strip().lower() != "global":
        return False
    if not address or is_of_this_machine(address):
        return True
    return _host(address) == _VERTEX_WORLD and _names_no_region(address)


def aws_regions(region: str | None, address: str | None) -> frozenset[str]:
    """Return where Bedrock may compute, such as in `sa-east-1`: the region named, and its address's."""
    named = {region.strip().lower()} if region else set()
    return frozenset(named | {label for label in _host(address).split(".") if _AWS_REGION.fullmatch(label)})


def _names_no_region(address: str) -> bool:
    return all(each == "global" for each in _LOCATION.findall(urlsplit(address).path.lower()))


def _host(address: str | None) -> str:
    return (urlsplit(address or "").hostname or "").removesuffix(".")


def same_vendor(kind: ProviderKind, one: str | None, other: str | None) -> bool:
    """Return whether the same vendor is known to bill at two addresses."""
    return one == other or bool(set(vendors_at(kind, one)) & set(vendors_at(kind, other)))


@lru_cache(maxsize=64)
def _vendors_of(address: str) -> tuple[str, ...]:
    host = _host(address)
    if host.endswith(_GOOGLES) and not (host in _GOOGLES_WORLD and _names_no_region(address)):
        return ()
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 -- takes 0.1 s and is rarely needed

    return tuple(
        provider.id for provider in get_snapshot().providers if _begins_with(provider.api_pattern, address)
    )


def _begins_with(pattern: str, address: str) -> bool:
    """Return whether an address is one that the pattern describes, and not one that only begins like it."""
    match = re.match(pattern, address)
    if match is None:
        return False
    host, _, path = match.group().partition("://")[2].partition("/")
    if path and "/" not in pattern.partition("://")[2]:
        # A wildcard for a part of the host reached into the path.
        return False
    rest = address[match.end() :]
    # Some patterns end with a slash, one with the dot before a top-level domain.
    return not rest or rest[0] in "/:" or (path == "" and host.endswith(".")) or match.group().endswith("/")
