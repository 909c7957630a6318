"""Answers are repeated to whoever asked the same, to nobody else, and no trouble of the cache is a trouble of a request."""

import asyncio
import logging
import os
import pickle
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import diskcache
import pytest

from orchestrator.cache.response_cache import CacheSettings, ReplyCache, key_of
from orchestrator.cache.single_flight import LeaderFailedError, SingleFlight
from orchestrator.core.money import NanoUsd
from orchestrator.core.on_break import OnBreak
from orchestrator.core.request import CacheUse, ChatRequest
from orchestrator.core.run import Run
from orchestrator.core.sampling import Sampling
from tests.support.unprivileged import unprivileged

KEY = "k" * 64


def tool(parameters):
    return {"type": "function", "function": {"name": "find_order", "parameters": parameters}}


def of(prompt="Xin chào", **wanted):
    return ChatRequest.of(prompt, **{"use_case": "customer_service", "tenant": "acme", **wanted})


@pytest.fixture
def make(tmp_path) -> Iterator:
    made = []

    def make_cache(path=None, **settings):
        cache = ReplyCache(CacheSettings(path=str(path or tmp_path / "cache"), **settings))
        made.append(cache)
        return cache

    yield make_cache
    for cache in made:
        cache.close()


# ---- keys

SHAPES_THE_ANSWER = {
    "messages": ({"role": "user", "content": "Tạm biệt"},),
    "use_case": "data_analysis",
    "tenant": "other",
    "model": "gpt-6-luna",
    "max_tokens": 17,
    "max_cost_nusd": NanoUsd(17),
    "sampling": Sampling(temperature=0.5),
}
DOES_NOT = {
    "user": "42",
    "tags": ("trial",),
    "run": Run("thread-42"),
    "deadline_s": 17.0,
    "profile": "background",
    "cache": CacheUse.REFRESH,
    "idempotency_key": "order-17",
    "graceful": True,
    "language": "vi",
    "on_break": OnBreak.RESTART,
}
"""Who asks within a tenant, how patiently, and what he wants to hear when nobody answers, changes nothing about
what is asked."""


def test_every_field_of_a_request_is_known_to_shape_the_answer_or_not_to():
    assert SHAPES_THE_ANSWER.keys() | DOES_NOT.keys() == {field.name for field in fields(ChatRequest)}


@pytest.mark.parametrize("name", SHAPES_THE_ANSWER)
def test_whatever_shapes_the_answer_makes_another_key(name):
    assert key_of(replace(of(), **{name: SHAPES_THE_ANSWER[name]})) != key_of(of())


@pytest.mark.parametrize("name", DOES_NOT)
def test_whatever_does_not_shape_the_answer_makes_the_same_key(name):
    assert key_of(replace(of(), **{name: DOES_NOT[name]})) == key_of(of())


SAMPLED = {
    "temperature": 0.1,
    "top_p": 0.1,
    "stop": ("END",),
    "seed": 1,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.1,
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "tools": (tool({}),),
    "tool_choice": "none",
    "parallel_tool_calls": False,
}


def test_every_sampling_parameter_makes_another_key():
    assert SAMPLED.keys() | {"prompt_cache_key"} == {field.name for field in fields(Sampling)}
    keys = {key_of(of(**{name: value})) for name, value in SAMPLED.items()} | {key_of(of())}
    assert len(keys) == len(SAMPLED) + 1


def test_where_a_provider_keeps_a_prompt_changes_nothing_about_its_answer():
    assert key_of(of(prompt_cache_key="crm")) == key_of(of())


def test_equal_questions_have_equal_keys_however_they_are_written():
    as_text = of("Xin chào", stop="END", tools=[tool({"a": 1, "b": [1, 2]})])
    as_messages = of(
        ({"content": "Xin chào", "role": "user"},), stop=["END"], tools=(tool({"b": (1, 2), "a": 1}),)
    )
    assert key_of(as_text) == key_of(as_messages)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (of(tenant="ab", use_case="c"), of(tenant="a", use_case="bc")),
        (of("a"), of("A")),
        (of("é"), of("e\u0301")),
        (of([{"role": "user", "content": "ab"}]), of([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])),
        (of([{"role": "user", "content": "a"}]), of([{"role": "system", "content": "a"}])),
        (of(tools=[tool({"b": [1, 2]})]), of(tools=[tool({"b": [2, 1]})])),
    ],
)  # fmt: skip
def test_questions_that_are_not_equal_have_different_keys(one, other):
    assert key_of(one) != key_of(other)


