"""What every store of prompts and replies must do: subclass it beside the back end, with the fixture `opened`."""

from datetime import timedelta

import pytest

from orchestrator.ledger.contents import KeptContent

SECRET_WORDS = "mã khách hàng 4711"


class ContentContract:
    """`opened()` opens the store of the test once more, as another process would."""

    @pytest.fixture
    def contents(self, opened):
        store = opened()
        yield store
        store.close()

    @pytest.fixture
    def keep(self, contents, clock):
        def kept(name="op", *, tenant="acme", days=30):
            now = clock.now()
            contents.keep(KeptContent(name, tenant, now, now + timedelta(days=days), "[]", SECRET_WORDS))

        return kept

    async def test_what_is_kept_is_found_until_its_time_is_over(self, contents, keep, clock):
        keep(days=2)
        assert contents.exists
        assert contents.find("op", now=clock.now()).reply == SECRET_WORDS
        assert contents.find("another", now=clock.now()) is None
        clock.advance(2 * 86_400)
        assert contents.find("op", now=clock.now()) is None, "also before it is deleted"
        assert contents.delete_expired(now=clock.now()) == 1

    def test_looking_deleting_and_correcting_make_nothing(self, contents, clock):
        assert contents.find("op", now=clock.now()) is None
        assert (contents.delete_tenant("acme"), contents.delete_expired(now=clock.now())) == (0, 0)
        assert not contents.keep_corrected("op", "better")
        assert not contents.exists

    async def test_a_tenant_is_deleted_and_no_other(self, contents, keep, clock):
        keep("op1")
        keep("op2", tenant="other")
        assert contents.delete_tenant("acme") == 1
        assert contents.find("op1", now=clock.now()) is None
        assert contents.find("op2", now=clock.now()) is not None
        assert contents.delete_tenant("acme") == 0

    async def test_what_is_kept_sweeps_what_is_expired(self, contents, keep, clock):
        keep("old", days=1)
        clock.advance(86_401)
        for number in range(101):
            keep(f"new{number}")
        assert contents.delete_expired(now=clock.now()) == 0

    async def test_the_better_answer_stands_beside_the_reply(self, contents, keep, clock):
        keep()
        assert contents.keep_corrected("op", "tốt hơn")
        assert contents.find("op", now=clock.now()).corrected == "tốt hơn"
        assert not contents.keep_corrected("another", "tốt hơn")

    async def test_another_process_reads_what_is_kept_and_deletes_it(self, contents, keep, opened, clock):
        keep()
        other = opened()
        assert other.find("op", now=clock.now()).reply == SECRET_WORDS
        assert other.delete_tenant("acme") == 1
        other.close()
        assert contents.find("op", now=clock.now()) is None

    async def test_whoever_opens_it_deletes_what_expired_meanwhile(self, contents, keep, opened, clock):
        keep("op1", days=2)
        contents.close()
        clock.advance(3 * 86_400)
        again = opened()
        assert again.find("op2", now=clock.now()) is None
        assert again.delete_expired(now=clock.now()) == 1, "it is counted where somebody asks"
        assert again.delete_expired(now=clock.now()) == 0
        again.close()
