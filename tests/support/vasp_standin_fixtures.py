"""The stand-in for VASP in tests: as a command in a folder, and as a code of AiiDA."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

SUPPORT = Path(__file__).parent
PYTHONPATH = f"{SUPPORT.parents[1]}{os.pathsep}{SUPPORT}"
PREFIX = "SOSO_STANDIN_"


def environment_words(
    state: Path | None = None, faults: list[dict[str, Any]] | None = None, **values: Any
) -> dict[str, str]:
    """Return the environment variables of the stand-in: `model`, `field_scale`, `seed` by their names."""
    words = {f"{PREFIX}{name.upper()}": str(value) for name, value in values.items()}
    words |= {f"{PREFIX}STATE": str(state)} if state is not None else {}
    return words | ({f"{PREFIX}FAULTS": json.dumps(faults)} if faults else {})


def potcar_section(symbol: str) -> str:
    """Return a section of a POTCAR with nothing secret in it."""
    return (
        f" PAW_PBE {symbol} 01Jan2000\n parameters from PSCTR are:\n   LEXCH  = PE\n"
        f"   TITEL  = PAW_PBE {symbol} 01Jan2000\n END of PSCTR-controll parameters\n End of Dataset\n"
    )


def words(values: Any) -> str:
    """Return numbers as INCAR holds them."""
    return " ".join(f"{value:.10f}" for value in np.ravel(values))


def write_inputs(folder: Path, atoms: Atoms, targets_ac: np.ndarray, **tags: Any) -> None:
    """Write the four files for atoms whose like ones stand together; `tags` go to the INCAR, None removes one."""
    symbols = list(dict.fromkeys(atoms.get_chemical_symbols()))
    counts = [atoms.get_chemical_symbols().count(symbol) for symbol in symbols]
    incar = {
        "lnoncollinear": ".TRUE.",
        "i_constrained_m": 4,
        "lambda": 10.0,
        "magmom": words(2.2 * targets_ac),
        "m_constr": words(targets_ac),
        "rwigs": words([1.3] * len(symbols)),
        "isym": 0,
        "amix": 0.05,
        "nelm": 200,
        **tags,
    }
    (folder / "INCAR").write_text("".join(f"{k} = {v}\n" for k, v in incar.items() if v is not None))
    rows = "".join(" ".join(f"{x:.12f}" for x in row) + "\n" for row in atoms.cell.array)
    sites = "".join(" ".join(f"{x:.12f}" for x in row) + "\n" for row in atoms.positions)
    (folder / "POSCAR").write_text(
        f"test\n1.0\n{rows}{' '.join(symbols)}\n{' '.join(map(str, counts))}\nCartesian\n{sites}"
    )
    (folder / "KPOINTS").write_text("auto\n0\nGamma\n2 2 2\n0 0 0\n")
    (folder / "POTCAR").write_text("".join(map(potcar_section, symbols)))


def run_standin(folder: Path, **environment: Any) -> subprocess.CompletedProcess[str]:
    """Run the stand-in in a folder."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    variables |= {"PYTHONPATH": PYTHONPATH, **environment_words(**environment)}
    command = [sys.executable, "-m", "vasp_standin"]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def vasp_standin(localhost, tmp_path_factory) -> Callable[..., Any]:
    """Return a factory of codes: `vasp_standin(state, faults=[...], field_scale=1)`, see `vasp_standin.environment`."""
    from aiida.orm import InstalledCode

    script = tmp_path_factory.mktemp("bin") / "vasp-standin"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={PYTHONPATH} exec {sys.executable} -m vasp_standin "$@"\n')
    script.chmod(0o755)

    def factory(state: Path | None = None, label: str = "vasp-standin", **environment: Any) -> InstalledCode:
        code = InstalledCode(label=label, computer=localhost, filepath_executable=str(script))
        variables = environment_words(state, **environment)
        code.prepend_text = "\n".join(f"export {name}='{value}'" for name, value in variables.items())
        return code.store()

    return factory


def calls(state: Path) -> list[tuple[str, float, int, str]]:
    """Return the log of the stand-in: name of the run, lambda, how often it was called, fault or '-'."""
    log = state / "calls.log"
    rows = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [(key, float(lambda_), int(call), mode) for key, lambda_, call, mode in rows]
