"""What the cache has for a call, and how long it may be used."""

from dataclasses import dataclass

from orchestrator.cache.response_cache import key_of
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import CacheUse
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.reply_building import unpack


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a reply may be repeated, and how long it is kept for the case that no deployment answers."""

    fresh_s: float
    kept_s: float


def cache_key_of(call: Call) -> str:
    """Return the key of a call's question, among those of its tenant."""
    candidate = call.arm.candidate if call.arm is not None and call.arm.asks_candidate else ""
    hosts = call.snapshot.config.hosts_of(call.request.use_case)
    return key_of(call.request, hosts=hosts, candidate=candidate)


def lifetime_of(call: Call) -> Lifetime | None:
    """Return how long a call's reply is kept, None where neither it nor an older one may be used."""
    settings, use_case = call.snapshot.cache.settings, call.use_case
    fresh_s = settings.ttl_s if use_case.cache_ttl_s is None else use_case.cache_ttl_s
    if call.request.cache is CacheUse.OFF or not settings.enabled or fresh_s == 0:
        return None
    return Lifetime(fresh_s, fresh_s + (0.0 if use_case.never_degrade else settings.stale_s))


def kept_reply(call: Call, key: str) -> ChatReply | None:
    """Return what the cache has under a key, however old; None where the call asks anew."""
    stored = call.snapshot.cache.get(key) if call.request.cache is CacheUse.USE else None
    return unpack(stored) if stored is not None else None
