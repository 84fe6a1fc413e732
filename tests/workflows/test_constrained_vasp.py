"""The calculation of VASP with constrained moments: what it writes, and what its parser makes of what comes back."""

import io
from pathlib import Path

import numpy as np
import pytest
from aiida.common.exceptions import InputValidationError
from aiida.common.folders import SandboxFolder
from aiida.common.links import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.orm import CalcJobNode, Dict, FolderData, RemoteData, StructureData
from aiida.plugins import CalculationFactory, ParserFactory
from aiida.plugins.entry_point import format_entry_point_string
from aiida_vasp.data.potcar import PotcarData
from ase import Atoms
from vasp_fixtures import constrained_incar
from vasp_outputs import EXTRAPOLATED, FREE_ENERGY, SHARED, contcar, oszicar, outcar, vasprun

from soso_core.engines.vasp.oszicar import read_constraint

pytestmark = pytest.mark.aiida
NAME = "soso.vasp.constrained"
MOMENTS_AC = np.array([[0.011, 0.0, 1.6], [0.95, 0.0, 1.28]])
FIELDS_AC = np.array([[0.012345, 0.0, 0.0], [-0.0023, 0.0011, 0.0017]])


@pytest.fixture
def files(iron) -> dict[str, str]:
    """Return the files of a run that went well."""
    return good_files(iron)


def good_files(atoms: Atoms, constraint: str | None = None) -> dict[str, str]:
    forces_ac = 0.01 * np.arange(3.0 * len(atoms)).reshape(-1, 3)
    return {
        "OUTCAR": outcar(),
        "vasprun.xml": vasprun(atoms, forces_ac),
        "CONTCAR": contcar(atoms),
        "vasp_output": " running on 1 total cores\n vasp.6.4.2\n",
        "OSZICAR": constraint or oszicar(MOMENTS_AC, FIELDS_AC),
    }


@pytest.fixture
def parse(localhost, iron):
    """Return a function that parses files as if a run had written them: (outputs, node)."""

    def factory(files, atoms: Atoms = iron, settings: dict | None = None, scheduler: int | None = None, **incar):
        node = CalcJobNode(computer=localhost, process_type=format_entry_point_string("aiida.calculations", NAME))
        node.set_option("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 1})
        node.set_option("scheduler_stderr", "_scheduler-stderr.txt")
        if scheduler is not None:
            node.set_exit_status(scheduler)
        parameters = constrained_incar(len(atoms), **incar)
        inputs = {
            "structure": StructureData(ase=atoms),
            "parameters": Dict(parameters),
            "settings": Dict(settings or {}),
        }
        for label, value in inputs.items():
            node.base.links.add_incoming(value.store(), link_type=LinkType.INPUT_CALC, link_label=label)
        node.store()
        retrieved = FolderData()
        for path, content in files.items():
            retrieved.base.repository.put_object_from_filelike(io.BytesIO(content.encode()), path)
        retrieved.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label="retrieved")
        retrieved.store()
        return ParserFactory(NAME).parse_from_node(node, store_provenance=False)

    return factory


@pytest.fixture
def prepare(vasp_inputs, potcar_family):
    """Return a function that prepares a calculation with changes to the INCAR: (calc_info, text of the INCAR)."""

    def factory(restart=None, **changes):
        inputs = vasp_inputs() | ({"restart_folder": restart} if restart else {})
        process = instantiate_process(
            get_manager().get_runner(),
            CalculationFactory(NAME),
            metadata=inputs["calc"]["metadata"],
            parameters=Dict(constrained_incar(**changes)),
            potential=PotcarData.get_potcars_from_structure(inputs["structure"], potcar_family, {"Fe": "Fe"}),
            **{key: inputs[key] for key in ("code", "structure", "kpoints", "restart_folder") if key in inputs},
        )
        with SandboxFolder() as folder:
            info = process.prepare_for_submission(folder)
            return info, Path(folder.get_abs_path("INCAR")).read_text()

    return factory