def test_no_tenant_ever_reads_the_answer_of_another(make):
    cache = make()
    cache.put(key_of(of(tenant="acme")), b"the secret of acme", ttl_s=60)
    assert cache.get(key_of(of(tenant="rival"))) is None
    assert cache.get(key_of(of(tenant="acme"))) == b"the secret of acme"


# ---- what is kept


def test_an_answer_is_kept_over_a_restart(make):
    first = make()
    first.put(KEY, b"reply", ttl_s=60)
    first.close()
    assert make().get(KEY) == b"reply"


async def test_what_is_stored_in_one_turn_of_a_loop_is_one_transaction(make):
    cache = make()
    cache.put("first", b"opened", ttl_s=60)
    statements: list[str] = []
    cache._cache._con.set_trace_callback(statements.append)
    for number in range(3):
        cache.put_in_this_turn(f"key-{number}", b"answer", ttl_s=60, tenant="acme")
    await asyncio.sleep(0)
    assert [cache.get(f"key-{number}") for number in range(3)] == [b"answer"] * 3
    assert sum(statement.startswith("BEGIN") for statement in statements) == 1
    assert cache.forget("acme") == 3


async def test_an_answer_of_this_turn_is_there_before_it_is_written(make):
    """Whoever asks the same within the turn in which the answer came would send it again."""
    cache = make()
    cache.put("earlier", b"another", ttl_s=60)
    cache.put_in_this_turn(KEY, b"answer", ttl_s=60, tenant="acme")
    assert cache.get(KEY) == b"answer"
    assert make().get(KEY) is None
    await asyncio.sleep(0)
    assert make().get(KEY) == b"answer"


async def test_a_large_answer_that_is_not_kept_takes_no_other_of_its_turn_with_it(
    make, tmp_path, monkeypatch
):
    """And no file of it stays behind, which `forget` would not know."""
    cache = make()
    cache.put("earlier", b"answer", ttl_s=60)
    store = cache._cache.disk.store

    def full(value, *arguments, **named):
        stored = store(value, *arguments, **named)
        if len(value) > 32_768:
            cache._cache.disk.remove(stored[2])
            raise OSError(28, "No space left on device")
        return stored

    monkeypatch.setattr(cache._cache.disk, "store", full)
    for key, answer in (("first", b"a"), ("large", b"x" * 200_000), ("last", b"b")):
        cache.put_in_this_turn(key, answer, ttl_s=60, tenant="acme")
    await asyncio.sleep(0)
    assert [cache.get(key) for key in ("first", "large", "last")] == [b"a", None, b"b"]


def test_what_a_loop_left_that_turns_no_more_is_stored_at_the_end(make):
    async def put_and_stop(cache):
        cache.put_in_this_turn(KEY, b"answer", ttl_s=60, tenant="acme")
        asyncio.get_running_loop().stop()

    cache, loop = make(), asyncio.new_event_loop()
    # It stops behind the turn in which it was told to, where the callbacks of the next are not run.
    loop.create_task(put_and_stop(cache))
    with closing(loop):
        loop.run_forever()
    assert make().get(KEY) is None
    cache.close()
    assert make().get(KEY) == b"answer"


def test_a_large_answer_is_kept_too(make):
    """Diskcache writes it into a file of its own."""
    large = b"x" * 1_000_000
    make().put(KEY, large, ttl_s=60)
    assert make().get(KEY) == large


def test_an_answer_is_over_after_its_time(make, monkeypatch):
    cache = make()
    cache.put(KEY, b"reply", ttl_s=3_600)
    assert cache.get(KEY) == b"reply"
    now_s = time.time()
    monkeypatch.setattr("diskcache.core.time.time", lambda: now_s + 3_601)
    assert cache.get(KEY) is None


def test_the_folder_does_not_grow_without_end(make, tmp_path):
    cache = make(max_bytes=1_000_000)
    for number in range(300):
        cache.put(f"{number:064}", b"x" * 40_000, ttl_s=60)
    size = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.val"))
    assert 40_000 <= size < 6_000_000, "twelve million were written"


def test_clearing_tells_how_many_there_were(make):
    cache = make()
    cache.put(KEY, b"a", ttl_s=60)
    cache.put("other", b"b", ttl_s=60)
    assert cache.clear() == 2
    assert cache.get(KEY) is None


