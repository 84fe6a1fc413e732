"""Fixtures of the tests that need AiiDA.

A session has one temporary profile.  AiiDA is imported when the first test uses the profile, so that the tests of
`soso_core` run without AiiDA.
"""

import atexit
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ["AIIDA_PATH"] = tempfile.mkdtemp(prefix="soso-tests-")  # before aiida is imported: leave ~/.aiida alone

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.labels import LabelledConfiguration

atexit.register(shutil.rmtree, os.environ["AIIDA_PATH"], ignore_errors=True)

STAND_IN = Path(__file__).parent / "stand_in_soso.py"
POLL_SECONDS = 0.1


@pytest.fixture(scope="session")
def aiida_profile(request, tmp_path_factory):
    """Return the loaded temporary profile (sqlite, no broker), with a runner that polls and keeps no checkpoints."""
    from aiida.manage import get_manager
    from no_checkpoints import NoCheckpoints
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    request.config.pluginmanager.import_plugin("aiida_factories")
    make_config, make_profile = (request.getfixturevalue(f"aiida_{name}_factory") for name in ("config", "profile"))
    event.listen(Engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    with (
        make_config(tmp_path_factory.mktemp("aiida")) as config,
        make_profile(config) as profile,
    ):
        get_manager().get_runner(poll_interval=POLL_SECONDS, persister=NoCheckpoints())
        yield profile


@pytest.fixture(scope="session")
def localhost(aiida_profile, tmp_path_factory):
    """Return the local machine as a computer without waiting times."""
    from aiida.orm import Computer

    computer = Computer(
        label="localhost",
        hostname="localhost",
        workdir=str(tmp_path_factory.mktemp("work")),
        transport_type="core.local",
        scheduler_type="core.direct",
    ).store()
    computer.set_minimum_job_poll_interval(POLL_SECONDS)
    return computer.configure(use_login_shell=False, safe_interval=0.0) and computer


@pytest.fixture
def pair_dataset() -> Dataset:
    """Return six labelled two-atom cells of one Heisenberg pair."""
    return Dataset(tuple(labelled_pair(seed) for seed in range(6)))


def labelled_pair(seed: int) -> LabelledConfiguration:
    """Return a two-atom cell with random spins, with the labels that the stand-in makes."""
    spins_ac = np.random.default_rng(seed).normal(size=(2, 3))
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    positions_ac = np.array([[0.0, 0.0, 0.0], [1.425, 1.425, 1.425]])
    configuration = Configuration(np.array([26, 26]), positions_ac, 2.85 * np.eye(3), spins_ac)
    return LabelledConfiguration(
        configuration,
        energy=-0.05 * float(spins_ac[0] @ spins_ac[1]),
        exchange_fields_ac=0.025 * spins_ac[::-1],
        moment_magnitudes_a=np.full(2, 2.0),
        forces_ac=np.zeros((2, 3)),
        stress_cc=np.zeros((3, 3)),
    )


@pytest.fixture(scope="session")
def model_file(tmp_path_factory) -> Path:
    """Return a small model file, fitted to six cells of two atoms."""
    from soso_core.gp.inference.regression import fit
    from soso_core.gp.model.model_file import save_model
    from soso_core.gp.model.settings import FitSettings

    path = tmp_path_factory.mktemp("model") / "model.soso"
    dataset = Dataset(tuple(labelled_pair(seed) for seed in range(6)))
    values = {
        "pair": {"cutoff_angstrom": 3.0, "n_max": 3, "lambda_max": 1},
        "descriptor": {"cutoff_angstrom": 3.0, "n_max": 3, "lambda_max": 2},
        "n_inducing": 4,
    }
    save_model(path, fit(dataset, FitSettings.model_validate(values), np.random.default_rng(0)))
    return path


@pytest.fixture(scope="session")
def stand_in(localhost, model_file, tmp_path_factory) -> Callable[..., Any]:
    """Return a factory of codes that run the stand-in with the given failures and write its log to `home`."""
    from aiida.orm import InstalledCode

    script = tmp_path_factory.mktemp("bin") / "soso"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {STAND_IN} "$@"\n')
    script.chmod(0o755)

    def factory(home: Path, **faults: Any) -> InstalledCode:
        code = InstalledCode(label="stand-in", computer=localhost, filepath_executable=str(script))
        code.prepend_text = (
            f"export STAND_IN_HOME={home}\nexport STAND_IN_MODEL={model_file}\n"
            f"export STAND_IN_FAULTS='{json.dumps(faults)}'"
        )
        return code.store()

    return factory


def count_label_calls(home: Path) -> int:
    """Return the number of labels requested from the stand-in with this home."""
    log = home / "labels.log"
    return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture(scope="session")
def campaign_inputs(stand_in) -> Callable[..., dict[str, Any]]:
    """Return a factory of inputs of a small campaign: `faults` for the stand-in, the rest for the policy."""
    from aiida.orm import Dict, Int, Str, StructureData
    from ase.build import bulk

    def factory(home: Path, faults: dict[str, Any] | None = None, **policy: Any) -> dict[str, Any]:
        code = stand_in(home, **(faults or {}))
        values = {"max_labels": 6, "n_initial": 2, "batch_size": 1, "min_blind": 1, "patience": 5}
        return {
            "code": code,
            "structure": StructureData(ase=bulk("Fe", "bcc", a=2.85, cubic=True)),
            "exploration": Dict({"n_candidates": 10}),
            "policy": Dict({**values, **policy}),
            "seed": Int(7),
            "max_parallel": Int(2),
            "engine": Str("soso.label.tight_binding"),
            "label": {"code": code},
        }

    return factory


@pytest.fixture(scope="session")
def finished_campaign(campaign_inputs, tmp_path_factory) -> Any:
    """Return the node of a campaign that met its (generous) target: two labels, then one."""
    from aiida.engine import run_get_node
    from aiida.plugins import WorkflowFactory

    inputs = campaign_inputs(tmp_path_factory.mktemp("home"), target_energy_meV_per_spin=1e9)
    _, node = run_get_node(WorkflowFactory("soso.active_learning"), **inputs)
    return node
