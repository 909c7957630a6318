"""Places are shared fairly, a queue has an end, and whoever leaves leaves nothing behind."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.errors import OverloadedError, UnavailableError
from orchestrator.resilience.concurrency_limiter import ConcurrencyLimiter, Load, OverloadSettings

PATIENT_S = 1_000.0


class House:
    """An admission with visitors that stay until they are told to go."""

    def __init__(self, clock, **limits) -> None:
        self.clock = clock
        self.admission = ConcurrencyLimiter(OverloadSettings(**limits), clock=clock)
        self.inside: list[str] = []
        """In the order in which they came in."""
        self._visits: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}

    async def come(self, name, tenant="acme", *, background=False, left_s=PATIENT_S) -> None:
        leave = asyncio.Event()

        async def visit() -> None:
            with await self.admission.slot(tenant, background=background, left_s=left_s):
                self.inside.append(name)
                await leave.wait()

        self._visits[name] = (asyncio.create_task(visit()), leave)
        await settle()

    async def go(self, name) -> None:
        self._visits[name][1].set()
        await settle()

    async def give_up(self, name) -> None:
        self._visits[name][0].cancel()
        await settle()

    def refusal_of(self, name) -> OverloadedError:
        task = self._visits[name][0]
        assert task.done()
        error = task.exception()
        assert isinstance(error, OverloadedError)
        return error

    async def empty(self) -> None:
        for _, leave in self._visits.values():
            leave.set()
        tasks = [task for task, _ in self._visits.values()]
        await asyncio.gather(*tasks, return_exceptions=True)
        assert self.admission.load == Load(0, 0)
        assert self.admission._tenants == {}


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_finds_no_place_waits_and_goes_in_the_order_of_coming(clock) -> None:
    house = House(clock, in_flight=2)
    for name in "abcd":
        await house.come(name)
    assert house.inside == ["a", "b"]
    assert house.admission.load == Load(2, 2)
    await house.go("b")
    await house.go("a")
    assert house.inside == ["a", "b", "c", "d"]
    await house.empty()


async def test_a_free_place_goes_to_the_tenant_that_has_the_fewest(clock) -> None:
    """A batch of a hundred costs the other tenant's chat no more than the wait for one slot."""
    house = House(clock, in_flight=4)
    for number in range(100):
        await house.come(f"batch {number}", "globex")
    await house.come("chat", "acme")
    await house.come("second chat", "acme")
    await house.go("batch 0")
    await house.go("batch 1")
    assert house.inside[4:] == ["chat", "second chat"]
    await house.go("batch 2")
    assert house.inside[6:] == ["batch 4"]
    await house.empty()


async def test_tenants_with_equally_many_take_turns(clock) -> None:
    house = House(clock, in_flight=1)
    await house.come("first", "one")
    for round_ in (1, 2):
        for tenant in ("one", "two", "three"):
            await house.come(f"{tenant} {round_}", tenant)
    await house.go("first")
    for _ in range(5):
        await house.go(house.inside[-1])
    assert house.inside[1:] == ["two 1", "three 1", "one 1", "two 2", "three 2", "one 2"]
    await house.empty()


async def test_what_somebody_waits_for_goes_before_the_tenants_own_batch(clock) -> None:
    house = House(clock, in_flight=1)
    await house.come("first")
    await house.come("batch", background=True)
    await house.come("chat")
    await house.go("first")
    assert house.inside == ["first", "chat"]
    await house.go("chat")
    assert house.inside == ["first", "chat", "batch"]
    await house.empty()


@pytest.mark.parametrize(
    ("in_flight", "share", "most"), [(10, 0.8, 8), (10, 1.0, 9), (10, 0.0, 1), (1, 0.8, 1), (2, 0.8, 1)]
)
async def test_background_requests_never_have_all_places(clock, in_flight, share, most) -> None:
    """And never none: a batch ends some day whatever the share."""
    house = House(clock, in_flight=in_flight, background_share=share)
    for number in range(in_flight + 5):
        await house.come(f"batch {number}", background=True)
    assert len(house.inside) == most
    if in_flight > 1:
        await house.come("chat")
        assert house.inside[-1] == "chat"
    await house.empty()


async def test_a_free_place_that_background_may_not_have_goes_to_nobody_else_in_line(clock) -> None:
    """The tenant whose turn it would be has only background waiting; the other tenant's chat goes."""
    house = House(clock, in_flight=2, background_share=0.5)
    await house.come("chat", "acme")
    await house.come("batch 1", "globex", background=True)
    await house.come("batch 2", "initech", background=True)
    await house.come("second chat", "acme")
    await house.go("chat")
    assert house.inside == ["chat", "batch 1", "second chat"]
    await house.go("batch 1")
    assert house.inside[-1] == "batch 2"
    await house.empty()


async def test_a_full_queue_refuses_and_says_when_to_ask_again(clock) -> None:
    house = House(clock, in_flight=1, queue_per_tenant=2, queue=3)
    for number in range(3):
        await house.come(f"globex {number}", "globex")
    await house.come("one too many", "globex")
    refusal = house.refusal_of("one too many")
    assert isinstance(refusal, UnavailableError)
    assert (refusal.waiting, refusal.exit_code) == (2, 4)
    assert refusal.retry_after_s > 0
    assert "2 requests of tenant 'globex' wait already" in str(refusal)
    await house.come("another tenant", "acme")
    await house.come("nobody else", "initech")
    assert "3 requests wait already" in str(house.refusal_of("nobody else"))
    await house.go("globex 0")
    assert house.inside == ["globex 0", "another tenant"]
    await house.empty()