def test_a_cache_that_is_off_touches_no_disk(make, tmp_path):
    cache = make(enabled=False)
    cache.put(KEY, b"a", ttl_s=60)
    assert cache.get(KEY) is None
    assert not (tmp_path / "cache").exists()


# ---- who may come in


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_only_its_owner_may_enter_the_folder(make, tmp_path):
    make().put(KEY, b"a", ttl_s=60)
    assert mode_of(tmp_path / "cache") == 0o700


def test_only_its_owner_may_read_a_file_of_it(make, tmp_path):
    """Also where a folder is opened to others later, or an older version made the files."""
    folder = tmp_path / "cache"
    make().put(KEY, b"x" * 1_000_000, ttl_s=60)
    folder.joinpath("cache.db").chmod(0o644)
    make().put("second", b"a", ttl_s=60)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".db", ".val"}
    assert {oct(mode_of(path)) for path in files} == {"0o600"}


def test_an_open_folder_of_ours_is_closed_to_others(make, tmp_path):
    (tmp_path / "cache").mkdir(mode=0o755)
    make().put(KEY, b"a", ttl_s=60)
    assert mode_of(tmp_path / "cache") == 0o700
    (tmp_path / "cache").chmod(0o755)
    assert make().get(KEY) == b"a"
    assert mode_of(tmp_path / "cache") == 0o700


