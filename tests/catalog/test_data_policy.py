"""What becomes of prompts: what is nearer counts, hosts promise what is asked of them, regions hold others."""

import pytest
from pydantic import ValidationError

from orchestrator.catalog.data_policy import DataPolicy, Demands
from orchestrator.catalog.openrouter_preferences import OpenRouterPreferences


def test_a_deployment_says_its_own_region_and_keeps_what_its_provider_says_of_the_rest():
    provider = DataPolicy(region="us", training=False, retention_days=30)
    own = provider.behind(DataPolicy(region="eu-central-1", retention_days=0))
    assert own == DataPolicy(region="eu-central-1", training=False, retention_days=0)


@pytest.mark.parametrize(
    ("preferences", "promised"),
    [
        ({}, DataPolicy(training=True, retention_days=30)),
        ({"data_collection": "allow"}, DataPolicy(training=True, retention_days=30)),
        ({"data_collection": "deny"}, DataPolicy(training=False, retention_days=30)),
        ({"zdr": True}, DataPolicy(training=False, retention_days=0)),
    ],
)
def test_hosts_keep_to_what_is_asked_of_them(preferences, promised):
    stated = DataPolicy(training=True, retention_days=30)
    assert stated.with_hosts(OpenRouterPreferences.model_validate(preferences)) == promised


@pytest.mark.parametrize(
    ("region", "is_taken"),
    [("eu", True), ("eu-central-1", True), ("europe", False), ("vn", True), ("us", False), (None, False)],
)
def test_a_region_holds_those_within_it_and_an_unknown_one_is_in_none(region, is_taken):
    assert Demands(regions=("eu", "vn")).takes_region(region) is is_taken
    assert Demands().takes_region(region)


def test_the_narrower_region_does_not_take_the_wider():
    assert not Demands(regions=("eu-central-1",)).takes_region("eu")


@pytest.mark.parametrize(
    "bad", [{"regions": []}, {"regions": ["EU"]}, {"regions": ["eu-"]}, {"retention_days_max": -1}]
)
def test_demands_that_nobody_could_meet_are_refused(bad):
    with pytest.raises(ValidationError):
        Demands.model_validate(bad)
