"""Every provider has a key where none is sent anywhere, whatever its variable is called."""

from orchestrator.config.placeholder_keys import PLACEHOLDER_KEY, with_placeholder_keys


def test_each_missing_key_has_a_placeholder_and_a_real_one_stays_unless_it_is_to_go(make_config):
    path = make_config({"providers": {"openai": {"api_key": "${MY_KEY}"}}}, MY_KEY="x").path
    environment = with_placeholder_keys(path, {"GEMINI_API_KEY": "real", "OTHER": "1"})
    assert environment == {
        "GEMINI_API_KEY": "real",
        "OTHER": "1",
        "MY_KEY": PLACEHOLDER_KEY,
        "OPENROUTER_API_KEY": PLACEHOLDER_KEY,
        "LOCAL_MODEL_API_KEY": PLACEHOLDER_KEY,
    }
    assert with_placeholder_keys(path, environment, replace=True)["GEMINI_API_KEY"] == PLACEHOLDER_KEY


def test_what_stands_in_the_place_of_a_key_has_one_too(make_config):
    vertex = {"vertex_project": "p", "vertex_location": "global", "vertex_credentials": "${VERTEX_JSON:-}"}
    cloud = {"kind": "litellm", "prefix": "vertex_ai", "priority": 9, "parameters": vertex}
    config = make_config({"providers": {"cloud": cloud}})
    assert with_placeholder_keys(config.path, {})["VERTEX_JSON"] == PLACEHOLDER_KEY