def test_a_folder_of_other_things_keeps_its_rights_and_the_cache_stays_out(make, tmp_path, caplog):
    """`cache.path: /tmp` must not close /tmp to everybody else."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    (tmp_path / "shared" / "letter.txt").write_text("")
    cache = make(tmp_path / "shared")
    cache.put(KEY, b"a", ttl_s=60)
    assert cache.get(KEY) is None
    assert mode_of(tmp_path / "shared") == 0o755
    assert "name a folder of its own" in caplog.text


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775, 0o722])
def test_a_folder_that_others_may_write_is_refused_and_the_call_goes_on(make, tmp_path, caplog, mode):
    """What is in it may be theirs: an answer of their own under the key of a question that is often asked."""
    make().put(KEY, b"theirs", ttl_s=60)
    (tmp_path / "cache").chmod(mode)
    cache = make()
    cache.put(KEY, b"a", ttl_s=60)
    assert cache.get(KEY) is None
    assert mode_of(tmp_path / "cache") == mode
    assert "others may write it" in caplog.text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a folder to another user")
def test_a_folder_of_another_user_is_refused(make, tmp_path, caplog):
    (tmp_path / "cache").mkdir(mode=0o700)
    os.chown(tmp_path / "cache", 65534, 65534)
    assert make().get(KEY) is None
    assert "another user's" in caplog.text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a link to another user")
def test_a_link_of_another_user_leads_to_no_cache_of_ours(make, tmp_path, caplog):
    (tmp_path / "other cache").mkdir(mode=0o700)
    (tmp_path / "cache").symlink_to(tmp_path / "other cache")
    os.chown(tmp_path / "cache", 65534, 65534, follow_symlinks=False)
    tmp_path.chmod(0o777)
    assert make().get(KEY) is None
    assert "another user of this machine has put" in caplog.text
    assert not any((tmp_path / "other cache").iterdir())


def plant(folder: Path, name: str) -> None:
    """Lead the one entry of a cache to a file of a name."""
    with closing(sqlite3.connect(folder / "cache.db")) as connection, connection:
        connection.execute(
            "UPDATE Cache SET mode = ?, value = NULL, filename = ?", (diskcache.core.MODE_BINARY, name)
        )


OWN_NAME = "ab/cd/" + "0" * 28 + ".val"


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "{outside}",
        "ab/../../secret",
        "ab/cd/../../../secret",
        "secret",
        "cache.db",
        "",
        f"../{OWN_NAME}",
    ],
)
def test_a_row_whose_file_leaves_the_folder_is_neither_read_nor_removed(make, tmp_path, caplog, name):
    cache = make()
    cache.put(KEY, b"reply", ttl_s=60)
    outside = tmp_path / "secret"
    outside.write_bytes(b"not for you")
    plant(tmp_path / "cache", name.format(outside=outside))
    assert cache.get(KEY) is None
    assert "refused a cache entry whose file is not one of the cache" in caplog.text
    assert cache.clear() == 1, "the entry goes"
    assert outside.read_bytes() == b"not for you"
    assert (tmp_path / "cache" / "cache.db").exists()
    cache.put(KEY, b"reply", ttl_s=60)
    assert cache.get(KEY) == b"reply"


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_a_link_out_of_the_folder_is_not_followed(make, tmp_path, linked):
    cache = make()
    cache.put(KEY, b"reply", ttl_s=60)
    outside = tmp_path / "outside" / Path(OWN_NAME).name
    outside.parent.mkdir()
    outside.write_bytes(b"not for you")
    inside = tmp_path / "cache" / OWN_NAME
    inside.parent.parent.mkdir()
    if linked == "file":
        inside.parent.mkdir()
        inside.symlink_to(outside)
    else:
        inside.parent.symlink_to(outside.parent)
    plant(tmp_path / "cache", OWN_NAME)
    assert cache.get(KEY) is None
    cache.clear()
    assert outside.read_bytes() == b"not for you"


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


@pytest.mark.parametrize("in_a_file", [False, True])
def test_a_planted_pickle_is_refused_and_never_run(make, tmp_path, caplog, in_a_file):
    cache = make()
    cache.put(KEY, b"reply", ttl_s=60)
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    with closing(sqlite3.connect(tmp_path / "cache" / "cache.db")) as connection:
        if in_a_file:
            (tmp_path / "cache" / "bomb.val").write_bytes(bomb)
            connection.execute(
                "UPDATE Cache SET mode = ?, value = NULL, filename = 'bomb.val'",
                (diskcache.core.MODE_PICKLE,),
            )
        else:
            connection.execute("UPDATE Cache SET mode = ?, value = ?", (diskcache.core.MODE_PICKLE, bomb))
        connection.commit()
    assert cache.get(KEY) is None
    assert not (tmp_path / "exploded").exists()
    assert "refused a cache entry of mode 4: only raw bytes are read" in caplog.text
    pickle.loads(bomb)  # noqa: S301 -- ours
    assert (tmp_path / "exploded").exists(), "the bomb was a real one"


@pytest.mark.parametrize("value", ["text", 7, None])
def test_only_bytes_are_stored(make, value):
    with pytest.raises(TypeError, match="cache values are bytes"):
        make().put(KEY, value, ttl_s=60)


def test_an_entry_that_is_no_bytes_counts_as_none(make, tmp_path):
    cache = make()
    cache.put(KEY, b"reply", ttl_s=60)
    with closing(sqlite3.connect(tmp_path / "cache" / "cache.db")) as connection:
        connection.execute("UPDATE Cache SET value = 'planted'")
        connection.commit()
    assert cache.get(KEY) is None


# ---- trouble


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cache-"))
    folder.chmod(0o555)
    with unprivileged(folder):
        yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_read_only_folder_fails_no_request_and_is_told_once(make, read_only_folder, caplog):
    cache = make(read_only_folder / "cache")
    for number in range(5):
        assert cache.get(f"{number}") is None
        cache.put(f"{number}", b"reply", ttl_s=60)
    (warning,) = warnings_of(caplog)
    assert warning.startswith(f"cannot read the cache {read_only_folder / 'cache'}: ")
    assert warning.endswith("answering without it. Make it writable or set cache.path in config.yaml.")


def test_a_disk_without_room_is_told_once_and_not_for_every_file(make, tmp_path, caplog):
    """Every large entry has a file name of its own, and an error of its own that names it."""
    cache = make()
    cache.put("first", b"small", ttl_s=60)
    (tmp_path / "cache").chmod(0o700)
    real_open = cache._cache._disk._write

    def no_room(full_path, *rest):
        raise OSError(28, "No space left on device", full_path)

    cache._cache._disk._write = no_room
    for number in range(5):
        cache.put(f"{number}", b"x" * 100_000, ttl_s=60)
    cache._cache._disk._write = real_open
    assert len(warnings_of(caplog)) == 1
    assert cache.get("first") == b"small"


def test_a_damaged_file_fails_no_request(make, tmp_path, caplog):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "cache.db").write_bytes(b"no database " * 1000)
    cache = make()
    assert cache.get(KEY) is None
    cache.put(KEY, b"reply", ttl_s=60)
    assert "not a database" in warnings_of(caplog)[0]


def test_a_forked_child_reads_what_its_parent_kept(make):
    cache = make()
    cache.put(KEY, b"reply", ttl_s=60)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = int(cache.get(KEY) != b"reply")
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.get(KEY) == b"reply"


# ---- single flight


class Work:
    """Work that can be counted, let go, and cancelled."""

    def __init__(self, *, error: Exception | None = None, settle_s: float = 0.0) -> None:
        self.started = self.cancelled = 0
        self.go = asyncio.Event()
        self._error = error
        self._settle_s = settle_s

    async def __call__(self) -> str:
        self.started += 1
        number = self.started
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(self._settle_s)
            self.cancelled += 1
            raise
        if self._error is not None:
            raise self._error
        return f"answer {number}"


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_fifty_at_once_are_answered_by_one_call():
    flights, work = SingleFlight[str](), Work()
    callers = [asyncio.create_task(flights.do(KEY, work)) for _ in range(50)]
    await turns()
    work.go.set()
    results = await asyncio.gather(*callers)
    assert work.started == 1
    assert {text for text, _ in results} == {"answer 1"}
    assert sorted(joined for _, joined in results) == [False] + [True] * 49


async def test_different_questions_do_not_wait_for_each_other():
    flights, work = SingleFlight[str](), Work()
    callers = [asyncio.create_task(flights.do(f"{number}", work)) for number in range(3)]
    await turns()
    assert work.started == 3
    work.go.set()
    assert len({text for text, _ in await asyncio.gather(*callers)}) == 3


async def test_the_next_question_after_an_answer_is_asked_anew():
    flights, work = SingleFlight[str](), Work()
    work.go.set()
    assert [await flights.do(KEY, work) for _ in range(2)] == [("answer 1", False), ("answer 2", False)]


@pytest.mark.parametrize("leaving", [0, 1])
async def test_a_caller_that_leaves_does_not_take_the_answer_from_the_others(leaving):
    """Not even the one who began."""
    flights, work = SingleFlight[str](), Work()
    callers = [asyncio.create_task(flights.do(KEY, work)) for _ in range(3)]
    await turns()
    callers[leaving].cancel()
    await turns()
    work.go.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(results.pop(leaving), asyncio.CancelledError)
    assert [result[0] for result in results] == ["answer 1"] * 2
    assert work.cancelled == 0


async def test_the_last_caller_to_leave_cancels_the_work_and_waits_until_it_has_settled():
    flights, work = SingleFlight[str](), Work(settle_s=0.02)
    callers = [asyncio.create_task(flights.do(KEY, work)) for _ in range(3)]
    await turns()
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    assert (work.started, work.cancelled) == (1, 1)


async def test_whoever_asks_while_abandoned_work_ends_is_not_cancelled_with_it():
    flights, work = SingleFlight[str](), Work(settle_s=0.02)
    first = asyncio.create_task(flights.do(KEY, work))
    await turns()
    first.cancel()
    await turns()
    second = asyncio.create_task(flights.do(KEY, work))
    await asyncio.wait({first})
    third = asyncio.create_task(flights.do(KEY, work))
    await turns()
    work.go.set()
    assert await second == ("answer 2", False)
    assert await third == ("answer 2", True)


async def test_an_error_is_that_of_who_began_and_those_who_joined_ask_again():
    """It may have come from the beginner's own deadline or budget, which bind nobody else."""
    flights, work = SingleFlight[str](), Work(error=KeyError("broken"))
    callers = [asyncio.create_task(flights.do(KEY, work)) for _ in range(10)]
    await turns()
    work.go.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(result) for result in results] == [KeyError] + [LeaderFailedError] * 9
    assert work.started == 1
    with pytest.raises(KeyError):
        await flights.do(KEY, work)
    assert work.started == 2


async def test_whoever_joined_failed_work_and_asks_at_once_begins_anew():
    """Asking again in the same step must not join the finished work again, which would never yield."""
    flights, work = SingleFlight[str](), Work(error=KeyError("broken"))
    first = asyncio.create_task(flights.do(KEY, work))

    async def again() -> type[BaseException]:
        try:
            await flights.do(KEY, work)
        except LeaderFailedError:
            with pytest.raises(KeyError):
                await flights.do(KEY, work)
            return LeaderFailedError
        return KeyError

    second = asyncio.create_task(again())
    await turns()
    work.go.set()
    async with asyncio.timeout(5):
        await asyncio.wait({first, second})
    assert isinstance(first.exception(), KeyError)
    assert second.result() is LeaderFailedError
    assert work.started == 2