def test_inputs_are_those_of_vasp_and_oszicar_comes_home(prepare):
    info, written = prepare()
    assert {"OSZICAR", "OUTCAR", "vasprun.xml", "CONTCAR", "vasp_output"} <= set(info.retrieve_list)
    assert "M_CONSTR = 0.0 0.0 1.0 0.6 0.0 0.8" in written
    assert "I_CONSTRAINED_M = 4" in written
    assert "LNONCOLLINEAR = .TRUE." in written


def test_what_vasp_would_refuse_is_not_submitted(prepare):
    with pytest.raises(InputValidationError, match="MAGMOM has 2 numbers, not 6"):
        prepare(magmom=[2.0, 2.0])


def test_a_good_run(parse, files):
    outputs, node = parse(files)
    assert node.is_finished_ok, node.exit_message
    constraint, misc = outputs["constraint"], outputs["misc"]
    np.testing.assert_array_equal(constraint.get_array("moments_mw_ac"), MOMENTS_AC)
    np.testing.assert_allclose(
        constraint.get_array("constraint_fields_ac"), FIELDS_AC, rtol=1e-5
    )  # five digits are printed
    assert constraint.get_array("is_constrained_a").tolist() == [1, 1]
    attributes = constraint.base.attributes.all
    assert attributes["lambda_eV_per_muB2"] == 10.0
    assert attributes["penalty_energy_eV"] == 1e-6
    assert attributes["scf_steps"] == 20
    assert attributes["scf_change_eV"] == pytest.approx(-1e-9)
    assert misc["total_energies"]["energy_free"] == FREE_ENERGY
    assert misc["total_energies"]["energy_extrapolated"] == EXTRAPOLATED
    np.testing.assert_allclose(misc["forces"], 0.01 * np.arange(6.0).reshape(2, 3), atol=1e-12)


@pytest.mark.parametrize(("istart", "copied"), [(0, {"CHGCAR"}), (1, {"CHGCAR", "WAVECAR"})])
def test_only_what_is_read_is_copied(prepare, localhost, tmp_path, istart, copied):
    for name in ("CHGCAR", "WAVECAR", "OUTCAR"):
        (tmp_path / name).write_text("not empty")
    restart = RemoteData(computer=localhost, remote_path=str(tmp_path)).store()
    info, _ = prepare(restart, icharg=1, istart=istart)
    assert {Path(source).name for _, source, _ in info.remote_copy_list} == copied


@pytest.mark.parametrize(
    ("name", "symbols", "constrained_atoms", "steps", "change"),
    [
        ("FeRh", ["Fe"] * 8 + ["Rh"] * 8, range(16), 35, -0.12195e-3),
        ("IrMn3", ["Mn"] * 3 + ["Ir"], range(3), 29, 0.69702e-5),
    ],
)
def test_real_files(parse, name, symbols, constrained_atoms, steps, change):
    if SHARED is None:
        pytest.skip("shared/data is not there")
    path = SHARED / f"{name}.OSZICAR"
    atoms = Atoms(symbols, np.arange(3.0 * len(symbols)).reshape(-1, 3), cell=3.0 * len(symbols) * np.eye(3), pbc=True)
    target_ac = np.zeros((len(symbols), 3))
    target_ac[list(constrained_atoms), 2] = 1.0
    outputs, node = parse(good_files(atoms, path.read_text()), atoms, m_constr=target_ac.ravel().tolist())
    assert node.is_finished_ok, node.exit_message
    table = read_constraint(path.read_text())
    assert outputs["constraint"].get_array("is_constrained_a").sum() == len(constrained_atoms)
    np.testing.assert_array_equal(outputs["constraint"].get_array("moments_m_ac"), table.moments_m_ac)
    attributes = outputs["constraint"].base.attributes.all
    assert attributes["penalty_energy_eV"] == table.penalty_energy
    assert (attributes["scf_steps"], attributes["scf_change_eV"]) == (steps, change)


