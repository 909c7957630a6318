"""Vectors in the cache: exact, whole, and never of another model under the same name."""

import pytest

from orchestrator.cache.response_cache import ReplyCache
from orchestrator.core.embedding import EmbeddingReply, EmbeddingRequest
from orchestrator.core.reply import ChatReply
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.embedding_cache import EmbeddingCache, KeptVectors
from orchestrator.pipeline.services import ConfigSnapshot
from tests.support.step_bench import reply_of

DOUBLE = (0.1, -0.2, 0.3)
SINGLE = (0.5, -0.25, 0.125)


def call_of(bench, texts, **fields) -> Call:
    request = EmbeddingRequest.of(
        texts, **{"use_case": "embedding", "tenant": "acme", "dimensions": 3, **fields}
    )
    return Call.of(request, bench.snapshot, clock=bench.clock)


async def test_a_vector_comes_back_as_it_was_to_the_last_bit(bench) -> None:
    kept = KeptVectors.of(call_of(bench, "a"))
    await kept.put({"double": DOUBLE, "single": SINGLE}, deployment="openai/x", provider="openai")
    found = await kept.get(["double", "single", "other"])
    assert {text: each.vector for text, each in found.items()} == {"double": DOUBLE, "single": SINGLE}
    assert found["double"].deployment == "openai/x"


async def test_many_are_read_and_written_beside_the_loop(bench) -> None:
    kept = KeptVectors.of(call_of(bench, "a"))
    vectors = {f"t{n}": (n / 7, 1.0, 2.0) for n in range(200)}
    await kept.put(vectors, deployment="d", provider="p")
    assert {text: each.vector for text, each in (await kept.get(vectors)).items()} == vectors


async def test_a_model_that_is_pointed_at_another_upstream_finds_nothing(bench, make_config) -> None:
    await KeptVectors.of(call_of(bench, "a")).put({"a": SINGLE}, deployment="d", provider="p")
    changed = make_config(
        {"deployments": {"openai/text-embedding-3-small": {"upstream": "text-embedding-4"}}}
    )
    bench.snapshot = ConfigSnapshot(changed, bench.transport, ReplyCache(changed.settings.cache))
    kept = KeptVectors.of(call_of(bench, "a"))
    assert await kept.get(["a"]) == {}
    kept.cache.close()


@pytest.mark.parametrize(
    "packed",
    [b"", b"x\n", b'["f","d","p"]\n123', b'["q","d","p"]\n', b'["f","d","p"]\n' + bytes(8), b'["f"]\n'],
)
async def test_a_damaged_entry_is_a_miss(bench, packed) -> None:
    kept = KeptVectors.of(call_of(bench, "a"))
    await kept.put({"a": SINGLE}, deployment="d", provider="p")
    (key,) = bench.snapshot.cache._open().iterkeys()
    bench.snapshot.cache.put(key, packed, ttl_s=60)
    assert await kept.get(["a"]) == {}


async def test_refresh_asks_again_and_keeps_and_off_does_neither(bench) -> None:
    for use, finds in (("off", 0), ("refresh", 1)):
        kept = KeptVectors.of(call_of(bench, "a", cache=use))
        await kept.put({use: SINGLE}, deployment="d", provider="p")
        assert await kept.get([use]) == {}
        assert len(await KeptVectors.of(call_of(bench, "a")).get([use])) == finds


async def test_each_missing_text_is_asked_once(bench) -> None:
    asked_for = []

    async def following(call: Call) -> ChatReply:
        asked_for.append(call.request.texts)
        chat = reply_of(call, "")
        fields = {name: getattr(chat, name) for name in ChatReply.__dataclass_fields__}
        return EmbeddingReply(
            **fields, vectors=tuple((float(len(text)), 0.0, 0.0) for text in call.request.texts)
        )

    reply = await EmbeddingCache(following)(call_of(bench, ["aa", "b", "aa", "ccc"]))
    assert asked_for == [("aa", "b", "ccc")]
    assert [vector[0] for vector in reply.vectors] == [2.0, 1.0, 2.0, 3.0]


async def test_a_chat_does_not_pass_here(bench) -> None:
    with pytest.raises(TypeError, match="embedding requests alone"):
        await EmbeddingCache(None)(bench.call())  # type: ignore[arg-type]
