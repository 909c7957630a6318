"""Content generation: a draft keeps to its brief."""

import pytest

from chains import ContentBrief, ContentKind, Language, Stage, content_generation, content_generation_text
from tests.chains.samples import BRIEF, DRAFT, written


@pytest.mark.parametrize(
    ("brief", "draft", "mistake"),
    [
        (BRIEF, {"body": "Không có mã."}, "body: must_mention[0] does not occur in it"),
        (BRIEF, {"language": "en"}, "language: must be one of the allowed values"),
        (BRIEF, {"title": "x" * 201}, "title: has 201 characters, 200 are allowed"),
        (ContentBrief(goal="g", max_words=5), {"body": "a b c d e f"}, "body: has 6 words, 5 are allowed"),
        (
            ContentBrief(goal="g", kind=ContentKind.SMS),
            {"body": "x" * 301},
            "body: has 301 characters, an SMS has 300 at most",
        ),
    ],
)
def test_a_draft_that_breaks_its_brief_is_written_again(orchestrator, script, brief, draft, mistake):
    good = {**DRAFT, "body": "TET2027 ok"}
    script.add(written({**DRAFT, **draft}), written(good))
    result = content_generation(orchestrator).with_details().invoke(brief)
    assert result.tries[0].mistakes == (mistake,)
    assert result.stage is Stage.REPAIR


def test_a_phrase_may_stand_in_the_title_and_in_other_case(orchestrator, script):
    script.add(written(DRAFT, body="Chào chị", title="Mã tet2027"))
    assert content_generation(orchestrator).invoke(BRIEF).title == "Mã tet2027"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_language_is_asked_for_and_kept(orchestrator, server, language):
    draft = content_generation(orchestrator, language=language).invoke(ContentBrief(goal="Sinh nhật"))
    assert draft.language is Language(language)
    schema = server.requests[0].body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["language"] == {"type": "string", "enum": [language]}


def test_a_draft_streams_as_text(orchestrator, script):
    script.add("Tiêu đề\n\nThân bài")
    assert "".join(content_generation_text(orchestrator).stream(BRIEF)) == "Tiêu đề\n\nThân bài"
