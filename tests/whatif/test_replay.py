"""RecordedShare traffic takes its whole way again."""

import pytest

from orchestrator.ledger.opening import open_view
from orchestrator.whatif.evidence import SendEvidence
from orchestrator.whatif.outcomes import Fate
from orchestrator.whatif.recorded_traffic import read_traffic
from orchestrator.whatif.replay import ReplaySettings, replay
from tests.whatif.conftest import SPAN
from tests.whatif.test_isolated import VOTE


@pytest.fixture
def traffic(make_config, record, tmp_path):
    """RecordedShare traffic of forty requests, ten of them streams."""
    config = make_config({"ledger": {"path": f"{tmp_path}/l.sqlite3"}, "local_model": {"enabled": False}})
    record(config, count=30)
    record(config, count=10, stream=True)
    view = open_view(config.settings.ledger)
    return read_traffic(view, since=SPAN.since, until=SPAN.until, time_zone="UTC", fresh_s={})


def replayed(traffic, config, **settings):
    evidence = SendEvidence(traffic.sends, traffic.requests, seed=0)
    return replay(config, traffic, evidence, ReplaySettings(**settings))


def test_streams_are_replayed_as_streams_and_nothing_fails(make_config, traffic):
    assert sum(request.is_streamed for request in traffic.requests) == 10
    outcomes = replayed(traffic, make_config({"local_model": {"enabled": False}}))
    assert set(outcomes.fates) == {Fate.ANSWERED}
    assert sum(load.sends for load in outcomes.loads.values()) == 40


@pytest.mark.parametrize(("accepted", "judged"), [(1.0, 0), (0.0, 40)])
def test_under_agreement_every_vote_is_paid_and_the_judge_decides_the_rest(
    make_config, traffic, accepted, judged
):
    config = make_config({"local_model": {"enabled": False},
                          "use_cases": {"customer_service": {"policy": {"agreement": VOTE}}}})  # fmt: skip
    outcomes = replayed(traffic, config, accepted_share=accepted)
    sends = {name: load.sends for name, load in outcomes.loads.items()}
    assert [sends.get(name, 0) for name in (*VOTE["voters"], VOTE["judge"])] == [40, 40, judged]


def test_who_names_no_user_is_on_the_side_that_the_seed_draws(make_config, traffic):
    faq = {"use_case": "customer_service", "mode": "ab", "share": 0.5, "metric": "cost"}
    config = make_config({"local_model": {"enabled": False},
                          "experiments": {"faq": {**faq, "candidate": "openrouter/gpt-6-luna"}}})  # fmt: skip

    def asked(seed):
        loads = replayed(traffic, config, seed=seed).loads
        return {name: load.sends for name, load in loads.items()}

    first = asked(3)
    assert first == asked(3)
    assert 5 < first["openrouter/gpt-6-luna"] < 35
    assert len({tuple(asked(seed).items()) for seed in (3, 4, 5)}) > 1
