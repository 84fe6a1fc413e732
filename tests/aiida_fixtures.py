"""Fixtures of all tests that need AiiDA: one temporary profile a session, made only when a test asks for it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida.tools.pytest_fixtures import aiida_config_factory, aiida_profile_factory  # noqa: F401

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.labels import LabelledConfiguration

STAND_IN = Path(__file__).parent / "stand_in_soso.py"
POLL_SECONDS = 0.05


@pytest.fixture(scope="session")
def aiida_profile(tmp_path_factory, aiida_config_factory, aiida_profile_factory):  # noqa: F811
    """Return the loaded temporary profile (sqlite, no broker), with a runner that polls instead of spinning."""
    from aiida.manage import get_manager

    with (
        aiida_config_factory(tmp_path_factory.mktemp("aiida")) as config,
        aiida_profile_factory(config) as profile,
    ):
        get_manager().get_runner(poll_interval=POLL_SECONDS)
        yield profile


@pytest.fixture(scope="session")
def localhost(aiida_profile, tmp_path_factory):
    """Return this machine as a computer without waiting times."""
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
    """Return a two-atom cell with random spins and the labels the stand-in would give it."""
    spins_ac = np.random.default_rng(seed).normal(size=(2, 3))
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    positions_ac = np.array([[0.0, 0.0, 0.0], [1.425, 1.425, 1.425]])
    configuration = Configuration(np.array([26, 26]), positions_ac, 2.85 * np.eye(3), spins_ac)
    return LabelledConfiguration(
        configuration,
        energy=-0.05 * float(spins_ac[0] @ spins_ac[1]),
        exchange_fields_ac=0.025 * spins_ac[::-1],
        moments_a=np.full(2, 2.0),
        forces_ac=np.zeros((2, 3)),
        stress_cc=np.zeros((3, 3)),
    )


@pytest.fixture(scope="session")
def model_file(tmp_path_factory) -> Path:
    """Return a small model file, fitted to six cells of two atoms."""
    from soso_core.gp.regression import fit
    from soso_core.gp.settings import FitSettings

    path = tmp_path_factory.mktemp("model") / "model.soso"
    dataset = Dataset(tuple(labelled_pair(seed) for seed in range(6)))
    values = {
        "pair": {"cutoff_angstrom": 3.0, "n_max": 3, "lambda_max": 1},
        "descriptor": {"cutoff_angstrom": 3.0, "n_max": 3, "lambda_max": 2},
        "n_inducing": 4,
    }
    fit(dataset, FitSettings.model_validate(values), np.random.default_rng(0)).save(path)
    return path


@pytest.fixture
def stand_in(localhost, model_file, tmp_path) -> Callable[..., Any]:
    """Return a factory of codes that run the stand-in with the given faults; the home is `tmp_path`."""
    from aiida.orm import InstalledCode

    script = tmp_path / "soso"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {STAND_IN} "$@"\n')
    script.chmod(0o755)

    def factory(**faults: Any) -> InstalledCode:
        code = InstalledCode(label="stand-in", computer=localhost, filepath_executable=str(script))
        code.prepend_text = (
            f"export STAND_IN_HOME={tmp_path}\nexport STAND_IN_MODEL={model_file}\n"
            f"export STAND_IN_FAULTS='{json.dumps(faults)}'"
        )
        return code.store()

    return factory


@pytest.fixture
def n_label_calls(tmp_path) -> Callable[[], int]:
    """Return a function that counts how often the stand-in was asked for a label."""
    log = tmp_path / "labels.log"
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture
def campaign_inputs(stand_in) -> Callable[..., dict[str, Any]]:
    """Return a factory of inputs of a small campaign; `faults` go to the stand-in, the rest to the policy."""
    from aiida.orm import Dict, Int, Str, StructureData
    from ase.build import bulk

    def factory(faults: dict[str, Any] | None = None, **policy: Any) -> dict[str, Any]:
        code = stand_in(**(faults or {}))
        values = {"max_labels": 6, "n_initial": 2, "batch_size": 2, "min_blind": 2, "patience": 5}
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
