"""Make the stored outputs of ABINIT anew; needs ABINIT (make abinit)."""

import re
import tempfile
from pathlib import Path

import numpy as np

from soso_core.configuration import Configuration
from soso_core.engines.abinit.engine import prepare
from soso_core.engines.abinit.input_file import Mixing
from soso_core.engines.abinit.process import INPUT_NAME, Finished, run
from soso_core.engines.abinit.settings import AbinitSettings

HERE = Path(__file__).parent
LATTICE, ANGLE = 2.83, 0.5
SPINS = np.array([[0.0, 0.0, 1.0], [np.sin(ANGLE), 0.0, np.cos(ANGLE)]])
POSITIONS = np.array([[0.0, 0.0, 0.0], [0.5 * LATTICE + 0.05, 0.5 * LATTICE, 0.5 * LATTICE]])
IRON = Configuration(np.array([26, 26]), POSITIONS, LATTICE * np.eye(3), SPINS)
CHEAP = AbinitSettings(ecut_ev=544.0, k_mesh=(2, 2, 2))


def finished(n_steps: int, change: tuple[str, str] = ("", "")) -> Finished:
    """Run ABINIT for at most so many steps, with a regular expression of the input replaced."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, IRON, CHEAP, Mixing(CHEAP.magcon_lambda, n_steps))
        text = (folder / INPUT_NAME).read_text(encoding="ascii")
        (folder / INPUT_NAME).write_text(re.sub(*change, text), encoding="ascii")
        return run(CHEAP.command, folder, 600.0)


def trimmed(output: str) -> str:
    """Return the one dataset and the last lines of a main output, without eigenvalues and occupations."""
    dataset = output[output.index("== DATASET") : output.index("== END DATASET")]
    dataset = re.sub(r" Eigenvalues \(hartree\) for nkpt=(?:.*\n)*?(?=\n\n--- !EnergyTerms)", "", dataset)
    return dataset + output[output.index("== END DATASET") :].partition("\n")[0] + "\n" + ending(output)


def ending(output: str) -> str:
    """Return the last lines of a main output."""
    return output[output.rindex("\n Calculation completed.") :]


if __name__ == "__main__":
    (HERE / "converged.abo").write_text(trimmed(finished(80).output), encoding="utf8")
    (HERE / "unconverged.abo").write_text(trimmed(finished(3).output), encoding="utf8")
    log = finished(3, (r"nband \d+", "nband 20")).log
    (HERE / "refused.log").write_text(log[log.index("--- !ERROR") : log.rindex("\n...\n") + 5], encoding="utf8")
