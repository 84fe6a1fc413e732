"""Calcfunctions of a label with VASP: arrange, judge, label, measure the field scale.

Keyword inputs carry the number of a step of the ramp: `misc_02` and `constraint_02` belong to the third run.
The Dict `ramp` is the log: the numbers of the `kept` runs, the strength of each run (`lambdas`), the next action.
"""

from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, KpointsData, StructureData
from ase import Atoms

from soso_core.arrays import FloatArray
from soso_core.engines.k_mesh import mesh_counts
from soso_core.engines.ramp import Action, RampStep, Verdict, judge, make_quality
from soso_core.engines.vasp import labelling
from soso_core.engines.vasp.field_scale import PRINTED, FieldScale, canted_ferromagnet, measure, tilt_first_spin
from soso_core.engines.vasp.incar import incar, make_ferromagnet
from soso_core.engines.vasp.order import VaspOrder, arrange_for_vasp
from soso_core.engines.vasp.oszicar import ConstraintTable
from soso_core.engines.vasp.settings import SpeciesSettings, VaspSettings
from soso_core.engines.vasp.step import read_step
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration
from soso_workflows.data.dataset import SosoDataset

POSITION_DIGITS = 14
"""Decimals of POSCAR; aiida-vasp's ten would show in finite differences."""


@calcfunction
def arrange(configuration: SosoDataset, settings: Dict) -> dict[str, Data]:
    """Return `structure` (the atoms of an element are adjacent), `kpoints`, and `plugin_settings` for aiida-vasp."""
    arranged, _ = arrange_for_vasp(configuration.get_dataset()[0].configuration)
    atoms = Atoms(arranged.symbols, positions=arranged.positions_ac, cell=arranged.cell_vc, pbc=True)
    kpoints = KpointsData()
    kpoints.set_cell(arranged.cell_vc)
    kpoints.set_kpoints_mesh(mesh_counts(arranged.cell_vc, settings["k_spacing_per_angstrom"]))
    return {
        "structure": StructureData(ase=atoms),
        "kpoints": kpoints,
        "plugin_settings": Dict({"poscar_precision": POSITION_DIGITS}),
    }


@calcfunction
def first_step(configuration: SosoDataset, settings: Dict, species: Dict) -> dict[str, Dict]:
    """Return `parameters` (INCAR) of the first step, from atomic charges, and the `ramp` before it."""
    lambda_ = VaspSettings(**settings.get_dict()).lambda_ramp_ev_per_muB2[0]
    parameters = _parameters(configuration, settings, species, lambda_, is_restart=False)
    return {"parameters": parameters, "ramp": Dict({"kept": [], "lambdas": [lambda_], "n_repeats": 0})}


@calcfunction
def judge_step(
    configuration: SosoDataset, settings: Dict, species: Dict, field_scale: Dict, ramp: Dict, **runs: Data
) -> dict[str, Dict]:
    """Return the `ramp` after its last run, with `action` and `reason`, and the `parameters` of the next step."""
    ramp_log = ramp.get_dict()
    kept = [*ramp_log["kept"], len(ramp_log["lambdas"]) - 1]
    try:
        steps = _steps(configuration, _scale(field_scale), {**ramp_log, "kept": kept}, runs)
        verdict = judge(steps, VaspSettings(**settings.get_dict()), ramp_log["n_repeats"])
    except InputError as error:  # the table of another run; an exception would end the process without a reason
        verdict = Verdict(Action.UNUSABLE, str(error))
    is_repeat = verdict.action is Action.REPEAT
    after = {
        "kept": kept[:-1] if is_repeat else kept,
        "lambdas": ramp_log["lambdas"] + ([] if verdict.lambda_ is None else [verdict.lambda_]),
        "n_repeats": ramp_log["n_repeats"] + int(is_repeat),
        "action": verdict.action.value,
        "reason": verdict.reason,
    }
    if verdict.lambda_ is None:
        return {"ramp": Dict(after)}
    following = _parameters(configuration, settings, species, verdict.lambda_, is_restart=bool(after["kept"]))
    return {"ramp": Dict(after), "parameters": following}