async def test_without_a_queue_nobody_waits(clock) -> None:
    house = House(clock, in_flight=1, queue_per_tenant=0)
    await house.come("a")
    await house.come("b")
    assert house.refusal_of("b").waiting == 0
    await house.empty()


async def test_who_cannot_be_served_in_time_is_told_at_once(clock) -> None:
    """Requests take 10 s of late, so the second in line waits 20 s even if every slot came to it."""
    house = House(clock, in_flight=1)
    for number in range(20):
        await house.come(f"past {number}")
        clock.advance(10)
        await house.go(f"past {number}")
    await house.come("under way")
    await house.come("hurried", left_s=9.9)
    assert "10.0 s at best" in str(house.refusal_of("hurried"))
    await house.come("patient", left_s=22.6)
    await house.come("less patient", left_s=29)
    assert house.refusal_of("less patient").retry_after_s == pytest.approx(20)
    assert house.admission.load == Load(1, 1)
    await house.empty()


async def test_a_wait_leaves_the_time_that_answers_take_and_not_that_of_slots_in_an_outage(clock) -> None:
    """Many hang for ten seconds of late, and whoever is well answers in two."""
    house = House(clock, in_flight=1)
    for number in range(20):
        await house.come(f"past {number}")
        clock.advance(10)
        await house.go(f"past {number}")
    await house.come("under way")
    waiting = asyncio.create_task(house.admission.slot("acme", background=False, left_s=17, usual_s=2))
    await asyncio.sleep(0)
    assert house.admission.load == Load(1, 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await house.come("not known how long", left_s=17)
    assert "10.0 s at best" in str(house.refusal_of("not known how long"))
    await house.empty()


async def test_nothing_is_foretold_from_a_few_requests(clock) -> None:
    house = House(clock, in_flight=1)
    await house.come("past")
    clock.advance(1_000)
    await house.go("past")
    await house.come("under way")
    await house.come("hurried", left_s=0.5)
    assert house.admission.load == Load(1, 1)
    await house.empty()


async def test_a_thousand_wait_and_half_of_them_leave(clock) -> None:
    """Those that stay are served in their order; those that left take no slot and leave no trace."""
    house = House(clock, in_flight=10, queue_per_tenant=1_000)
    for number in range(1_010):
        await house.come(str(number), f"tenant {number % 7}")
    chance = random.Random(7)  # noqa: S311 -- no secret
    gone = set(chance.sample(range(10, 1_010), 500))
    for number in gone:
        house._visits[str(number)][0].cancel()
    await settle()
    assert house.admission.load == Load(10, 500)
    await house.empty()
    assert sorted(map(int, house.inside)) == [number for number in range(1_010) if number not in gone]


async def test_a_place_that_comes_as_its_waiter_leaves_goes_to_the_next(clock) -> None:
    """Given and cancelled in the same step of the loop, in either order."""
    for cancel_first in (True, False):
        house = House(clock, in_flight=1)
        for name in ("under way", "leaving", "next"):
            await house.come(name)
        leaving, under_way = house._visits["leaving"][0], house._visits["under way"][1]
        if cancel_first:
            leaving.cancel()
            under_way.set()
        else:
            under_way.set()
            await asyncio.sleep(0)
            leaving.cancel()
        await settle()
        assert house.inside == ["under way", "next"]
        await house.empty()


async def test_changed_settings_count_from_the_next_free_place(clock) -> None:
    house = House(clock, in_flight=1)
    for name in "abcd":
        await house.come(name)
    house.admission.adopt(OverloadSettings(in_flight=3))
    await house.go("a")
    assert house.inside == ["a", "b", "c", "d"]
    await house.empty()


STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "go", "give up"]), st.integers(0, 3), st.booleans()), max_size=60
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, in_flight=st.integers(1, 4), share=st.sampled_from([0.0, 0.5, 0.8, 1.0]))
def test_in_any_order_no_place_is_lost_or_given_twice(steps, in_flight, share) -> None:
    """After every step: within the limits, and nobody waits while there is a slot for him."""

    async def live() -> None:
        house = House(_Still(), in_flight=in_flight, background_share=share)
        there: list[tuple[str, bool]] = []
        for number, (what, which, background) in enumerate(steps):
            if what == "come":
                there.append((str(number), background))
                await house.come(str(number), f"tenant {which}", background=background)
            elif there:
                name, _ = there.pop(which % len(there))
                leaves = what == "go" and name in house.inside
                await (house.go(name) if leaves else house.give_up(name))
            kinds = dict(there)
            inside = [kinds[name] for name in house.inside if name in kinds]
            waiting = [kind for name, kind in there if name not in house.inside]
            slots = max(1, min(int(in_flight * share), in_flight - 1))
            assert house.admission.load == Load(len(inside), len(waiting))
            assert len(inside) <= in_flight
            assert sum(inside) <= slots
            if len(inside) < in_flight:
                assert False not in waiting
                assert True not in waiting or sum(inside) == slots
        await house.empty()

    asyncio.run(live())


class _Still:
    """A clock that stands."""

    def monotonic_s(self) -> float:
        return 0.0
