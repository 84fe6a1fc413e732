"""The command group: help that teaches, errors in one line, the table, the report, the resumption."""

import base64
import re
from types import SimpleNamespace

import pytest
import yaml
from aiida_fixtures import count_label_calls
from click.testing import CliRunner

from soso_core.formats import write_dataset
from soso_workflows.campaign.state import load_campaign
from soso_workflows.commands.cli import main, soso
from soso_workflows.views.progress import Progress
from soso_workflows.views.table import COLUMNS

pytestmark = [pytest.mark.aiida, pytest.mark.usefixtures("localhost")]

COMMANDS = ("setup", "launch", "status", "report", "resume", "extend", "field-scale")


@pytest.fixture
def call():
    """Return a function that calls a command and gives its result."""
    return lambda *words: CliRunner().invoke(soso, [str(word) for word in words])


@pytest.fixture
def campaign_file(tmp_path):
    """Return a campaign of single cells, two labels and a target that anything meets."""
    from ase.build import bulk

    bulk("Fe", "bcc", a=2.85, cubic=True).write(tmp_path / "fe.cif")
    path = tmp_path / "campaign.yaml"
    path.write_text(
        "name: tiny\nstructure: fe.cif\nengine_settings: {k_mesh: [2, 2, 2]}\nseed: 3\n"
        "policy: {n_initial: 2, batch_size: 1, min_blind: 1, max_labels: 4, target_energy_meV_per_spin: 1.0e9}\n"
    )
    return path


def error_line(result) -> str:
    """Return the one line an erring command wrote."""
    assert result.exit_code != 0
    (line,) = result.output.strip().splitlines()
    return line


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_with_an_example(call, name):
    result = call(name, "--help")
    assert result.exit_code == 0
    assert f"verdi data soso {name}" in result.output


def test_the_program_has_the_same_commands():
    assert set(main.commands) == set(soso.commands) == set(COMMANDS)


def test_setup_twice(call, monkeypatch, tmp_path):
    executable = tmp_path / "soso"
    executable.touch()
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    first, second = call("setup"), call("setup")
    assert first.exit_code == second.exit_code == 0, first.output
    assert "code soso@localhost: made" in first.output
    assert "code soso@localhost: kept" in second.output


def test_setup_keeps_the_code_of_old_results_when_the_environment_moved(call, monkeypatch, tmp_path):
    from soso_workflows.campaign.launch import find_code

    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "soso").touch()
        monkeypatch.setattr("sys.executable", str(tmp_path / folder / "python"))
        assert "code soso@localhost: made" in call("setup").output
    assert str(find_code("soso@localhost").filepath_executable) == str(tmp_path / "new" / "soso")


def test_every_summary_is_complete(call):
    commands = call("--help").output.partition("Commands:")[2]
    assert all(f"  {name} " in commands for name in COMMANDS)
    assert "..." not in commands


def test_dry_run_stores_nothing(call, campaign_file):
    from aiida.orm import Node, QueryBuilder

    before = QueryBuilder().append(Node).count()
    result = call("launch", campaign_file, "--dry-run")
    assert result.exit_code == 0, result.output
    assert re.search(r"labels at most: +4 ", result.output)
    assert re.search(r"k-points: +2 x 2 x 2", result.output)
    assert QueryBuilder().append(Node).count() == before


def test_dry_run_says_what_a_launch_would_refuse(call, campaign_file):
    """And does its work all the same."""
    result = call("launch", campaign_file, "--dry-run", "--code", "ghost@localhost")
    assert result.exit_code == 0, result.output
    assert re.search(r"labels at most: +4 ", result.output)
    assert "a launch would fail: there is no code 'ghost@localhost'" in result.output.splitlines()[-1]


def test_errors_are_one_line(call, campaign_file, tmp_path, pair_dataset):
    from soso_workflows.data.dataset import SosoDataset

    node = SosoDataset.from_dataset(pair_dataset).store()
    assert "nowhere.yaml" in error_line(call("launch", tmp_path / "nowhere.yaml"))
    assert "no code 'ghost@localhost'" in error_line(call("launch", campaign_file, "--code", "ghost@localhost"))
    for command in (("launch", campaign_file), ("resume", 999999)):
        assert "--run and --submit contradict each other" in error_line(call(*command, "--run", "--submit"))
    for command in (("launch", campaign_file), ("extend", 999999, campaign_file)):
        for mode in ("--run", "--submit"):
            assert f"--dry-run starts nothing; remove {mode}" in error_line(call(*command, "--dry-run", mode))
    assert "999999" in error_line(call("status", 999999))
    assert "not a campaign (SosoDataset)" in error_line(call("status", node.pk))
    assert "not a campaign" in error_line(call("report", node.pk))
    assert "not a campaign" in error_line(call("resume", node.pk))


