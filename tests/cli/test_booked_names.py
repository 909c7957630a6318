"""A tenant that nothing was booked for is met with the one that is meant."""


def test_a_misspelt_name_is_met_with_the_booked_one(run, practice):
    """Of tenants, users and tags, which no configuration lists: the ledger knows them."""
    run("ask", "hello", "--tenant", "acme", "--user", "lan.nguyen", "--tag", "webchat")
    report = " ".join(run("report", "--tenant", "acmee", "--tag", "webchta").out.split())
    assert "acmee, tag webchta. Did you mean --tenant 'acme' and --tag 'webchat'?" in report
    assert "Did you mean --user 'lan.nguyen'?" in " ".join(run("requests", "--user", "lan.nguyn").out.split())
    forgotten = run("requests", "forget", "--tenant", "acmee")
    assert (forgotten.code, "Did you mean --tenant 'acme'?" in forgotten.err) == (0, True)


def test_what_is_booked_or_like_nothing_gets_no_hint(run, practice):
    """And an empty ledger says what fills it."""
    assert "'orchestrator ask' books its first request" in " ".join(run("report").out.split())
    run("ask", "hello", "--tenant", "acme")
    assert "Did you mean" not in run("report", "--tenant", "zzzz").out
    assert "Did you mean" not in run("report", "--tenant", "acme", "--user", "zzzz").out
