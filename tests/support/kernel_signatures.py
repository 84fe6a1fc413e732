"""Print the signatures of kernels that commands need after `soso warmup`; the last line is "done"."""

import importlib
import pkgutil

import numpy as np
import yaml
from click.testing import CliRunner
from numba.core.dispatcher import Dispatcher
from spin_cells import complete_dataset, heisenberg_dataset, iron_germanium, skewed_iron

import soso_core.kernels
from soso_core.app.cli import main
from soso_core.dynamics.monte_carlo.simulation import MonteCarloSettings, sample
from soso_core.dynamics.spin_energy import SpinModel
from soso_core.formats import write_configurations, write_dataset
from soso_core.gp.model.model_file import load_model

GENERATORS = [
    {"kind": "random", "displacement_angstrom": 0.02},
    {"kind": "monte-carlo", "temperatures_kelvin": [300.0], "n_sweeps": 4},
    {"kind": "cone", "displacements": "langevin", "n_steps": 3, "temperatures_kelvin": [50.0]},
]
BOTH = {"zeta": 3, "descriptor": {"n_max": 3}, "three_body": {"n_max": 2, "l_max": 2, "cutoff_angstrom": 3.5}}


def signatures():
    """Return (kernel, types) of everything that this process has compiled or loaded."""
    names = [item.name for item in pkgutil.walk_packages(soso_core.kernels.__path__, "soso_core.kernels.")]
    members = [member for name in names for member in vars(importlib.import_module(name)).values()]
    kernels = [member for member in members if isinstance(member, Dispatcher)]
    return {(kernel.__qualname__, str(types)) for kernel in kernels for types in kernel.signatures}


def soso(*words):
    """Run a command."""
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def write_yaml(name, values):
    """Write a settings file."""
    with open(name, "w", encoding="utf-8") as file:
        yaml.safe_dump(values, file)


def run_commands(cells, dataset, generators):
    """Fit with the default settings and with d beside p, evaluate, predict, explore, sample."""
    write_dataset("train.extxyz", dataset)
    write_configurations("cell.extxyz", cells[:1])
    write_yaml("both.yaml", BOTH | {"n_inducing": 5})
    write_yaml("explore.yaml", {"structure": "cell.extxyz", "n_candidates": 6, "n_select": 2, "generators": generators})
    for options in ((), ("--settings", "both.yaml")):
        soso("fit", "train.extxyz", "-o", "model.soso", *options)
        soso("evaluate", "model.soso", "train.extxyz")
        soso("predict", "model.soso", "train.extxyz", "-o", "predicted.extxyz")
        soso("explore", "model.soso", "explore.yaml", "-o", "next.extxyz")
    model, settings = load_model("model.soso"), {"n_warmup": 2, "n_sweeps": 2}
    for each in (model, model.baseline):
        for proposal in ("gaussian", "heat-bath"):
            plan = MonteCarloSettings(**settings, proposal=proposal)
            sample(SpinModel.of(each).on(cells[0]), cells[0].spins_ac, [300.0], plan, np.random.default_rng(0))


if __name__ == "__main__":
    soso("warmup")
    before = signatures()
    iron, alloy = [skewed_iron(seed) for seed in range(8)], [iron_germanium(seed) for seed in range(8)]
    run_commands(iron, heisenberg_dataset(iron), GENERATORS[:2])
    run_commands(alloy, complete_dataset(alloy), GENERATORS)
    for name, types in sorted(signatures() - before):
        print(name, types)
    print("done")
