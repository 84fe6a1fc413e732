"""Which fault a call has.  The plan is drawn for each run from its own input, so it does not depend on the order."""

import hashlib
from pathlib import Path

import numpy as np

from vasp_standin.environment import Environment

MODES = (
    "scf",  # NELM steps, not converged; energies and moments are off
    "flip",  # one moment ends against its target; a restart from this density keeps it so
    "collapse",  # one moment ends near zero; a restart keeps it so
    "wrong_angle",  # one moment ends far from its target, without a word
    "vasprun",  # vasprun.xml is cut
    "oszicar",  # OSZICAR is cut inside its last table
    "no_oszicar",  # OSZICAR is not there
    "outcar",  # OUTCAR is not there
    "walltime",  # killed half way
    "zhegv",  # Error EDDDAV: Call to ZHEGV failed, and stop
)


def run_key(*arrays: np.ndarray) -> str:
    """Return a name of a run: the digest of its numbers, rounded to 1e-6."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update((np.round(np.asarray(array, dtype=float), 6) + 0.0).tobytes())
    return digest.hexdigest()[:24]


def uniform(*words: object) -> float:
    """Return a number in [0, 1) that belongs to the words."""
    digest = hashlib.sha256(" ".join(str(word) for word in words).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 256**7


def planned(environment: Environment, key: str, lambda_: float) -> tuple[str, float] | None:
    """Return the mode planned for a run and the number of calls it hits, or None."""
    draw, edge = uniform(environment.seed, key), 0.0
    for rule in environment.faults:
        if rule.mode not in MODES:
            raise ValueError(f"fault '{rule.mode}' is not one of {', '.join(MODES)}")
        if rule.lambda_ is not None and abs(rule.lambda_ - lambda_) > 1e-6:
            continue
        edge += rule.probability
        if draw < edge:
            return rule.mode, rule.calls
    return None


def fault_of_call(environment: Environment, key: str, lambda_: float) -> str:
    """Count this call and return the mode it fails in, or an empty string."""
    plan = planned(environment, key, lambda_)
    if environment.state is None:
        return plan[0] if plan else ""
    calls = count_call(environment.state, key)
    mode = plan[0] if plan and calls <= plan[1] else ""
    append(environment.state / "calls.log", f"{key} {lambda_:g} {calls} {mode or '-'}")
    return mode


def count_call(folder: Path, key: str) -> int:
    """Return how often this run was called, this call included."""
    folder.mkdir(parents=True, exist_ok=True)
    append(folder / key, "call")
    return len((folder / key).read_text().splitlines())


def append(path: Path, line: str) -> None:
    """Add a line to a file."""
    with path.open("a") as file:
        file.write(f"{line}\n")
