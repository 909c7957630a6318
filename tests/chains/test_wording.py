"""Prompts exist in both languages, come with the package, and hold no place for formatting."""

from importlib.resources import files

import pytest
from pydantic import BaseModel

from chains import CHAINS, Language
from orchestrator.chains import make_chain
from orchestrator.core.errors import InvalidRequestError


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", CHAINS)
def test_every_use_case_has_its_prompts(name, language):
    wording = CHAINS[name].task.prompts.wording(language)
    assert "JSON" in wording.to_json
    assert wording.repair
    assert (wording.to_text is not None) is (CHAINS[name].task.prompts.has_text_form)
    assert "<!--" not in wording.to_json


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", CHAINS)
def test_a_prompt_names_every_field_of_question_and_answer(name, language):
    wording = CHAINS[name].task.prompts.wording(language)
    fields = {"data_analysis": {"question", "table_csv", "computed"}}.get(
        name, CHAINS[name].input_model.model_fields
    )
    for field in (*fields, *CHAINS[name].output_model.model_fields):
        assert f"`{field}`" in wording.to_json


def test_no_prompt_lacks_its_other_language():
    for package, texts in (("chains", CHAINS), ("orchestrator.chains", ("repair", "answer"))):
        names = {file.name for file in files(package).joinpath("prompts").iterdir()}
        assert names == {f"{name}.{language}.md" for name in texts for language in Language}


def test_an_unknown_language_names_the_known_ones():
    with pytest.raises(InvalidRequestError, match="'vi', 'en'"):
        CHAINS["customer_service"].task.prompts.language_named("de")


class _Note(BaseModel):
    text: str


@pytest.mark.parametrize(
    "text",
    [
        "<!-- Version: 3 -->\nSort it.",
        "<!--version: 3-->\nSort it.",
        "<!-- version: 3 and a half -->\nSort it.",
        "Sort it.\n<!-- version: 3 -->",
        "Sort it.\n<!-- answr: json -->\nWrite JSON.",
        "Sort it.\n  <!-- answer: json -->\nWrite JSON.",
        "Sort it.\n<!-- answer: json -->\nWrite JSON.\n<!-- Answer: text -->\nWrite text.",
    ],
)
def test_a_line_that_is_nearly_one_of_ours_is_refused_and_not_sent(text):
    """Its version would be missing in the ledger, or a model would read what is not for it."""
    with pytest.raises(InvalidRequestError, match="would be sent as a part of the prompt: write"):
        make_chain("customer_service", _Note, _Note, name="note", prompts=text)


def test_a_comment_of_the_writers_own_may_stand_in_a_prompt():
    own = "<!-- version: 3 -->\n<!-- todo: shorter -->\nSort it; `<!-- version: 1 -->` is markdown."
    make_chain("customer_service", _Note, _Note, name="note", prompts=own)
