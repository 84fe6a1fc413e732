"""Handlers of the work chain of VASP on runs that never ran: what is changed, where it starts again, how it ends."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.orm import ArrayData, CalcJobNode, Dict, FolderData, RemoteData
from aiida.orm.utils.serialize import deserialize_unsafe, serialize
from aiida.plugins import WorkflowFactory
from aiida_vasp.workchains.v2.vasp import VaspWorkChain
from ase.build import bulk
from vasp_fixtures import DIRECTIONS_AC, constrained_incar
from vasp_outputs import oszicar

from soso_workchains.vasp.constrained import ConstrainedVaspWorkChain
from soso_workchains.vasp.handlers import CONTINUATIONS, EXIT_CODES

pytestmark = pytest.mark.aiida
STILL_AC = 1.5 * DIRECTIONS_AC
FLIPPED_AC = STILL_AC * [[1.0], [-1.0]]
SHORT_AC = STILL_AC * [[0.01], [1.0]]


@pytest.fixture
def folder(localhost, tmp_path):
    """Return a factory of folders of runs, with these files in them."""

    def factory(*names: str) -> RemoteData:
        path = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        path.mkdir()
        for name in names:
            (path / name).write_text("not empty")
        return RemoteData(computer=localhost, remote_path=str(path)).store()

    return factory


@pytest.fixture
def chain(vasp_inputs):
    """Return a factory of work chains that were set up, but not run."""

    def factory(restart: RemoteData | None = None, max_iterations: int = 12, **incar: Any) -> ConstrainedVaspWorkChain:
        inputs = vasp_inputs(**incar)
        if restart is not None:
            inputs["restart_folder"] = restart
        process = instantiate_process(
            get_manager().get_runner(),
            WorkflowFactory("soso.vasp.constrained"),
            max_iterations=max_iterations,
            **inputs,
        )
        process.setup()
        assert process.init_inputs() is None
        process.ctx.children = []
        return process

    return factory


@pytest.fixture
def inspect(localhost, folder):
    """Return a function that gives the work chain a finished run and returns what it makes of it."""

    def run(chain, status: int = 0, moments_ac: np.ndarray = STILL_AC, remote: RemoteData | None = None, **texts: str):
        chain.prepare_inputs()
        node = finished_run(localhost, dict(chain.ctx.inputs.parameters), chain.inputs.structure, status)
        outputs = {"retrieved": FolderData(), "remote_folder": remote or folder()}
        if status == 0:
            outputs["constraint"] = ArrayData({"moments_mw_ac": moments_ac})
        for name, text in texts.items():
            outputs["retrieved"].base.repository.put_object_from_filelike(io.BytesIO(text.encode()), name)
        for label, value in outputs.items():
            value = value.clone() if value.is_stored else value
            value.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label=label)
            value.store()
        chain.ctx.iteration = len(chain.ctx.children) + 1
        chain.ctx.children.append(node)
        return chain.inspect_process()

    return run


def finished_run(localhost, incar: dict, structure, status: int) -> CalcJobNode:
    node = CalcJobNode(computer=localhost, process_type="aiida.calculations:soso.vasp.constrained")
    node.set_option("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 1})
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(status)
    node.set_exit_message(f"message {status}")
    for label, value in {"parameters": Dict(incar), "structure": structure}.items():
        node.base.links.add_incoming(value.store(), link_type=LinkType.INPUT_CALC, link_label=label)
    return node.store()


def cycle(last_change: float, steps: int = 60) -> str:
    """Return an OSZICAR whose energy last changed by so much."""
    return f"DAV: {steps:3d}    -0.124804557292E+02   {last_change:.5E}   -0.13356E-03  1200   0.414E-02\n"


def test_a_good_run_ends_the_work(chain, inspect):
    process = chain()
    assert inspect(process) is None
    assert process.ctx.is_finished


def test_none_of_aiida_vasp_is_inherited():
    names = {handler.__name__ for handler in ConstrainedVaspWorkChain.get_process_handlers()}
    assert names.isdisjoint(handler.__name__ for handler in VaspWorkChain.get_process_handlers())
    assert names == {name for name in dir(ConstrainedVaspWorkChain) if name.startswith("handle_")}


def test_not_converged_climbs_the_ladder(chain, inspect, folder):
    process = chain(amix=0.1)
    left = folder("CHGCAR")
    seen = []
    for _ in range(3):
        assert inspect(process, 701, remote=left, OSZICAR=cycle(-0.01)).status == 0
        seen.append(dict(process.ctx.inputs.parameters))
    assert [values["amix"] for values in seen] == pytest.approx([0.04] * 3)
    assert [values.get("algo") for values in seen] == [None, "all", "all"]
    assert [values["nelm"] for values in seen] == [90, 90, 180]
    end = inspect(process, 701, OSZICAR=cycle(-0.01))
    assert end.status == 410
    assert "-1.0e-02 eV after 60 steps" in end.message


@pytest.mark.parametrize(("change", "goes_on"), [(-0.01, True), (5.0, False)])
def test_only_a_useful_density_is_continued(chain, inspect, folder, change, goes_on):
    given, left = folder("CHGCAR"), folder("CHGCAR", "WAVECAR")
    process = chain(restart=given)
    inspect(process, 701, remote=left, OSZICAR=cycle(change))
    process.prepare_inputs()
    start = process.ctx.inputs.restart_folder.get_remote_path()
    assert start == (left if goes_on else given).get_remote_path()
    parameters = process.ctx.inputs.parameters
    assert (parameters["icharg"], parameters["istart"]) == (1, int(goes_on))  # only the second left its orbitals


@pytest.mark.parametrize("moments_ac", [FLIPPED_AC, SHORT_AC])
def test_a_lost_moment(chain, inspect, folder, moments_ac):
    given = folder("CHGCAR")
    process = chain(restart=given)
    assert inspect(process, 0, moments_ac, folder("CHGCAR")).status == 0
    process.prepare_inputs()
    assert process.ctx.inputs.restart_folder.get_remote_path() == given.get_remote_path()
    assert inspect(process, 0, moments_ac, folder("CHGCAR")).status == 0
    process.prepare_inputs()
    assert "restart_folder" not in process.ctx.inputs
    assert process.ctx.inputs.parameters["icharg"] == 2
    np.testing.assert_allclose(process.ctx.inputs.parameters["magmom"], 1.5 * np.array(constrained_incar()["magmom"]))
    end = inspect(process, 0, moments_ac)
    assert end.status == (431 if moments_ac is FLIPPED_AC else 432)
    assert end.message.endswith("atoms 2" if moments_ac is FLIPPED_AC else "atoms 1")
    assert not process.ctx.is_finished


@pytest.mark.parametrize(
    ("status", "expected"),
    [(340, 440), (341, 441), (342, 442), (343, 443), (347, 444), (352, 444), (1002, 442), (333, 452)],
)
def test_output_that_is_missing_or_cut(chain, inspect, status, expected):
    process = chain()
    before = dict(process.ctx.inputs.parameters)
    assert inspect(process, status).status == 0
    process.prepare_inputs()
    assert {**process.ctx.inputs.parameters, **before} == dict(process.ctx.inputs.parameters)
    end = inspect(process, status)
    assert end.status == expected
    assert f"message {status}" in end.message


@pytest.mark.parametrize("status", [344, 345])
def test_killed(chain, inspect, folder, status):
    """Once more as it was unless the scheduler says why; then in parts, each from the density of the one before."""
    process = chain(nelm=60)
    if status == 344:
        assert inspect(process, status, OSZICAR=cycle(1.0, 20)).status == 0
        assert process.ctx.inputs.parameters["nelm"] == 60
    assert inspect(process, status, OSZICAR=cycle(1.0, 20)).status == 0
    assert process.ctx.inputs.parameters["nelm"] == 16
    for _ in range(CONTINUATIONS):
        left = folder("CHGCAR")
        assert inspect(process, 701, remote=left, OSZICAR=cycle(0.1, 16)).status == 0
        process.prepare_inputs()
        assert process.ctx.inputs.restart_folder.get_remote_path() == left.get_remote_path()
    assert inspect(process, 701, remote=folder("CHGCAR"), OSZICAR=cycle(0.1, 16)).status == 450


def test_killed_before_it_did_anything(chain, inspect):
    process = chain()
    assert inspect(process, 345, OSZICAR=cycle(1.0, 3)).status == 450


@pytest.mark.parametrize("status", [348, 703])
def test_a_complaint_that_can_be_helped(chain, inspect, folder, status):
    process, words = chain(restart=folder("CHGCAR")), " Error EDDDAV: Call to ZHEGV failed. Returncode = 12 1 24\n"
    assert inspect(process, status, vasp_output=words).status == 0
    assert process.ctx.inputs.parameters["algo"] == "all"
    process.prepare_inputs()
    assert "restart_folder" in process.ctx.inputs
    assert inspect(process, status, vasp_output=words).status == 0
    process.prepare_inputs()
    assert "restart_folder" not in process.ctx.inputs
    end = inspect(process, status, vasp_output=words)
    assert end.status == 460
    assert "edddav_zhegv" in end.message


def test_a_refusal_is_quoted(chain, inspect):
    end = inspect(chain(), 348, vasp_output=" ERROR: RWIGS\n\n I REFUSE TO CONTINUE WITH THIS SICK JOB ... BYE!!!\n")
    assert "ERROR: RWIGS" in end.message


def test_a_complaint_of_the_density(chain, inspect, folder):
    process = chain(restart=folder("CHGCAR"))
    assert inspect(process, 348, vasp_output=" WARNING: chargedensity file is incomplete\n").status == 0
    process.prepare_inputs()
    assert "restart_folder" not in process.ctx.inputs


def test_more_bands(chain, inspect):
    process = chain()
    inspect(process, 703, vasp_output="TOO FEW BANDS\n", OUTCAR="   number of bands    NBANDS=     24\n")
    assert process.ctx.inputs.parameters["nbands"] == 28


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        (348, " I REFUSE TO CONTINUE WITH THIS SICK JOB", 460),
        (703, "something new", 460),
        (346, "", 451),
        (150, "", 453),
        (799, "", 470),
    ],
)
def test_beyond_help(chain, inspect, status, words, expected):
    assert inspect(chain(), status, vasp_output=words).status == expected


def test_the_last_run_ends_with_the_code_of_its_fault(chain, inspect):
    process = chain(max_iterations=2)
    assert inspect(process, 701, OSZICAR=cycle(0.01)).status == 0
    end = inspect(process, 342)  # would be tried again, had there been another run
    assert end.status == 442


def test_a_folder_that_was_cleaned_is_no_start(chain, folder):
    process = chain(restart=folder("WAVECAR"), icharg=1, istart=1)
    process.prepare_inputs()
    assert "restart_folder" not in process.ctx.inputs
    assert process.ctx.inputs.parameters["icharg"] == 2
    assert process.ctx.inputs.parameters["istart"] == 0


def test_what_handlers_keep_survives_a_restart_of_the_daemon(chain, inspect, folder):
    process = chain(restart=folder("CHGCAR"))
    inspect(process, 701, remote=folder("CHGCAR"), OSZICAR=cycle(0.01))
    names = ("tries", "failure", "start_folder", "is_shortened", "use_orbitals")
    kept = deserialize_unsafe(serialize({name: process.ctx[name] for name in names}))
    assert kept["tries"] == {"scf": 1}
    assert kept["failure"] == process.ctx.failure
    assert kept["start_folder"].uuid == process.ctx.start_folder.uuid


def test_orbitals_are_left_alone_when_told_so(chain, folder):
    process = chain(restart=folder("CHGCAR", "WAVECAR"), istart=0)
    process.prepare_inputs()
    assert process.ctx.inputs.parameters["istart"] == 0
    assert "restart_folder" in process.ctx.inputs


def test_bad_input_ends_before_anything_is_submitted(vasp_inputs):
    inputs = vasp_inputs(bulk("Fe", "bcc", a=2.83, cubic=True), magmom=[2.0, 2.0])
    process = instantiate_process(get_manager().get_runner(), ConstrainedVaspWorkChain, **inputs)
    process.setup()
    end = process.init_inputs()
    assert end.status == 310
    assert "MAGMOM has 2 numbers, not 6" in end.message


def test_every_end_is_on_the_page():
    page = (Path(__file__).parents[2] / "docs/topics/vasp_handlers.md").read_text()
    for status, (label, _) in EXIT_CODES.items():
        assert f"| {status} | `{label}` |" in page
    for handler in ConstrainedVaspWorkChain.get_process_handlers():
        assert f"`{handler.__name__}`" in page


def test_real_tables_have_the_last_change():
    """The helper above and the writer of whole files agree on what the handlers read."""
    from soso_core.engines.vasp.oszicar import read_scf

    assert read_scf(oszicar(STILL_AC, STILL_AC, steps=20)).n_steps == 20
    assert read_scf(cycle(-0.01)).last_change == -0.01
