"""Fixtures of the tests of VASP: a POTCAR family without secrets, a code that is never run, inputs of a small cell."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

FAMILY = "SOSO.test"
DIRECTIONS_AC = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8]])
LENGTH = 2.2


def potcar_text(symbol: str) -> str:
    """Return what aiida-vasp reads of a POTCAR, and nothing else."""
    return (
        f" PAW_PBE {symbol} 01Jan2000\n 8.0\n parameters from PSCTR are:\n   LEXCH  = PE\n"
        f"   TITEL  = PAW_PBE {symbol} 01Jan2000\n END of PSCTR-controll parameters\n End of Dataset\n"
    )


@pytest.fixture(scope="session")
def potcar_family(aiida_profile, tmp_path_factory) -> str:
    """Return the name of a family with the potentials of the elements used in tests."""
    from aiida_vasp.data.potcar import PotcarData, PotcarGroup

    group = PotcarGroup(label=FAMILY).store()
    for symbol in ("Fe", "Rh", "Ir", "Mn"):
        path = tmp_path_factory.mktemp("potcars") / symbol / "POTCAR"  # aiida-vasp compares folder and content
        path.parent.mkdir()
        path.write_text(potcar_text(symbol))
        group.add_nodes(PotcarData.get_or_create_from_file(path)[0])
    return FAMILY


@pytest.fixture(scope="session")
def idle_vasp(localhost) -> Any:
    """Return a code for what is prepared or parsed but never run."""
    from aiida.orm import InstalledCode

    return InstalledCode(label="vasp-idle", computer=localhost, filepath_executable="/bin/true").store()


@pytest.fixture
def iron() -> Atoms:
    """Return two atoms of bcc iron."""
    return bulk("Fe", "bcc", a=2.83, cubic=True)


def constrained_incar(n_atoms: int = 2, n_species: int = 1, **changes: Any) -> dict[str, Any]:
    """Return an INCAR with the directions above, repeated."""
    directions_ac = np.resize(DIRECTIONS_AC, (n_atoms, 3))
    incar = {
        "lnoncollinear": True,
        "i_constrained_m": 4,
        "lambda": 10.0,
        "m_constr": directions_ac.ravel().tolist(),
        "magmom": (LENGTH * directions_ac).ravel().tolist(),
        "rwigs": [1.3] * n_species,
        "isym": 0,
        "lasph": True,
        "nelm": 60,
    }
    return {**incar, **changes}


@pytest.fixture
def vasp_inputs(potcar_family, idle_vasp, iron) -> Callable[..., dict[str, Any]]:
    """Return a factory of inputs of the work chain for a cell (two atoms of iron); `changes` go to the INCAR."""
    from aiida.orm import Dict, KpointsData, Str, StructureData

    def factory(atoms: Atoms | None = None, code: Any = None, **changes: Any) -> dict[str, Any]:
        cell = iron if atoms is None else atoms
        symbols = list(dict.fromkeys(cell.get_chemical_symbols()))
        kpoints = KpointsData()
        kpoints.set_kpoints_mesh([2, 2, 2])
        return {
            "code": code or idle_vasp,
            "structure": StructureData(ase=cell),
            "kpoints": kpoints,
            "parameters": Dict({"incar": constrained_incar(len(cell), len(symbols), **changes)}),
            "potential_family": Str(potcar_family),
            "potential_mapping": Dict({symbol: symbol for symbol in symbols}),
            "calc": {"metadata": {"options": {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}}}},
        }

    return factory
