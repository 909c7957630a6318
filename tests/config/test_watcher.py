"""A changed config.yaml is taken over while requests run; a broken one is refused and the last good one stays."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from orchestrator import Orchestrator
from orchestrator.config.loader import Config, embedded_path, load_config
from orchestrator.config.watcher import ConfigWatch
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import BudgetExceededError

WAIT_S = 15.0


@pytest.fixture(autouse=True)
def _environment(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def text() -> str:
    return embedded_path().read_text(encoding="utf-8")


@pytest.fixture
def path(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "configuration"
    folder.mkdir()
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return folder / "config.yaml"


@pytest.fixture
def watched(path: Path) -> Iterator[Orchestrator]:
    with Orchestrator.from_config(path, watch=True) as orchestrator:
        yield orchestrator


def failures_of(orchestrator: Orchestrator) -> int:
    return orchestrator.config.settings.circuit_breaker.failures


def wait_until(reached: Callable[[], bool], *, meanwhile: Callable[[], object] = lambda: None) -> bool:
    """Wait until something is so; the watching thread takes a moment to begin, and a look takes half a second."""
    until_s = monotonic() + WAIT_S
    while monotonic() < until_s:
        if reached():
            return True
        meanwhile()
        sleep(0.05)
    return False


def replace_file(path: Path, text: str) -> None:
    """Replace a file at once, as editors and deployments do."""
    new = path.with_name("config.yaml.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def test_a_file_that_is_replaced_is_taken_over(watched, path, text):
    """A04."""
    replace_file(path, text.replace("  failures: 3\n", "  failures: 7\n"))
    assert wait_until(lambda: failures_of(watched) == 7)


def test_a_file_that_is_written_in_place_is_taken_over(watched, path, text):
    path.write_text(text.replace("  failures: 3\n", "  failures: 7\n"), encoding="utf-8")
    assert wait_until(lambda: failures_of(watched) == 7)


def test_a_change_in_the_very_first_moment_is_not_missed(path, text):
    """Between the reading of the file and the first look of the watch there is no gap."""
    with Orchestrator.from_config(path, watch=True) as orchestrator:
        replace_file(path, text.replace("  failures: 3\n", "  failures: 7\n"))
        assert wait_until(lambda: failures_of(orchestrator) == 7)


def test_a_link_that_is_swapped_is_taken_over(tmp_path, text):
    """As Kubernetes does: config.yaml -> ..data/config.yaml, and ..data -> the folder of a release."""
    folder = tmp_path / "mounted"
    for number, failures in ((1, 3), (2, 7)):
        release = folder / f"..release-{number}"
        release.mkdir(parents=True)
        (release / "config.yaml").write_text(
            text.replace("  failures: 3\n", f"  failures: {failures}\n"), encoding="utf-8"
        )
    (folder / "..data").symlink_to("..release-1")
    (folder / "config.yaml").symlink_to("..data/config.yaml")
    with Orchestrator.from_config(folder / "config.yaml", watch=True) as orchestrator:
        assert failures_of(orchestrator) == 3
        (folder / "..data.new").symlink_to("..release-2")
        (folder / "..data.new").replace(folder / "..data")
        assert wait_until(lambda: failures_of(orchestrator) == 7)


def test_a_broken_file_is_refused_and_the_last_good_one_stays(watched, path, text, caplog):
    with caplog.at_level(logging.INFO, logger="orchestrator.config"):
        replace_file(path, text.replace("  failures: 3\n", "  failures: many\n"))
        assert wait_until(lambda: "is refused, the last good one stays" in caplog.text)
    assert failures_of(watched) == 3
    place = text[: text.index("  failures: 3\n")].count("\n") + 1
    assert f"config.yaml:{place}:3: circuit_breaker.failures: input should be a valid integer" in caplog.text
    assert "practice-key" not in caplog.text
    assert watched.complete("Xin chào").text, "requests go on"
    replace_file(path, text.replace("  failures: 3\n", "  failures: 7\n"))
    assert wait_until(lambda: failures_of(watched) == 7), "a repaired file is taken over"


@pytest.mark.parametrize("broken", ["", "a: [1, 2", "\udcff", "gone"])
def test_nothing_that_happens_to_the_file_ends_the_watch(watched, path, text, caplog, broken):
    if broken == "gone":
        path.unlink()
    else:
        path.write_bytes(broken.encode("utf-8", "surrogateescape"))
    assert wait_until(lambda: "is refused" in caplog.text)
    assert failures_of(watched) == 3
    replace_file(path, text.replace("  failures: 3\n", "  failures: 7\n"))
    assert wait_until(lambda: failures_of(watched) == 7)


def test_a_new_route_is_the_one_of_the_next_request(watched, path, text):
    assert (
        watched.complete("Xin chào", use_case="customer_service", cache="off").deployment
        == "openrouter/gpt-6.1-sol"
    )
    old = 'primary: {deployment: openrouter/gpt-6.1-sol, reason: "GPT flagship'
    assert old in text
    changed = text.replace(old, old.replace("openrouter/gpt-6.1-sol", "openrouter/deepseek-v3.2"), 1)
    replace_file(path, changed)
    assert wait_until(
        lambda: watched.config.settings.use_cases["customer_service"].primary.deployment.endswith("v3.2")
    )
    reply = watched.complete("Xin chào", use_case="customer_service", cache="off")
    assert (reply.deployment, reply.degraded) == ("openrouter/deepseek-v3.2", None)


def test_a_new_limit_counts_what_was_spent_under_the_old_one(watched, path, text):
    spent = watched.complete("Xin chào", cache="off").cost_nusd
    assert spent > 0
    replace_file(path, text.replace("day: 100,", "day: 0.000001,"))
    assert wait_until(lambda: any(standing.limit == 1000 for standing in watched.standings()))
    with pytest.raises(BudgetExceededError) as caught:
        watched.complete("Xin chào", cache="off")
    assert (caught.value.limit, caught.value.left) == (1000, 0)
    assert next(standing.spent for standing in watched.standings() if standing.window == "day") == spent


@pytest.fixture
def watch_of() -> Iterator[Callable[..., ConfigWatch]]:
    """Start watches that end with the test."""
    watches: list[ConfigWatch] = []

    def start(path: Path, take_over: Callable[[Config], None]) -> ConfigWatch:
        config = load_config(path, today=SystemClock().now().date())
        watches.append(ConfigWatch(config, take_over=take_over, clock=SystemClock()))
        return watches[-1]

    yield start
    for watch in watches:
        watch.close()


def test_a_file_that_says_the_same_is_not_taken_over(path, text, watch_of):
    taken: list[Config] = []
    watch = watch_of(path, taken.append)
    replace_file(path, "# only a comment\n" + text)
    watch.check()
    assert taken == []
    replace_file(path, text.replace("  failures: 3\n", "  failures: 7\n"))
    assert wait_until(lambda: len(taken) > 0)
    assert [config.settings.circuit_breaker.failures for config in taken] == [7]


def test_a_closed_watch_takes_nothing_over(path, text, watch_of):
    taken: list[Config] = []
    watch = watch_of(path, taken.append)
    watch.close()
    watch._thread.join(WAIT_S)
    replace_file(path, text.replace("  failures: 3\n", "  failures: 7\n"))
    assert not watch._thread.is_alive()
    assert taken == []


def test_other_files_of_the_folder_are_no_change(path, text, watch_of, monkeypatch):
    """A ledger, a cache or a log beside config.yaml may be written all the time: the file is not even read."""
    taken: list[Config] = []
    checks: list[None] = []
    check = ConfigWatch.check
    monkeypatch.setattr(ConfigWatch, "check", lambda watch: (check(watch), checks.append(None)))
    watch_of(path, taken.append)
    assert wait_until(lambda: len(checks) == 1), "the first look is over"
    for name in ("ledger.sqlite3", "ledger.sqlite3-wal", "cache.db", "service.log"):
        (path.parent / name).write_text("hello")
    replace_file(path, text.replace("  failures: 3\n", "  failures: 7\n"))
    assert wait_until(lambda: len(taken) == 1 and len(checks) > 1)
    assert len(checks) == 2


@pytest.mark.parametrize("place", [".git/deployed", "node_modules/x", "a/.hg"])
def test_a_folder_may_have_any_name(tmp_path, text, watch_of, place):
    """What a watcher of source code leaves out is a place for a configuration like any other."""
    path = tmp_path / place / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    taken: list[Config] = []
    watch_of(path, taken.append)
    replace_file(path, text.replace("  failures: 3\n", "  failures: 7\n"))
    assert wait_until(lambda: len(taken) == 1)


def test_a_folder_that_is_replaced_is_followed(path, text, watch_of):
    """As `rsync` to a new folder, `mv` and a new mount do; and once more after that."""
    taken: list[Config] = []
    watch_of(path, taken.append)
    for count, failures in ((1, 7), (2, 8)):
        path.parent.rename(path.parent.with_name(f"old-{count}"))
        path.parent.mkdir()
        path.write_text(text.replace("  failures: 3\n", f"  failures: {failures}\n"), encoding="utf-8")
        assert wait_until(lambda count=count: len(taken) == count)
    assert [config.settings.circuit_breaker.failures for config in taken] == [7, 8]


def test_a_secret_whose_file_changes_is_taken_over(path, text, tmp_path, watch_of):
    """A key that is rotated in the file that config.yaml names is a change of the configuration."""
    secret = tmp_path / "key"
    secret.write_text("first")
    path.write_text(text.replace("${OPENROUTER_API_KEY:-}", f"${{file:{secret}}}"), encoding="utf-8")
    taken: list[Config] = []
    watch_of(path, taken.append)
    secret.with_suffix(".new").write_text("second")
    secret.with_suffix(".new").replace(secret)
    assert wait_until(lambda: len(taken) == 1)
    key = taken[0].settings.providers["openrouter"].api_key
    assert key is not None
    assert key.get_secret_value() == "second"


def test_an_error_of_whoever_takes_over_ends_no_watch(path, text, watch_of, caplog):
    taken: list[Config] = []

    def take_over(config: Config) -> None:
        taken.append(config)
        if len(taken) == 1:
            raise OSError("no space left on device")

    watch_of(path, take_over)
    replace_file(path, text.replace("  failures: 3\n", "  failures: 7\n"))
    assert wait_until(lambda: "cannot be taken over, the last good one stays: OSError" in caplog.text)
    replace_file(path, text.replace("  failures: 3\n", "  failures: 8\n"))
    assert wait_until(lambda: len(taken) > 1 and taken[-1].settings.circuit_breaker.failures == 8)


@pytest.mark.parametrize("blank", ["", " \n"])
def test_a_secret_that_is_emptied_before_it_is_written_keeps_the_one_of_before(
    path, text, tmp_path, watch_of, caplog, blank
):
    """`echo KEY > file` empties it first; the default behind it would switch the provider off meanwhile."""
    secret = tmp_path / "key"
    secret.write_text("first")
    path.write_text(text.replace("${OPENROUTER_API_KEY:-}", f"${{file:{secret}:-}}"), encoding="utf-8")
    taken: list[Config] = []
    watch = watch_of(path, taken.append)
    secret.write_text(blank)
    watch.check()
    assert taken == []
    assert f"the file {secret} is empty; write the new secret into it" in caplog.text
    secret.write_text("second")
    assert wait_until(lambda: len(taken) == 1)
    secret.unlink()
    assert wait_until(lambda: len(taken) == 2)
    assert [config.settings.providers["openrouter"].has_key for config in taken] == [True, False]


def test_a_secret_that_is_emptied_while_the_file_is_read_keeps_the_one_of_before_too(
    path, text, tmp_path, watch_of, monkeypatch
):
    """Who sets a server up anew writes config.yaml and its keys one after the other."""
    secret = tmp_path / "key"
    secret.write_text("first")
    path.write_text(text.replace("${OPENROUTER_API_KEY:-}", f"${{file:{secret}:-}}"), encoding="utf-8")
    taken: list[Config] = []
    watch = watch_of(path, taken.append)

    def emptied_meanwhile(*args, **options):
        secret.write_text("")
        return load_config(*args, **options)

    monkeypatch.setattr("orchestrator.config.watcher.load_config", emptied_meanwhile)
    watch.check()
    assert taken == []
