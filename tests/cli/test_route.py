"""`orchestrator route`: a dry run that shows its reasons."""


def test_the_plan_is_shown_ranked_priced_and_reasoned(run, practice):
    """Every candidate stands there with score, parts, prices and reason, and nothing is sent."""
    ran = run("route", "Đơn hàng DH1001 ở đâu?")
    assert ran.code == 0
    assert "customer_service" in ran.out
    for word in ("score", "qual", "expected", "at most", "openrouter/gpt-6.1-sol", "GPT flagship class"):
        assert word in ran.out
    assert not practice.requests


def test_json_has_the_whole_plan_and_the_budgets(run, practice):
    """Programs get every candidate with exact money, who is left out and why, and how budgets stand."""
    plan = run("route", "hello", "--use-case", "cost_sensitive", "--tenant", "acme", "--json").json
    first = plan["candidates"][0]
    assert first["expected_nusd"] <= first["bound_nusd"]
    assert set(first["parts"]) == {"quality", "cost", "speed", "specialisation"}
    assert first["reasons"]
    assert {(budget["scope"], budget["window"]) for budget in plan["budgets"]} == {
        ("all", "day"),
        ("all", "month"),
    }


def test_it_fits_80_columns_and_has_no_colours_in_a_pipe(run, practice):
    """No line is wider than 80 columns, no number is cut off, no escape codes."""
    ran = run("route", "hello")
    assert "\x1b" not in ran.out
    assert "…" not in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_providers_without_a_key_are_listed_with_the_reason(run):
    """Without keys the local model stands alone, and the others say what they lack."""
    ran = run("route", "hello")
    assert ran.code == 0
    assert "local/smollm2-135m-instruct" in ran.out
    assert "it has no key" in " ".join(ran.out.split())


def test_looking_creates_no_ledger(run, home):
    """A dry run leaves no file behind."""
    run("route", "hello")
    assert not (home / "ledger.sqlite3").exists()


def test_a_cost_ceiling_steers_to_cheaper_models(run, practice):
    """--max-cost-usd leaves out what may cost more; a wrong amount is a usage error."""
    plan = run("route", "hello", "--max-cost-usd", "0.0005", "--max-tokens", "400", "--json").json
    assert all(candidate["bound_nusd"] <= 500_000 for candidate in plan["candidates"])
    assert run("route", "hello", "--max-cost-usd", "cheap").code == 2