def test_launch_status_report_resume(call, campaign_file, stand_in, tmp_path, pair_dataset):
    write_dataset(tmp_path / "mine.extxyz", pair_dataset)
    with_start = tmp_path / "with_start.yaml"
    with_start.write_text(campaign_file.read_text() + "dataset: mine.extxyz\n")
    stand_in(tmp_path).label = "cli"
    model, report = tmp_path / "out.soso", tmp_path / "out.html"
    result = call("launch", campaign_file, "--run", "--code", "cli@localhost", "--model-out", model, "--report", report)
    assert result.exit_code == 0, result.output
    assert "target met" in result.output
    assert len([line for line in result.output.splitlines() if re.match(r" +[01]  ", line)]) == 2
    assert model.stat().st_size > 0
    html = report.read_text()
    assert html.count("data:image/svg+xml;base64,") == 3
    for data in re.findall(r"base64,([^']*)", html):
        assert b"</svg>" in base64.b64decode(data)
    assert "Failed labels" in html

    pk = re.search(r"<(\d+)>", result.output)[1]
    status = call("status", pk)
    assert status.exit_code == 0
    assert "\x1b[" not in status.output
    assert all(name in status.output for name, _ in COLUMNS)
    assert count_label_calls(tmp_path) == 3
    assert "has met its target" in error_line(call("resume", pk))
    assert "has met its target" in error_line(call("resume", pk, "--target-energy", 2e9))
    assert "raise the budget with --max-labels" in error_line(
        call("resume", pk, "--target-energy", 1e-9, "--max-labels", 3)
    )
    assert "--max-labels: settings: max_labels (1) is smaller" in error_line(call("resume", pk, "--max-labels", 1))
    assert "--max-core-hours: max_core_hours" in error_line(call("resume", pk, "--max-core-hours", -1))
    assert "--target-field: target_field_meV" in error_line(call("resume", pk, "--target-field", "nan"))
    assert load_campaign(pk).n_labels == 3
    assert "labels and model are those of campaign" in error_line(call("extend", pk, with_start))
    dry = call("extend", pk, campaign_file, "--dry-run", "--code", "cli@localhost")
    assert f"campaign {pk}, 3 labels" in dry.output
    assert re.search(r"cost: +\S+ core-hours per label", dry.output)
    small = tmp_path / "small.yaml"
    small.write_text(campaign_file.read_text() + "exploration: {n_candidates: 1}\n")
    assert "less than policy.n_initial needs, 2" in error_line(call("launch", small, "--dry-run"))
    dry = call("extend", pk, small, "--dry-run", "--code", "cli@localhost")
    assert dry.exit_code == 0, dry.output
    assert "engine_settings differ" not in dry.output + dry.stderr
    cold = tmp_path / "cold.yaml"
    settings = {
        **yaml.safe_load(campaign_file.read_text()),
        "engine_settings": {"k_mesh": [2, 2, 2], "smearing_ev": 0.03},
    }
    cold.write_text(yaml.safe_dump(settings))
    dry = call("extend", pk, cold, "--dry-run", "--code", "cli@localhost")
    assert f"engine_settings differ from those of campaign {pk} (smearing_ev)" in dry.output + dry.stderr

    again = call("launch", campaign_file, "--run", "--once", "--code", "cli@localhost", "--model-out", model)
    assert again.exit_code == 0, again.output
    assert f"<{pk}>" in again.output
    assert count_label_calls(tmp_path) == 3


def test_a_campaign_whose_process_died_is_resumed(call, finished_campaign):
    """A campaign left open by a process that is gone counts as stopped, one of a living process does not."""
    import os
    import socket

    import psutil
    from aiida.engine import ProcessState
    from aiida.orm import WorkChainNode

    from soso_workflows.campaign.launch import RUNNER_EXTRA, is_alive

    node = WorkChainNode(process_type=finished_campaign.process_type)
    node.set_process_state(ProcessState.WAITING)
    node.store()
    here = {"host": socket.gethostname(), "pid": os.getpid(), "started": psutil.Process().create_time()}
    node.base.extras.set(RUNNER_EXTRA, here)
    assert is_alive(node)
    assert "is running" in error_line(call("resume", node.pk))
    assert "has ended" not in call("status", node.pk).output
    node.base.extras.set(RUNNER_EXTRA, {**here, "started": here["started"] - 3600.0})
    assert not is_alive(node), "another process has its number now"
    node.base.extras.set(RUNNER_EXTRA, {**here, "pid": 2**22 + 1})
    assert not is_alive(node)
    said = f"the process that ran this campaign has ended; continue with `verdi data soso resume {node.pk}`"
    assert said in call("status", node.pk).output.splitlines()
    lines = []
    Progress(lines.append)(node)
    assert f"  {said}" in lines


def test_a_submitted_campaign_waits_for_the_daemon(call, finished_campaign, monkeypatch):
    from aiida.engine import ProcessState
    from aiida.orm import WorkChainNode

    from soso_workflows.campaign import launch

    running = []
    daemon = SimpleNamespace(get_daemon_client=lambda: SimpleNamespace(is_daemon_running=bool(running)))
    monkeypatch.setattr(launch, "get_manager", lambda: daemon)
    node = WorkChainNode(process_type=finished_campaign.process_type)
    node.set_process_state(ProcessState.WAITING)
    node.store()
    launch.set_fingerprint(node, None)
    assert "the AiiDA daemon is not running" in call("status", node.pk).output
    running.append(True)
    assert "the AiiDA daemon is not running" not in call("status", node.pk).output