@calcfunction
def make_label(
    configuration: SosoDataset, settings: Dict, field_scale: Dict, ramp: Dict, **runs: Data
) -> dict[str, Data]:
    """Return `label` and `quality` from the runs that are kept."""
    ramp_log, checked = ramp.get_dict(), VaspSettings(**settings.get_dict())
    scale = _scale(field_scale)
    steps = _steps(configuration, scale, ramp_log, runs)
    last = runs[f"misc_{ramp_log['kept'][-1]:02d}"].get_dict()
    label = labelling.make_label(steps, checked, scale, _final(last["forces"]), _final(last["stress"]))
    numbers = make_quality(steps, checked).as_info()
    facts = {"lambda_ev_per_muB2": steps[-1].lambda_, "reason": ramp_log["reason"]}
    return {"label": SosoDataset.from_dataset([label]), "quality": Dict({"converged": True, **numbers, **facts})}


@calcfunction
def field_scale_configurations(structure: StructureData, species: Dict) -> dict[str, Data]:
    """Return `base`, `plus` and `minus`, and the `printed` scale with which they are labelled."""
    atoms = structure.get_ase()
    if count_spins(structure, species) == 1:  # a single spin has no partner
        atoms = atoms.repeat((2, 1, 1))
    ferromagnet = make_ferromagnet(atoms, SpeciesSettings(**species.get_dict()))
    made = dict(zip(("base", "plus", "minus"), tilt_first_spin(canted_ferromagnet(ferromagnet)), strict=True))
    nodes = {name: SosoDataset.from_configurations([item]) for name, item in made.items()}
    return {**nodes, "printed": Dict({"field_scale": 1.0, "source": PRINTED})}


@calcfunction
def measure_field_scale(base: SosoDataset, plus: SosoDataset, minus: SosoDataset) -> Dict:
    """Return the factor c, its error and the energy difference behind it."""
    labels: list[LabelledConfiguration] = [node.get_dataset()[0] for node in (base, plus, minus)]
    found = measure(*labels)
    return Dict(
        {
            "field_scale": found.value,
            "error": found.error,
            "energy_difference_meV": 1e3 * found.work,
            "source": "measured",
            "grades": [str(label.info["label_grade"]) for label in labels],
        }
    )


def count_spins(structure: StructureData, species: Dict) -> int:
    """Return how many atoms of the cell are of an element with a spin."""
    return make_ferromagnet(structure.get_ase(), SpeciesSettings(**species.get_dict())).n_magnetic


def table_of(node: ArrayData) -> ConstraintTable:
    """Return the constraint that the parser stored."""
    attributes = node.base.attributes
    change = attributes.get("scf_change_eV", None)
    return ConstraintTable(
        penalty_energy=float(attributes.get("penalty_energy_eV")),
        lambda_=float(attributes.get("lambda_eV_per_muB2")),
        moments_mw_ac=node.get_array("moments_mw_ac"),
        moments_m_ac=node.get_array("moments_m_ac"),
        constraint_fields_ac=node.get_array("constraint_fields_ac"),
        is_constrained_a=node.get_array("is_constrained_a").astype(bool),
        ionic_step=1,
        scf_change=None if change is None else abs(float(change)),
    )


def _parameters(configuration: SosoDataset, settings: Dict, species: Dict, lambda_: float, *, is_restart: bool) -> Dict:
    item = configuration.get_dataset()[0]
    arranged, order = arrange_for_vasp(item.configuration)
    known, elements = VaspSettings(**settings.get_dict()), SpeciesSettings(**species.get_dict())
    tags = incar(arranged, known, elements, lambda_, is_restart, magnitudes_a=_magnitudes(item, order))
    return Dict({"incar": tags})


def _magnitudes(item: LabelledConfiguration, order: VaspOrder) -> FloatArray | None:
    """Return the moment magnitudes that a model predicted for the configuration, None without."""
    return None if item.moment_magnitudes_a is None else order.to_vasp(item.moment_magnitudes_a)


def _steps(
    configuration: SosoDataset, scale: FieldScale, ramp_log: dict[str, Any], runs: dict[str, Any]
) -> list[RampStep]:
    """Return the runs that are kept."""
    target = configuration.get_dataset()[0].configuration
    return [
        read_step(
            target=target,
            lambda_=float(ramp_log["lambdas"][number]),
            free_energy=float(runs[f"misc_{number:02d}"]["total_energies"]["energy_free"]),
            table=table_of(runs[f"constraint_{number:02d}"]),
            field_scale=scale,
        )
        for number in ramp_log["kept"]
    ]


def _scale(field_scale: Dict) -> FieldScale:
    return FieldScale(float(field_scale["field_scale"]), str(field_scale["source"]))


def _final(values: Any) -> Any:
    """Return the values of the last ionic step from an output of aiida-vasp."""
    return np.asarray(values["final"] if isinstance(values, dict) else values, dtype=float)
