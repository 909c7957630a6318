"""How long an answer may be used, and what the cache has."""

import pytest

from orchestrator.cache.response_cache import key_of
from orchestrator.pipeline.cache_lookup import kept_reply, lifetime_of
from orchestrator.pipeline.reply_building import pack
from tests.support.step_bench import reply_of


@pytest.mark.parametrize(
    ("fields", "is_used"), [({}, True), ({"cache": "refresh"}, True), ({"cache": "off"}, False)]
)
def test_a_call_that_wants_no_cache_has_no_lifetime(bench, fields, is_used) -> None:
    lifetime = lifetime_of(bench.call(**fields))
    assert (lifetime is not None) is is_used
    if lifetime is not None:
        assert lifetime.kept_s > lifetime.fresh_s > 0


@pytest.mark.parametrize(
    ("fields", "is_read"), [({}, True), ({"cache": "refresh"}, False), ({"cache": "off"}, False)]
)
def test_what_is_kept_is_read_by_those_who_use_the_cache(bench, fields, is_read) -> None:
    call = bench.call(**fields)
    key = key_of(call.request)
    call.snapshot.cache.put(key, pack(reply_of(call)), ttl_s=60)
    kept = kept_reply(call, key)
    assert (kept is not None) is is_read
