"""`orchestrator drill`: its scorecard, its JSON, its page, its exit codes."""

from orchestrator.drill import drill as drills

QUICK = (
    "drill",
    "--use-case",
    "cost_sensitive",
    "--fault",
    "503",
    "--fault",
    "bad request",
    "--fault",
    "level",
)


def test_a_drill_that_went_well_is_a_scorecard_and_exits_0(run, tmp_path):
    """No key, no provider: 80 columns for people, a page for the wall."""
    page = tmp_path / "drill.html"
    ran = run(*QUICK, "--html", str(page))
    assert ran.code == 0, ran.out
    assert "all 12 cases ended as they should" in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    text = page.read_text(encoding="utf-8")
    assert text.count("<b class=") == 12
    assert "Drill: every case ended as it should" in text
    assert "<script" not in text


def test_programs_read_every_case(run):
    scorecard = run(*QUICK, "--json").json
    assert (scorecard["ok"], scorecard["cases"], scorecard["failed"]) == (True, 12, 0)
    verdicts = {(result["class"], result["verdict"]) for result in scorecard["results"]}
    assert verdicts == {("503", "rescued"), ("bad request", "right error"), ("level", "answered")}
    assert (
        sum(result["cost_nusd"] for result in scorecard["results"])
        == scorecard["booked_nusd"]
        == scorecard["billed_nusd"]
    )
    assert all(result["sends"] >= 1 for result in scorecard["results"])


def test_a_page_that_cannot_be_written_is_said_before_anything_is_broken(run, tmp_path, monkeypatch):
    """With its path: a drill of everything takes minutes."""
    monkeypatch.setattr(drills, "drill", None)
    ran = run("drill", "--html", str(tmp_path))
    assert ran.code == 2
    assert f"--html {tmp_path}: cannot be written" in " ".join(ran.err.split())


def test_a_class_that_is_misspelt_is_a_usage_error(run):
    ran = run("drill", "--fault", "contxt overflow")
    assert ran.code == 2
    assert "Did you mean 'context overflow'?" in ran.err