def cut(text: str, keep: float) -> str:
    return text[: int(keep * len(text))]


def without(files: dict[str, str], *names: str) -> dict[str, str]:
    return {name: text for name, text in files.items() if name not in names}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("OSZICAR", 340), ("vasprun.xml", 342), ("OUTCAR", 343), ("CONTCAR", 347), ("vasp_output", 347)],
)
def test_a_file_is_missing(parse, files, name, expected):
    outputs, node = parse(without(files, name))
    assert node.exit_status == expected
    assert outputs == {}


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(("name", "expected"), [("OSZICAR", 341), ("vasprun.xml", 342), ("OUTCAR", 344)])
def test_a_file_was_cut(parse, files, name, expected, keep):
    text = cut(files[name], keep)
    if name == "OUTCAR":  # what follows the heading of the last section is not needed
        text = cut(files[name].split(" General timing")[0], keep)
    _, node = parse({**files, name: text})
    assert node.exit_status == expected, node.exit_message


def test_nothing_was_written(parse):
    _, node = parse({"vasp_output": "", "_scheduler-stderr.txt": "command not found"})
    assert node.exit_status == 333


def test_killed_run_tells_its_steps(parse, files):
    _, node = parse({**without(files, "vasprun.xml"), "OUTCAR": "   NELM   =   60;\n"})
    assert node.exit_status == 344
    assert "20 steps were done" in node.exit_message


def test_out_of_memory(parse, files):
    words = {"_scheduler-stderr.txt": "slurmstepd: error: Detected 1 oom-kill event(s)"}
    _, node = parse({**files, "OUTCAR": "", **words})
    assert node.exit_status == 346


@pytest.mark.parametrize(("scheduler", "expected"), [(110, 346), (120, 345)])
def test_what_the_scheduler_says(parse, files, scheduler, expected):
    _, node = parse({**files, "OUTCAR": "   NELM   =   60;\n"}, scheduler=scheduler)
    assert node.exit_status == expected
    _, node = parse(files, scheduler=scheduler)
    assert node.is_finished_ok  # killed after its end


def test_a_complaint_that_ended_the_run(parse, files):
    words = {"vasp_output": " Error EDDDAV: Call to ZHEGV failed. Returncode = 12 1 24\n"}
    _, node = parse({**files, "OUTCAR": "   NELM   =   60;\n", **words})
    assert node.exit_status == 348
    assert "edddav_zhegv" in node.exit_message


def test_steps_used_up(parse, files, iron):
    unconverged = {"OUTCAR": outcar(steps=60), "vasprun.xml": vasprun(iron, np.zeros((2, 3)), steps=60)}
    outputs, node = parse({**files, **unconverged})
    assert node.exit_status == 701
    assert "misc" in outputs


def test_vasp_says_it_did_not_converge(parse, files):
    note = " ------------------------ aborting loop EDIFF was not reached (unconverged) ------------"
    _, node = parse({**files, "OUTCAR": outcar(note=note)})
    assert node.exit_status == 701


def test_forces_of_another_cell(parse, files, iron):
    _, node = parse({**files, "vasprun.xml": vasprun(iron, np.zeros((1, 3)))})
    assert node.exit_status == 342
    assert "forces" in node.exit_message


def test_a_number_that_is_none(parse, files):
    _, node = parse({**files, "vasprun.xml": files["vasprun.xml"].replace(f"{FREE_ENERGY:.8f}", "NaN")})
    assert node.exit_status == 342


def test_settings_cannot_switch_the_checks_off(parse, files):
    loose = {"parser_settings": {"required_quantity": [], "check_errors": False, "energy_type": ["energy_no_entropy"]}}
    outputs, node = parse({**files, "OUTCAR": outcar(steps=60)}, settings=loose)
    assert node.exit_status == 701
    assert set(outputs["misc"]["total_energies"]) >= {"energy_free", "energy_extrapolated", "energy_no_entropy"}
