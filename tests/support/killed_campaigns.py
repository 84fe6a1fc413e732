"""A separate profile with broker and daemon, in which a test can kill campaigns: every command is a process.

These campaigns run the real `soso`, except for labels, which the stand-in makes after a second.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from ase.build import bulk

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 300.0
LABEL_SECONDS = 1.0
CAMPAIGN = """name: {name}
structure: fe.cif
seed: 3
max_parallel: 1
exploration: {{n_candidates: 20}}
fit: {{pair: {{cutoff_angstrom: 3.0, n_max: 3, lambda_max: 1}}, n_inducing: 4,
  descriptor: {{cutoff_angstrom: 3.0, n_max: 3, lambda_max: 2}}}}
policy: {{n_initial: 3, batch_size: 2, min_blind: 2, max_labels: 20, target_energy_meV_per_spin: 1.0e9}}
"""
FACTS = """
import json, sys
from aiida.orm import load_node
from soso_workflows.campaign.state import CampaignState, find_finished_label
lineage = CampaignState(load_node(int(sys.argv[1]))).lineage
made = [call.inputs.configuration.get_dataset().fingerprint for state in lineage
        for (stage, *_), call in state.calls.items() if stage == "label" and find_finished_label(call) is not None]
node = lineage[-1].node
open(sys.argv[2], "wb").write(lineage[-1].model.content)
print(json.dumps({"made": made, "ok": node.is_finished_ok, "said": node.exit_message, "n": lineage[-1].n_labels,
                  "campaigns": len(lineage), "hours": lineage[-1].batches[-1].wall_hours}))
"""


class Place:
    """A folder with a profile, a code and campaign files, in which `verdi` runs."""

    def __init__(self, home: Path) -> None:
        self.home = home
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "AIIDA_PATH": str(home), "STAND_IN_HOME": str(home)}
        bulk("Fe", "bcc", a=2.85, cubic=True).write(home / "fe.cif")
        (home / "facts.py").write_text(FACTS)
        self.verdi("presto", "--non-interactive")
        self.verdi("data", "soso", "setup")
        self.verdi(
            *("code", "create", "core.code.installed", "--non-interactive", "--label", "slow"),
            *("--computer", "localhost", "--filepath-executable", self.slow_soso()),
        )

    def slow_soso(self) -> Path:
        """Return a `soso` whose labels come from the stand-in after LABEL_SECONDS."""
        script = self.home / "soso"
        label = f"sleep {LABEL_SECONDS}; exec {sys.executable} -I -S {HERE / 'stand_in_soso.py'}"
        script.write_text(f'#!/bin/sh\nif [ "$1" = label ]; then {label} "$@"; fi\nexec {BIN / "soso"} "$@"\n')
        script.chmod(0o755)
        return script

    def verdi(self, *words: object) -> str:
        """Return the output of a verdi command.  Raises AssertionError when the command fails."""
        done = subprocess.run(self.words(*words), capture_output=True, text=True, env=self.environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *words: object) -> subprocess.Popen[str]:
        """Start a verdi command without waiting for its end."""
        return subprocess.Popen(self.words(*words), stdout=subprocess.PIPE, text=True, env=self.environment)

    def words(self, *words: object) -> list[str]:
        """Return the command line of verdi with these words."""
        return [str(BIN / "verdi"), *(str(word) for word in words)]

    def launch_words(self, name: str) -> tuple[object, ...]:
        """Return the words that launch the campaign, under this name."""
        path = self.home / f"{name}.yaml"
        path.write_text(CAMPAIGN.format(name=name))
        return ("data", "soso", "launch", path, "--code", "slow@localhost")

    def facts(self, pk: int) -> dict[str, object]:
        """Return the labels of a campaign, its outcome, and `model`, the bytes of its last model.

        A label counts when its job finished, even if the workchain around the job was killed afterwards.
        """
        model = self.home / f"{pk}.soso"
        output = self.verdi("run", self.home / "facts.py", pk, model)
        return {**json.loads(output.splitlines()[-1]), "model": model.read_bytes()}

    def is_terminated(self, pk: int) -> bool:
        """Return whether a process has ended."""
        code = f"from aiida.orm import load_node; print(load_node({pk}).is_terminated)"
        (self.home / "ended.py").write_text(code)
        return self.verdi("run", self.home / "ended.py").split()[-1] == "True"

    def n_asked(self) -> int:
        """Return the number of labels requested so far."""
        log = self.home / "labels.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def workers(self) -> list[psutil.Process]:
        """Return the workers of this daemon."""
        pids = [int(path.read_text()) for path in self.home.rglob("daemon/*.pid")]
        found = [child for pid in pids if psutil.pid_exists(pid) for child in psutil.Process(pid).children(True)]
        return [child for child in found if "worker" in child.cmdline()]


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds.  Raises AssertionError after PATIENCE_SECONDS."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"the condition did not hold within {PATIENCE_SECONDS:g} s"
        time.sleep(0.5)


def kill_hard(pid: int) -> None:
    """Kill a process by a signal that it cannot handle."""
    os.kill(pid, signal.SIGKILL)
