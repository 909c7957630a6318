"""The files of deploy/ name what exists: metrics, labels, commands, options and files of this project."""

import json
import re
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.telemetry.prometheus import PrometheusMetrics

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
OF_PROMETHEUS = {"le", "job"}


def alert_rules():
    groups = yaml.safe_load((DEPLOY / "alert-rules.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels():
    return json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))["panels"]


def expressions():
    alerts = [rule["expr"] for rule in alert_rules()]
    return alerts + [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.fixture
def families(practised, practice):
    """What a scrape has once something of each kind happened."""
    metrics = PrometheusMetrics(practised)
    practice.faults.add("*:status=401,times=1")
    practised.complete("question")
    list(practised.stream("a stream"))
    return list(text_string_to_metric_families(metrics.render()[0].decode()))


def test_every_metric_and_label_of_rules_and_dashboard_is_in_a_scrape(families):
    known = {family.name + suffix for family in families for suffix in SUFFIXES[family.type]}
    labels = {label for family in families for sample in family.samples for label in sample.labels}
    used = {name for text in expressions() for name in re.findall(r"nextflow_\w+", text)}
    grouped = {
        label.strip()
        for text in expressions()
        for names in re.findall(r"by \(([^)]*)\)", text)
        for label in names.split(",")
    }
    matched = {label for text in expressions() for label in re.findall(r'(\w+)="', text)}
    assert used <= known
    assert grouped | matched <= labels | OF_PROMETHEUS
    # What is served is shown, but for what only details are made of, and what `experiment show` compares.
    shown = {name.removesuffix(end) for name in used for end in ("_total", "_bucket", "_count", "_sum", "")}
    served = {family.name for family in families if not family.name.endswith("_created")}
    assert served - shown <= {"nextflow_attempt_seconds", "nextflow_experiment_requests"}


def test_values_that_expressions_look_for_are_values_that_occur(families):
    values = {value for family in families for sample in family.samples for value in sample.labels.values()}
    looked_for = {value for text in expressions() for value in re.findall(r'(?:outcome)="(\w+)"', text)}
    assert looked_for <= values


def test_a_share_of_what_has_not_happened_yet_is_zero_and_not_nothing():
    """A counter with labels has no series before its first event; without one a panel says `No data`."""
    shares = [
        target["expr"] for panel in panels() for target in panel["targets"] if _is_share(target["expr"])
    ]
    assert len(shares) >= 4
    assert [text for text in shares if "or vector(0)" not in text] == []


def _is_share(expression: str) -> bool:
    return re.search(r"\)+ / sum\(rate\(nextflow_requests_total", expression) is not None


def test_every_alert_says_what_it_means_and_how_urgent_it_is():
    for rule in alert_rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not here")
def test_prometheus_takes_the_rules_and_every_expression_of_the_dashboard(tmp_path):
    asked = [
        {"record": f"panel:{number}", "expr": target["expr"].replace("$__rate_interval", "1m")}
        for number, target in enumerate(target for panel in panels() for target in panel["targets"])
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}), "utf-8")
    command = ["promtool", "check", "rules", str(DEPLOY / "alert-rules.yml"), str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_panels_lie_beside_each_other_and_not_on_each_other():
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(set(places)) == len(places)


def unit() -> RawConfigParser:
    parser = RawConfigParser(strict=True)
    parser.optionxform = str
    parser.read(DEPLOY / "nextflow-orchestrator.service", encoding="utf-8")
    return parser


def test_the_unit_is_hardened_and_gives_what_runs_its_time():
    service = unit()["Service"]
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] in service["Environment"]
    stop_s = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))["server"]["stop_s"]
    assert int(service["TimeoutStopSec"]) > stop_s


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_unit(tmp_path):
    text = (DEPLOY / "nextflow-orchestrator.service").read_text("utf-8")
    command = unit()["Service"]["ExecStart"].split()[0]
    path = tmp_path / "nextflow-orchestrator.service"
    path.write_text(text.replace(command, sys.executable), "utf-8")
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    of_ours = [line for line in ran.stderr.splitlines() if path.name in line]
    assert (ran.returncode, of_ours) == (0, [])


def test_the_commands_of_unit_image_and_compose_have_options_that_exist():
    help_text = (ROOT / "docs/reference/cli.md").read_text("utf-8")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["orchestrator"]
    image = (DEPLOY / "Dockerfile").read_text("utf-8")
    started = re.search(r"^CMD (\[.*\])$", image, re.MULTILINE)
    assert started is not None
    words = [*unit()["Service"]["ExecStart"].split(), *compose["command"], *json.loads(started[1])]
    options = [word for word in words if word.startswith("--")]
    assert [option for option in options if option not in help_text] == []


def test_the_image_copies_what_there_is_runs_as_nobody_special_and_takes_what_it_needs_to_build():
    image = (DEPLOY / "Dockerfile").read_text("utf-8")
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", image, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert copied
    assert all((ROOT / source).exists() for source in copied)
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert {f"!{source}" for source in copied} <= set(allowed)
    assert re.search(r"^USER (?!0|root)", image, re.MULTILINE)


def test_the_compose_file_mounts_files_that_are_here():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    mounts = [mount.split(":")[0] for service in services.values() for mount in service["volumes"]]
    files = [mount for mount in mounts if mount.startswith("./") and "secrets" not in mount]
    assert files
    assert all((DEPLOY / name).exists() for name in files)
