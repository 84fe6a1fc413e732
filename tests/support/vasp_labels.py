"""Labels through the stand-in for VASP: cells, settings, what a run without faults gives, and many at a time."""

import asyncio
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from vasp_standin.classical import ClassicalModel
from vasp_standin.crystal import Crystal
from vasp_standin.environment import Environment
from vasp_standin.incar import Incar
from vasp_standin.oszicar import oszicar_text
from vasp_standin.restart import Density
from vasp_standin.run import Run, perform
from vasp_standin.task import Task, unit

from soso_core.configuration import Configuration
from soso_core.engines.vasp.field_scale import FieldScale
from soso_core.engines.vasp.incar import incar
from soso_core.engines.vasp.labelling import make_label
from soso_core.engines.vasp.order import arrange_for_vasp
from soso_core.engines.vasp.oszicar import read_constraint
from soso_core.engines.vasp.settings import SpeciesSettings, VaspSettings
from soso_core.engines.vasp.step import read_step
from soso_core.labels import LabelledConfiguration

SPECIES = {"rwigs_angstrom": {"Fe": 1.3, "Rh": 1.4}, "initial_moments_muB": {"Fe": 2.2}}


def iron_cell(seed: int) -> Configuration:
    """Return two or three displaced atoms with disordered spins; every third cell has a rhodium between the irons."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Fe", "bcc", a=2.85, cubic=True)
    if seed % 3 == 2:
        atoms = Atoms("FeRhFe", positions=[[0, 0, 0], [0, 0, 2.6], [1.4, 1.4, 1.3]], cell=[2.85, 2.85, 5.2], pbc=True)
    atoms.positions += 0.05 * rng.normal(size=atoms.positions.shape)
    spins_ac = unit(rng.normal(loc=(0.0, 0.0, 1.0), size=atoms.positions.shape))
    spins_ac[atoms.numbers != 26] = 0.0
    return Configuration(atoms.numbers, atoms.positions, atoms.cell.array, spins_ac)


def engine_settings(family: str, field_scale: Any = 2.0, **overrides: Any) -> dict[str, Any]:
    """Return `engine_settings` of a campaign file."""
    return {
        "protocol": "balanced",
        "overrides": overrides,
        "potential_family": family,
        "field_scale": field_scale,
        "options": {"withmpi": False, "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}},
        **SPECIES,
    }


def faultless(
    target: Configuration, settings: VaspSettings, lambda_: float, field_scale: float = 2.0
) -> LabelledConfiguration:
    """Return the label of a ramp that ends at `lambda_` and in which nothing fails."""
    strengths = [*(value for value in settings.lambda_ramp_ev_per_muB2 if value < lambda_), lambda_]
    density, steps, scale = None, [], FieldScale(field_scale, "known")
    for strength in strengths:
        run, density = one_run(target, settings, strength, density, field_scale)
        arranged, _ = arrange_for_vasp(target)
        table = read_constraint(oszicar_text(run), is_constrained_a=arranged.is_magnetic_a)
        steps.append(read_step(target, strength, round(run.free_energy, 8), table, scale))
    forces_ac = np.round(run.evaluation.forces_ac, 8)
    return make_label(steps, settings, scale, forces_ac, None)


def one_run(
    target: Configuration, settings: VaspSettings, lambda_: float, density: Density | None, field_scale: float
) -> tuple[Run, Density]:
    """Return one run of the stand-in, and the density it leaves."""
    arranged, order = arrange_for_vasp(target)
    tags = incar(arranged, settings, SpeciesSettings(**SPECIES), lambda_, density is not None)
    crystal = crystal_of(arranged, order.species, order.counts)
    task = Task(
        incar=Incar({name.upper(): str(value) for name, value in tags.items()}),
        crystal=crystal,
        kpoints_kv=np.zeros((1, 3)),
        magmoms_ac=np.reshape(tags["magmom"], (-1, 3)),
        targets_ac=unit(np.reshape(tags["m_constr"], (-1, 3))),
        rwigs_s=np.array(tags["rwigs"]),
        lambda_=lambda_,
        density=density,
    )
    run = perform(task, Environment(field_scale=field_scale), "", 0)
    assert run.is_converged
    return run, Density(run.moments_ac, lambda_)


def crystal_of(arranged: Configuration, species: tuple[str, ...], counts: tuple[int, ...]) -> Crystal:
    """Return a configuration in VASP's order as the stand-in holds it."""
    fractional_av = arranged.positions_ac @ np.linalg.inv(arranged.cell_vc)
    return Crystal(arranged.cell_vc, fractional_av, species, counts)


def truth(configuration: Configuration) -> tuple[float, np.ndarray]:
    """Return the energy (eV) and `-∂E/∂e` (a, 3) of the model itself at the spins of a configuration."""
    arranged, order = arrange_for_vasp(configuration)
    directions_ac = np.where(arranged.is_magnetic_a[:, None], arranged.spins_ac, [0.0, 0.0, 1.0])
    found = ClassicalModel(crystal_of(arranged, order.species, order.counts)).evaluate(directions_ac)
    return found.energy, order.from_vasp(found.effective_fields_ac)


def run_together(process_class: Any, inputs: list[dict[str, Any]], at_once: int = 6) -> list[Any]:
    """Run processes, a few at a time, in this interpreter; return their nodes."""
    from aiida.manage import get_manager

    runner = get_manager().get_runner()

    async def run_one(gate: asyncio.Semaphore, values: dict[str, Any]) -> Any:
        async with gate:
            node = runner.submit(process_class, **values)
            while not node.is_terminated:
                await asyncio.sleep(0.2)
            return node

    async def run_all() -> list[Any]:
        gate = asyncio.Semaphore(at_once)
        return await asyncio.gather(*(run_one(gate, values) for values in inputs))

    return runner.loop.run_until_complete(run_all())
