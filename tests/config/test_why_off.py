"""A provider that is off says which credentials it lacks, by their variables."""

import pytest

CLOUDS = {
    "vertex_ai": {
        "vertex_project": "p",
        "vertex_location": "global",
        "vertex_credentials": "${CLOUD_JSON:-}",
    },
    "bedrock": {
        "aws_region_name": "eu-central-1",
        "aws_access_key_id": "${CLOUD_ID:-}",
        "aws_secret_access_key": "${CLOUD_SECRET:-}",
    },
}


@pytest.mark.parametrize(
    ("prefix", "variables"), [("vertex_ai", ("CLOUD_JSON",)), ("bedrock", ("CLOUD_ID", "CLOUD_SECRET"))]
)
def test_a_cloud_without_credentials_is_off_and_says_which_are_missing(
    make_config, prefix: str, variables: tuple[str, ...]
) -> None:
    """A key that Vertex AI does not take is no credential either."""
    useless = {"api_key": "k"} if prefix == "vertex_ai" else {}
    provider = {"kind": "litellm", "prefix": prefix, "priority": 9, "parameters": CLOUDS[prefix], **useless}
    changes = {"providers": {"cloud": provider}}
    (why,) = [notice for notice in make_config(changes).notices if notice.startswith("provider cloud is off")]
    assert all(variable in why for variable in variables)
    with_them = make_config(changes, **dict.fromkeys(variables, "x"))
    assert not any(notice.startswith("provider cloud is off") for notice in with_them.notices)
